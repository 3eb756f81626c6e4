"""Syncs the commits of one file to disk, with one sync of the WAL for all waiting changes, and handles a failed sync.

After a failed sync, nothing is acknowledged, written or checkpointed until the WAL is rewritten and on disk (see
``wal_rewrite``). Reads go on meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import monotonic

import apsw

from mektup.store import files
from mektup.store.sqlite.file import settings
from mektup.store.sqlite.file.disk import Disk
from mektup.store.sqlite.file.errors import ENGINE_ERRORS, is_full
from mektup.store.sqlite.file.file_names import Names
from mektup.store.sqlite.file.reserve import FREEING_BYTES, Reserve
from mektup.store.sqlite.file.wal_rewrite import rewrite_wal
from mektup.store.threads import Caught, Threads
from mektup.terms.errors import Refused

MENDING_SECONDS = 1.0
"""The shortest wait before another attempt after a failed one."""


class WalSync:
    """The syncs of one database. For the event loop's thread."""

    def __init__(
        self,
        path: Path | None,
        threads: Threads,
        disk: Disk,
        connect: Callable[[], apsw.Connection],
        save: Callable[[], None],
        header: Callable[[], bytes],
    ) -> None:
        """*connect* makes a connection, in a thread; *header* reads the header of the WAL-index.

        *save* is called when a file has lost its name. When it returns, all commits are in a file with a name; it
        raises Refused where that is not possible.
        """
        self._save = save
        self.names = Names(path)
        self._path = path
        self._threads = threads
        self._disk = disk
        self._connect = connect
        self._header = header
        self.written = 0
        """The number of commits of this process."""
        self._synced = 0
        """How many of them are on disk."""
        self.file: int | None = None
        """The WAL, from the first sync on; ``Database`` closes it with the connections."""
        self.is_suspect = False
        """Whether a sync failed, so that the WAL may not be on disk, even if a later sync succeeds."""
        self._tried_at = 0.0
        self._failure = errno.EIO
        """The errno of the last attempt."""
        self._is_under_way = False
        """Whether a round is running: one sync for all waiting changes."""
        self._waiters: list[asyncio.Future[None]] = []
        self._opening: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether no sync is running or needed."""
        return not self._is_under_way and not self.is_suspect

    async def reach_disk(self, *, at_once: bool = False) -> None:
        """Returns when all current commits are on disk; callers that wait at the same time share a sync.

        With *at_once*, retries a disk that failed just now. Raises the errors of the disk or of SQLite.
        """
        goal = self.written
        if at_once:
            self._tried_at = 0.0
        while self._synced < goal or self.is_suspect:
            if not self._is_under_way:
                self._begin()
            await self._end_of_round()

    def _end_of_round(self) -> asyncio.Future[None]:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        return waiter

    async def mend(self, reserve: Reserve | None) -> None:
        """After a failed sync, returns when all writes are on disk. Raises as ``reach_disk``.

        Some file systems only find out in a sync that the disk is full: then some of *reserve* is given up.
        """
        try:
            await self.reach_disk()
        except ENGINE_ERRORS as error:
            assert self._path is not None
            if reserve is None or not is_full(error, self._path) or not reserve.give_up(FREEING_BYTES):
                raise
            await self.reach_disk(at_once=True)

    # A round goes on when its callers are cancelled. It uses callbacks and no task, because each delivery needs one.

    def _begin(self) -> None:
        if self.file is None or self.is_suspect:
            self._opening = asyncio.create_task(self._open_or_mend())
        else:
            self._begin_sync()
        self._is_under_way = True

    async def _open_or_mend(self) -> None:
        upto = self.written
        with Caught() as caught:
            if not self.is_suspect:
                await self.open()
                self._begin_sync()
                return
            await self._mend()
        self._finish(upto, caught.error)

    def _begin_sync(self) -> None:
        assert self.file is not None
        if self._disk.is_quick:
            # not at once, so that other tasks that are ready to write can share the sync
            asyncio.get_running_loop().call_soon(self._sync_here, self.file)
        else:
            self._disk.begin_sync(self.file, partial(self._note_synced, self.written))

    def _sync_here(self, file: int) -> None:
        upto = self.written
        try:
            self._disk.sync(file)
        except OSError as error:
            self._finish(upto, error)
        else:
            self._note_synced(upto, None, None)

    def _note_synced(self, upto: int, _: object, raised: BaseException | None) -> None:
        with Caught() as caught:
            if raised is None:
                self.keep_names()
        self._finish(upto, raised or caught.error)

    def _finish(self, upto: int, raised: BaseException | None) -> None:
        """Ends a round: the first *upto* commits are on disk, or the sync has *raised*. Wakes the waiting callers."""
        if raised is None:
            self._synced = max(self._synced, upto)
        elif isinstance(raised, ENGINE_ERRORS):
            # the page cache may have dropped the failed pages, so a later sync would succeed without writing them
            self.is_suspect = True
        self._is_under_way = False
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if waiter.done():
                continue
            if raised is None:
                waiter.set_result(None)
            else:
                waiter.set_exception(raised)

    async def open(self) -> int:
        """Opens the WAL, which must exist, and syncs its name to disk. Raises OSError, Refused."""
        if self.file is None:
            self.keep_names()
            self.file = await self._threads.sync(self._open)
            self.names.learn()
        return self.file

    def keep_names(self) -> None:
        """Checks that the synced files still have their names; else saves them. Raises Refused where it cannot."""
        if self.names.are_lost:
            self._save()

    def note_all_synced(self) -> None:
        """Says that SQLite has synced all current commits to disk."""
        self._synced = self.written

    async def _mend(self) -> None:
        """Rewrites the WAL, and waits until it is on disk."""
        if monotonic() - self._tried_at < MENDING_SECONDS:
            raise OSError(self._failure, os.strerror(self._failure))
        try:
            self._header()  # opens the WAL-index, from this thread
            file = await self._threads.sync(self._write_again)
        except ENGINE_ERRORS as error:
            self._tried_at = monotonic()
            self._failure = (error.errno if isinstance(error, OSError) else None) or errno.EIO
            raise
        if self.file is not None:
            os.close(self.file)
        self.file = file
        self.is_suspect = False

    async def _over(self) -> None:
        """Returns when no round is running, however the last one ended."""
        while self._is_under_way:
            with contextlib.suppress(*ENGINE_ERRORS, Refused):
                await self._end_of_round()

    async def mend_before_the_end(self) -> None:
        """Waits for the running round; makes a last attempt after a failed sync. Raises as ``reach_disk``."""
        await self._over()
        if self.is_suspect:
            self._tried_at = 0.0
            await self._mend()

    def _write_again(self) -> int:
        assert self._path is not None
        files.sync(self._path.parent)
        connection = self._connect()
        try:
            # closing it as the last one must not checkpoint: pages would reach the file before the WAL is on disk
            settings.keep_wal(connection)
            connection.execute("BEGIN IMMEDIATE")  # so that nobody appends to the WAL or starts it over
            return rewrite_wal(self._path, self._header())
        finally:
            connection.close()

    def _open(self) -> int:
        assert self._path is not None
        files.sync(self._path.parent)  # the WAL's name, too, must survive a power loss
        return os.open(f"{self._path}-wal", os.O_RDONLY)
