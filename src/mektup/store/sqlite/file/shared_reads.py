"""Long questions that several ask at the same time are asked once.

A hundred sessions may hear of the same change, which may be of tens of thousands of messages. Were each to ask a thread
of its own what it was, the threads would take turns with the event loop's for a second, and each session would hold the
same answer once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from mektup.store.sqlite.file.cursor import Cursor
    from mektup.store.sqlite.file.database import Database

T = TypeVar("T")
P = ParamSpec("P")


class SharedReads:
    """The long questions to a database that are under way."""

    __slots__ = ("_database", "_under_way")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._under_way: dict[Hashable, tuple[bytes, asyncio.Task[Any]]] = {}

    def is_asked(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether ``read_long`` would join another's question."""
        asked, _ = self._under_way.get((ask, args, tuple(kwargs.items())), (None, None))
        return asked is not None and asked == self._database.state()

    async def read_long(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *ask* finds, see ``Database.read_long``, where it depends on its arguments alone, which are hashable.

        It may be shared with others who ask, and must not be changed. It is never older than the question: another's is
        joined only where nobody has committed since that was asked.
        """
        state = self._database.state()
        if state is None:
            return await self._database.read_long(ask, *args, **kwargs)
        key = ask, args, tuple(kwargs.items())
        asked, task = self._under_way.get(key, (None, None))
        if task is None or asked != state:
            task = asyncio.create_task(self._database.read_long(ask, *args, **kwargs))
            self._under_way[key] = state, task
            task.add_done_callback(lambda done: self._forget(key, done))
        # whoever is cancelled leaves it to the others
        answer: T = await asyncio.shield(task)
        return answer

    def _forget(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        if self._under_way.get(key, (None, None))[1] is done:
            del self._under_way[key]
        if not done.cancelled():
            done.exception()  # where nobody waits for it any more, it is of no interest
