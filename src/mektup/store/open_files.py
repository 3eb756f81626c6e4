"""Limits the number of open files: the least recently used are closed, and opened again when needed.

Sessions hold accounts, not files, so thousands of idle sessions over hundreds of accounts need no open file. Only a few
idle files stay open, without a cache. Files are closed one after the other, so that other work that needs the disk
waits for at most one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, Protocol

from mektup.store.threads import Threads

MOST_OPEN = 512
"""The most open files. Each needs some 200 KiB, half of it cache, and four file descriptors."""

REST_SECONDS = 1.0
"""The idle time after which a file's cache is freed; filling it again takes some microseconds."""

FEW_AT_REST = 4
"""How many idle files stay open for any time; opening one again takes half a millisecond."""

SYNCED_REST_SECONDS = 30.0
"""The idle time after which a file is closed that got mail or another durable change: more may come, and closing a file
uses the disk, for which other work would wait."""

LOOK_SECONDS = 5.0
"""How often idle files are checked for being removed or replaced."""

MOST_THREAD_CONNECTIONS = 32
"""The most second connections, for work in threads."""


class Closable(Protocol):
    """A file or a connection that is closed here: see ``database.Database``."""

    used: float
    rests: bool
    """Whether its cache was freed since its last use; the next use then calls ``in_use``."""

    @property
    def was_synced(self) -> bool:
        """Whether a change was synced to disk since it was opened."""

    def shrink(self) -> None: ...

    def look(self) -> None:
        """Checks whether its files still have their names."""

    @property
    def wal_bytes(self) -> int:
        """The size of its write-ahead log."""

    @property
    def idle(self) -> bool: ...

    async def release(self) -> bool:
        """Closes it, unless it is in use; returns whether it did."""


class OpenFiles:
    """The open files of a store."""

    def __init__(self, most: int, threads: Threads, *, trim_memory: Callable[[], None] | None = None) -> None:
        """*trim_memory* is called in a thread after files that rested were closed."""
        self._most = most
        self._threads = threads
        self._trim_memory = trim_memory
        self._open: set[Closable] = set()
        self._closing: set[asyncio.Task[None]] = set()
        self._round: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def wal_bytes(self) -> list[int]:
        """The size of the write-ahead log of each file."""
        return [file.wal_bytes for file in self._open]

    def in_use(self, file: Closable) -> None:
        """Says that *file* is open and in use.

        Closes the least recently used file, if there are too many.
        """
        file.rests = False
        self._open.add(file)
        self._have_round()
        if len(self._open) > self._most:
            idle = [other for other in self._open if other is not file and other.idle]
            if idle:
                self._close(self._release(min(idle, key=lambda other: other.used)))

    def closed(self, file: Closable) -> None:
        """Says that *file* is closed."""
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
            if file.rests:  # not used again meanwhile
                await self._release(file)
        if self._trim_memory is not None:
            await self._threads.sync(self._trim_memory)

    async def settle(self) -> None:
        """Waits for files that are being closed, and ends."""
        if self._closing:
            await asyncio.wait(self._closing)
        if self._round is not None:
            self._round.cancel()
            self._round = None
