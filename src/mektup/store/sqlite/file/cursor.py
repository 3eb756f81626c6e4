"""What the engine uses of apsw's cursor. A row is typed by the query that stands beside it, not by mypy."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import apsw

T = TypeVar("T")
P = ParamSpec("P")


class Cursor(Protocol):
    """A statement at a time: the next execute ends the one before."""

    @property
    def connection(self) -> apsw.Connection: ...

    @property
    def get(self) -> Any:
        """The first row, or its value where it has one column; None where there is no row."""

    def execute(self, statements: str, bindings: Sequence[Any] = (), /) -> Cursor: ...

    def executemany(self, statements: str, sequenceofbindings: Iterable[Sequence[Any]], /) -> Cursor: ...

    def fetchall(self) -> list[tuple[Any, ...]]: ...

    def close(self, force: bool = False, /) -> None: ...

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...


def add_function(connection: apsw.Connection, name: str, count: int, function: Callable[..., Any]) -> None:
    """Makes *function*, of *count* arguments, known to the SQL of *connection* by *name*."""
    connection.create_scalar_function(name, function, count)


def ask_of(
    connection: apsw.Connection, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """What *ask* finds with a cursor of its own."""
    cursor = connection.cursor()
    try:
        return ask(cursor, *args, **kwargs)
    finally:
        cursor.close(True)
