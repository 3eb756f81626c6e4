"""When what is in the WAL is moved into the file: behind the work, in a thread, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import apsw

from mektup.store.faults import FaultRefused, Kind
from mektup.store.sqlite.file.reserve import Reserve
from mektup.store.sqlite.file.settings import CHECKPOINT_PAGES, RESTART_PAGES, USUAL_WAL_BYTES
from mektup.store.sqlite.file.wal_sync import WalSync
from mektup.store.threads import Threads
from mektup.terms.errors import Refused


class Checkpoints:
    """Of one file. For the event loop's thread, but for ``note``."""

    def __init__(
        self,
        path: Path | None,
        lock: asyncio.Lock,
        sync: WalSync,
        reserve: Reserve,
        threads: Threads,
        run: Callable[[int], Awaitable[None]],
    ) -> None:
        """*lock* is had by whoever writes; *run* moves the WAL, in a mode of SQLite's, and raises Refused."""
        self._path = path
        self._lock = lock
        self._sync = sync
        self._reserve = reserve
        self._threads = threads
        self._run_in_thread = run
        self.pages = 0
        """In the WAL."""
        self.due_at = CHECKPOINT_PAGES
        """Pages at which the next one is due."""
        self.task: asyncio.Task[None] | None = None
        """The one under way."""

    def note(self, connection: apsw.Connection, name: str, pages: int) -> int:
        """SQLite's hook, called after each commit of *connection*: the WAL has so many *pages*."""
        if pages < self.pages:  # it started over
            self.due_at = CHECKPOINT_PAGES
        self.pages = pages
        return apsw.SQLITE_OK

    async def have_wal_moved(self, *, has_ended: bool) -> None:
        """Begins one that is due, unless the file is being closed for good."""
        if self.task is None and not has_ended and not self._sync.is_suspect:
            self.task = asyncio.create_task(self._move_wal())
        if self.pages >= RESTART_PAGES:
            await asyncio.sleep(0)  # who writes without a pause must let others in, and the checkpoint, too

    async def _move_wal(self) -> None:
        try:
            await self._run(apsw.SQLITE_CHECKPOINT_PASSIVE)
            if self.pages >= RESTART_PAGES:
                async with self._lock:
                    await self._run(apsw.SQLITE_CHECKPOINT_RESTART)
        finally:
            self.due_at = self.pages + CHECKPOINT_PAGES
            self.task = None

    async def _run(self, mode: int) -> None:
        """One that fails loses nothing: when the WAL has grown again, another is asked for."""
        try:
            await self._run_in_thread(mode)
        except FaultRefused as refused:
            # it begins with a sync of the WAL, and if that failed, what is said in ``wal_sync`` holds
            self._sync.is_suspect |= refused.fault.kind is Kind.FAILED
        except Refused:
            pass

    async def shrink_wal(self) -> None:
        """Gives back the room of a WAL that has grown too much; to be called when nobody is at it."""
        with contextlib.suppress(OSError):
            if self.task is None and os.stat(f"{self._path}-wal").st_size > USUAL_WAL_BYTES:
                async with self._lock:
                    await self._run(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def begin_giving_room_back(self) -> None:
        """As ``give_room_back``, behind the work."""
        if self.task is None:
            self.task = asyncio.create_task(self.give_room_back())

    async def give_room_back(self) -> None:
        """What the WAL took of the reserve is the reserve's again."""
        try:
            if not self._sync.is_suspect:
                async with self._lock:
                    await self._run(apsw.SQLITE_CHECKPOINT_TRUNCATE)
            await self._threads.sync(self._reserve.refill)
        finally:
            self.task = None
