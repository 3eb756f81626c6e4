"""Answers found lately in a database, which hold for as long as nobody commits to it.

Clients ask the same small questions again and again, of mail that does not change: a NOOP each minute, a round of
STATUS, a SELECT of what was selected before. An engine knows for next to nothing that nothing was committed; then the
answer that was found before is the answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")
T = TypeVar("T")
P = ParamSpec("P")

MOST = 64
"""How many answers are kept of a database."""


class Readable(Protocol[C_co]):
    """A database as an engine reads it; C is what a question is asked of."""

    def state(self) -> bytes | None:
        """Octets that are others after every commit, of this process or another; None where they are not known."""

    def read(self, ask: Callable[Concatenate[C_co, P], T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """What *ask* finds."""


class Recall(Generic[C]):
    """The answers found at the latest state of a database."""

    __slots__ = ("_database", "_found", "_state")

    def __init__(self, database: Readable[C]) -> None:
        self._database = database
        self._state: bytes | None = None
        self._found: dict[Hashable, Any] = {}

    async def read(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *ask* finds, see ``Readable.read``, where it depends on *args* alone, which are hashable.

        It is shared with others who ask, and must not be changed.
        """
        key = ask, args
        state = self._database.state()
        if state is not None and state == self._state:
            found: T | None = self._found.get(key)
            if found is not None:
                return found
        found = await self._database.read(ask, *args, **kwargs)
        # asked again, as somebody may have committed before it was read
        if state is not None and found is not None and self._database.state() == state:
            self._keep(state, key, found)
        return found

    def _keep(self, state: bytes, key: Hashable, found: Any) -> None:
        if state != self._state or len(self._found) >= MOST:
            self._state = state
            self._found.clear()
        self._found[key] = found
