"""Remembers recent answers of a database, which stay valid until somebody commits.

Clients repeat the same small queries while their mail does not change: a NOOP each minute, a round of STATUS, a SELECT
of the same mailbox. An engine can check cheaply that nothing was committed; then the remembered answer is still right.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")
T = TypeVar("T")
P = ParamSpec("P")

MOST = 64
"""How many answers are remembered for each database."""


class Readable(Protocol[C_co]):
    """A database that can be read; C is the argument of a query, such as a connection."""

    def state(self) -> bytes | None:
        """Octets that differ after every commit by any process; None where they are not known."""

    def read(self, ask: Callable[Concatenate[C_co, P], T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """The result of the query *ask*."""


class Recall(Generic[C]):
    """The remembered answers at the latest state of a database."""

    __slots__ = ("_database", "_found", "_state")

    def __init__(self, database: Readable[C]) -> None:
        self._database = database
        self._state: bytes | None = None
        self._found: dict[Hashable, Any] = {}

    async def read(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the query *ask*, which must depend only on *args*; these are hashable.

        Callers share the result, so they must not change it.
        """
        key = ask, args
        state = self._database.state()
        if state is not None and state == self._state:
            found: T | None = self._found.get(key)
            if found is not None:
                return found
        found = await self._database.read(ask, *args, **kwargs)
        # compared again, because somebody may have committed before the read
        if state is not None and found is not None and self._database.state() == state:
            self._keep(state, key, found)
        return found

    def _keep(self, state: bytes, key: Hashable, found: Any) -> None:
        if state != self._state or len(self._found) >= MOST:
            self._state = state
            self._found.clear()
        self._found[key] = found
