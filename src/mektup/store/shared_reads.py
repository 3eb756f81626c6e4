"""Long questions that several ask at the same time are asked once.

A hundred sessions may hear of the same change, which may be of tens of thousands of messages. Were each to ask a thread
of its own what it was, the threads would take turns with the event loop's for a second, and each session would hold the
same answer once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

T = TypeVar("T")
P = ParamSpec("P")
C = TypeVar("C")
C_co = TypeVar("C_co", covariant=True)


class LongReadable(Protocol[C_co]):
    """A database as an engine asks it long questions; C is what a question is asked of."""

    def state(self) -> bytes | None:
        """Octets that are others after every commit, of this process or another; None where they are not known."""

    def read_long(
        self, ask: Callable[Concatenate[C_co, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """What *ask* finds."""


class SharedReads(Generic[C]):
    """The long questions to a database that are under way."""

    __slots__ = ("_database", "_under_way")

    def __init__(self, database: LongReadable[C]) -> None:
        self._database = database
        self._under_way: dict[Hashable, tuple[bytes, asyncio.Task[Any]]] = {}

    def is_asked(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether ``read`` would join another's question."""
        asked, _ = self._under_way.get((ask, args, tuple(kwargs.items())), (None, None))
        return asked is not None and asked == self._database.state()

    def state(self) -> bytes | None:
        """See ``LongReadable``."""
        return self._database.state()

    async def read(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What *ask* finds, see ``LongReadable``, where it depends on its arguments alone, which are hashable.

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
