"""Runs a long query once for all sessions that ask it at the same time.

A hundred sessions may learn of the same change of tens of thousands of messages. If each session queried it in its own
thread, these threads would compete with the event loop for a second, and each session would hold its own copy of the
answer.
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
    """A database that runs long queries; C is the argument of a query, such as a connection."""

    def state(self) -> bytes | None:
        """Octets that differ after every commit by any process; None where they are not known."""

    def read_long(
        self, ask: Callable[Concatenate[C_co, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> Coroutine[Any, Any, T]:
        """The result of the query *ask*."""


class SharedReads(Generic[C]):
    """The long queries of a database that are running."""

    __slots__ = ("_database", "_under_way")

    def __init__(self, database: LongReadable[C]) -> None:
        self._database = database
        self._under_way: dict[Hashable, tuple[bytes, asyncio.Task[Any]]] = {}

    def is_asked(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> bool:
        """Whether ``read`` would join a query that is already running."""
        asked, _ = self._under_way.get((ask, args, tuple(kwargs.items())), (None, None))
        return asked is not None and asked == self._database.state()

    def state(self) -> bytes | None:
        """See ``LongReadable``."""
        return self._database.state()

    async def read(self, ask: Callable[Concatenate[C, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of the query *ask*, which must depend only on its arguments; these are hashable.

        Callers may share the result, so they must not change it. It is never older than the call: the call joins a
        running query only where nobody has committed since that query began.
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
        # a cancelled caller leaves the query running for the others
        answer: T = await asyncio.shield(task)
        return answer

    def _forget(self, key: Hashable, done: asyncio.Task[Any]) -> None:
        if self._under_way.get(key, (None, None))[1] is done:
            del self._under_way[key]
        if not done.cancelled():
            done.exception()  # marks the error as retrieved, as perhaps nobody waits for it
