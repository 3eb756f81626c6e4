"""Counts work that is in progress, so that ``close`` can wait for its end."""

from __future__ import annotations

import asyncio
from types import TracebackType


class InFlight:
    """A counter that each piece of work enters, from the event loop's thread."""

    __slots__ = ("_count", "_over", "guests")

    def __init__(self) -> None:
        self._count = 0
        self._over: asyncio.Event | None = None
        self.guests = 0
        """Others that need what the work needs to stay, but whose end ``over`` does not wait for."""

    def __enter__(self) -> None:
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._count -= 1
        if not self._count and self._over is not None:
            self._over.set()

    def __bool__(self) -> bool:
        return self._count > 0 or self.guests > 0

    async def over(self) -> None:
        """Returns when no work is in progress."""
        while self._count:
            self._over = asyncio.Event()
            await self._over.wait()
