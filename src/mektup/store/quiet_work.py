"""Background work: starts when nothing has happened for a moment, and retries where it was refused."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Final

from mektup.terms.errors import Refused

QUIET_SECONDS: Final = 1.0
"""How long nothing must happen before the work begins."""

PATIENCE_SECONDS: Final = 30.0
"""The longest wait; after it, the work begins in any case."""

AGAIN_SECONDS: Final = 15.0
"""The wait before a retry, where another process did the work or the disk was full."""


class QuietWork(ABC):
    """Background work of one owner. Use it only from the event loop's thread."""

    def __init__(self, owner: Callable[[], object], *, is_off: bool) -> None:
        """*owner()* is kept alive while work waits; with *is_off*, no work is ever done."""
        self._owner = owner
        self._timer: asyncio.TimerHandle | None = None
        self._work: asyncio.Task[None] | None = None
        self._first = self._last = 0.0
        """The first and last call of ``wake``, by the loop's clock."""
        self._is_off = is_off

    @abstractmethod
    async def _do(self) -> bool:
        """Does the work; returns whether all is done. May raise Refused: then the work is retried."""

    def wake(self) -> None:
        """Says that there may be work to do. Costs very little."""
        if self._is_off:
            return
        loop = asyncio.get_running_loop()
        self._last = loop.time()
        if self._timer is None and self._work is None:
            self._first = self._last
            # the timer holds the owner, so the owner lives until the work is done
            self._timer = loop.call_at(self._due(), self._begin, self._owner())

    def waits(self) -> float | None:
        """How many seconds ago work was asked for that is not done yet; None if all is done."""
        if self._timer is None and self._work is None:
            return None
        return asyncio.get_running_loop().time() - self._first

    def _begin(self, owner: object) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() < self._due():
            self._timer = loop.call_at(self._due(), self._begin, owner)
        else:
            self._timer = None
            self._work = loop.create_task(self._keep_up(owner))

    def _due(self) -> float:
        return min(self._last + QUIET_SECONDS, self._first + PATIENCE_SECONDS)

    async def _keep_up(self, owner: object) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            is_done = await self._do()
        except Refused:
            is_done = False
        finally:
            self._work = None
        if not is_done:
            self._timer = loop.call_later(AGAIN_SECONDS, self._begin, owner)
        elif self._last > begun:
            self.wake()

    async def close(self) -> None:
        """Ends the work, even in the middle."""
        self._is_off = True
        if self._timer is not None:
            self._timer.cancel()
        work = self._work
        if work is not None:
            work.cancel()
            await asyncio.wait((work,))
