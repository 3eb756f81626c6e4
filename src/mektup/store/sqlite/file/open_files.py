"""How many accounts' files are open: the least recently used are closed, and open again when they are needed.

Sessions hold accounts, not files, so thousands of idle sessions over hundreds of accounts cost no file. Of those that
rest, few stay open, and without a cache. They are closed one after the other, so that who waits for the disk meanwhile
has at most one of them before it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any, Protocol

from mektup.store import system
from mektup.store.threads import Threads

MOST_OPEN = 512
"""Each takes some 200 KiB, half of it cache, and four file descriptors."""

REST_SECONDS = 1.0
"""Without use, after which a file's cache is given back; to fill it again takes some microseconds."""

FEW_AT_REST = 4
"""How many that rest stay open, for whatever time; to open one again takes half a millisecond."""

SYNCED_REST_SECONDS = 30.0
"""The rest after which one is closed to which mail came, or another change that was waited for: more may come, and what
closing a file asks of the disk others would wait for."""

LOOK_SECONDS = 5.0
"""How often those that rest are looked at: whether they were removed or replaced."""

MOST_SPARES = 32
"""Second connections, for work in threads."""


class Closable(Protocol):
    """What is closed here: see ``database.Database``."""

    used: float
    rests: bool
    """Whether its cache was given back since it was last used; who uses it then says so by ``in_use``."""

    @property
    def was_synced(self) -> bool:
        """Whether a change was brought to disk since it was opened."""

    def shrink(self) -> None: ...

    def look(self) -> None:
        """Sees whether it is still where it was."""

    @property
    def idle(self) -> bool: ...

    async def release(self) -> bool:
        """Closes it, unless it is in use; whether it did."""


class OpenFiles:
    """The open ones of a store."""

    def __init__(self, most: int, threads: Threads, *, trim_memory: bool = True) -> None:
        self._most = most
        self._threads = threads
        self._trim_memory = trim_memory
        self._open: set[Closable] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._round: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def in_use(self, file: Closable) -> None:
        """It is open, and will have a cache to give back.

        Closes the one that was not used for the longest time, if there are too many.
        """
        file.rests = False
        self._open.add(file)
        self._have_round()
        if len(self._open) > self._most:
            idle = [other for other in self._open if other is not file and other.idle]
            if idle:
                self._close(self._release(min(idle, key=lambda other: other.used)))

    def closed(self, file: Closable) -> None:
        """It is open no more."""
        self._open.discard(file)

    def _have_round(self, seconds: float = REST_SECONDS) -> None:
        loop = asyncio.get_running_loop()
        if self._round is not None and self._round.when() > loop.time() + seconds:
            self._round.cancel()
            self._round = None
        if self._round is None:
            self._round = loop.call_later(seconds, self._go_round)

    def _go_round(self) -> None:
        self._round = None
        now = monotonic()
        for file in tuple(self._open):
            file.look()
            if not file.rests and now - file.used >= REST_SECONDS:
                file.shrink()
                file.rests = True
        resting = sorted((file for file in self._open if file.rests and file.idle), key=lambda file: file.used)
        unwanted = [
            file for file in resting[:-FEW_AT_REST] if not file.was_synced or now - file.used >= SYNCED_REST_SECONDS
        ]
        if unwanted and not self._closing:
            self._close(self._release_all(unwanted))
        if len(self._open) > FEW_AT_REST or not all(file.rests for file in self._open):
            self._have_round()
        elif self._open:
            self._have_round(LOOK_SECONDS)

    def _close(self, closing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(closing)
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _release(self, file: Closable) -> None:
        self._open.discard(file)
        file.rests = True
        if not await file.release():
            self._open.add(file)
            self._have_round()

    async def _release_all(self, files: Sequence[Closable]) -> None:
        for file in files:
            if file.rests:  # it was not used again meanwhile
                await self._release(file)
        if self._trim_memory:
            await self._threads.sync(system.trim_memory)

    async def settle(self) -> None:
        """Ends: waits for those that are being closed."""
        if self._closing:
            await asyncio.wait(self._closing)
        if self._round is not None:
            self._round.cancel()
            self._round = None
