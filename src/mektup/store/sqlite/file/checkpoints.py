"""Checkpoints, which move the WAL into the file: in the background, in a thread, one at a time."""

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
    """The checkpoints of one file. For the event loop's thread, except for ``note``."""

    def __init__(
        self,
        path: Path | None,
        lock: asyncio.Lock,
        sync: WalSync,
        reserve: Reserve,
        threads: Threads,
        run: Callable[[int], Awaitable[None]],
    ) -> None:
        """Writers hold *lock*; *run* checkpoints in one of SQLite's modes, and raises Refused."""
        self._path = path
        self._lock = lock
        self._sync = sync
        self._reserve = reserve
        self._threads = threads
        self._run_in_thread = run
        self.pages = 0
        """The number of pages in the WAL."""
        self.due_at = CHECKPOINT_PAGES
        """The number of pages at which the next checkpoint is due."""
        self.task: asyncio.Task[None] | None = None
        """The running checkpoint."""

    def note(self, connection: apsw.Connection, name: str, pages: int) -> int:
        """SQLite's WAL hook, called after each commit of *connection*: the WAL has *pages* pages."""
        if pages < self.pages:  # the WAL started over
            self.due_at = CHECKPOINT_PAGES
        self.pages = pages
        return apsw.SQLITE_OK

    async def have_wal_moved(self, *, has_ended: bool) -> None:
        """Begins a due checkpoint, unless the file is being closed for good."""
        if self.task is None and not has_ended and not self._sync.is_suspect:
            self.task = asyncio.create_task(self._move_wal())
        if self.pages >= RESTART_PAGES:
            await asyncio.sleep(0)  # a writer without pauses must let other tasks and the checkpoint run

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
        """Runs a checkpoint. A failed one loses nothing: another runs when the WAL has grown again."""
        try:
            await self._run_in_thread(mode)
        except FaultRefused as refused:
            # a checkpoint begins with a sync of the WAL, which may have failed (see ``wal_sync``)
            self._sync.is_suspect |= refused.fault.kind is Kind.FAILED
        except Refused:
            pass

    async def shrink_wal(self) -> None:
        """Truncates a WAL that has grown too much. Call it when the file is idle."""
        with contextlib.suppress(OSError):
            if self.task is None and os.stat(f"{self._path}-wal").st_size > USUAL_WAL_BYTES:
                async with self._lock:
                    await self._run(apsw.SQLITE_CHECKPOINT_TRUNCATE)

    def begin_giving_room_back(self) -> None:
        """Runs ``give_room_back`` in the background."""
        if self.task is None:
            self.task = asyncio.create_task(self.give_room_back())

    async def give_room_back(self) -> None:
        """Truncates the WAL, and gives the space to the reserve."""
        try:
            if not self._sync.is_suspect:
                async with self._lock:
                    await self._run(apsw.SQLITE_CHECKPOINT_TRUNCATE)
            await self._threads.sync(self._reserve.refill)
        finally:
            self.task = None
