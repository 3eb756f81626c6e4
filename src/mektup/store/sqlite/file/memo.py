"""What was asked of an account or of the directory lately, and holds for as long as nobody commits to it.

Clients ask the same small questions again and again, of mail that does not change: a NOOP each minute, a round of
STATUS, a SELECT of what was selected before. That nothing was committed is known for next to nothing (see
``wal_index``); then the answer that was found before is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from mektup.store.sqlite.file.cursor import Cursor
    from mektup.store.sqlite.file.database import Database

T = TypeVar("T")
P = ParamSpec("P")

MOST = 64
"""How many answers are kept of a database."""


class Recall:
    """The answers found at the latest state of a database."""

    __slots__ = ("_database", "_found", "_state")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._state: bytes | None = None
        self._found: dict[Hashable, Any] = {}

    async def read(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *ask* finds, see ``Database.read``, where it depends on *args* alone, which are hashable.

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
