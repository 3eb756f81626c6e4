"""The part of apsw's cursor that the engine uses. The query says the types of a row; mypy does not check them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

import apsw

T = TypeVar("T")
P = ParamSpec("P")


class Cursor(Protocol):
    """Runs one statement at a time: the next execute ends the one before."""

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
    """Adds *function*, with *count* arguments, to the SQL of *connection* as *name*."""
    connection.create_scalar_function(name, function, count)


@contextmanager
def moment(cursor: Cursor) -> Iterator[None]:
    """A block whose reads all see one committed state; also works inside an open transaction."""
    if cursor.connection.in_transaction:
        yield
        return
    cursor.execute("BEGIN")
    try:
        yield
    finally:
        # after some errors SQLite has already ended it; then a COMMIT would hide the first error
        if cursor.connection.in_transaction:
            cursor.execute("COMMIT")


def ask_of(
    connection: apsw.Connection, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """The result of the query *ask*, which gets its own cursor."""
    cursor = connection.cursor()
    try:
        return ask(cursor, *args, **kwargs)
    finally:
        cursor.close(True)
