"""How many accounts' files are open: the least recently used are closed, and open again when they are needed.

Sessions hold accounts, not files, so thousands of idle sessions over hundreds of accounts cost no file.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

MOST_OPEN = 512
"""Each takes some 200 KiB and four file descriptors."""

MOST_SPARES = 32
"""Second connections, for work in threads."""


class Closable(Protocol):
    """What is closed here: see ``database.Database``."""

    used: float

    @property
    def idle(self) -> bool: ...

    async def release(self) -> None: ...


class OpenFiles:
    """The open ones of a store."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Closable] = set()
        self._closing: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, file: Closable) -> None:
        """One more is open: closes the one that was not used for the longest time, if there are too many."""
        self._open.add(file)
        if len(self._open) > self._most:
            idle = [other for other in self._open if other is not file and other.idle]
            if idle:
                longest = min(idle, key=lambda other: other.used)
                self._open.discard(longest)
                task = asyncio.ensure_future(longest.release())
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def closed(self, file: Closable) -> None:
        """It is open no more."""
        self._open.discard(file)

    async def settle(self) -> None:
        """Waits for those that are being closed."""
        if self._closing:
            await asyncio.wait(self._closing)
