"""The commits of one file brought to disk: a sync of its WAL, shared by all who wait; and what follows when it fails.

A failed sync is not the end. Nothing is acknowledged, and nothing else is written or checkpointed, until the WAL was
written once more and that is on disk (see ``wal_again``). Reading goes on meanwhile.
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
from mektup.store.sqlite.file.disk import Disk
from mektup.store.sqlite.file.errors import ENGINE_ERRORS, is_full
from mektup.store.sqlite.file.file_names import Names
from mektup.store.sqlite.file.reserve import FREEING_BYTES, Reserve
from mektup.store.sqlite.file.wal_again import write_again
from mektup.store.threads import Caught, Threads
from mektup.terms.errors import Refused

MENDING_SECONDS = 1.0
"""How long at least after a failed attempt the disk is not tried again."""


class WalSync:
    """Of one database. For the event loop's thread."""

    def __init__(
        self,
        path: Path | None,
        threads: Threads,
        disk: Disk,
        connect: Callable[[], apsw.Connection],
        save: Callable[[], None],
        header: Callable[[], bytes],
    ) -> None:
        """*connect* makes a connection, in a thread; *header* reads the WAL-index's header.

        *save* is called where a file is found to have lost its name: all that is committed is in a file with a name
        when it returns. It raises Refused where that cannot be.
        """
        self._save = save
        self.names = Names(path)
        self._path = path
        self._threads = threads
        self._disk = disk
        self._connect = connect
        self._header = header
        self.written = 0
        """Commits of this process so far."""
        self._synced = 0
        """How many of them are on disk."""
        self.file: int | None = None
        """The WAL, from the first sync on; whoever closes the connections takes it away and closes it."""
        self.is_suspect = False
        """Whether a sync failed, so that what is in the WAL may not be on disk, whatever a later sync says."""
        self._tried_at = 0.0
        self._failure = errno.EIO
        """The errno of the last attempt."""
        self._is_under_way = False
        """Whether a round is: what is asked of the disk for all who wait."""
        self._waiters: list[asyncio.Future[None]] = []
        self._opening: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way or left to be done."""
        return not self._is_under_way and not self.is_suspect

    async def reach_disk(self, *, at_once: bool = False) -> None:
        """Returns when all that is committed by now is on disk; all who wait at one time share a sync.

        With *at_once* a disk that failed just now is tried again. Raises what the disk or SQLite raises.
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
        """After a failed sync: returns when all that was written is on disk. Raises as ``reach_disk``.

        There are file systems that look for room no sooner than in a sync: then some of *reserve* is given up.
        """
        try:
            await self.reach_disk()
        except ENGINE_ERRORS as error:
            assert self._path is not None
            if reserve is None or not is_full(error, self._path) or not reserve.give_up(FREEING_BYTES):
                raise
            await self.reach_disk(at_once=True)

    # A round goes on whoever still waits for it. It is made of callbacks and no task, as each delivery asks for one.

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
            # not at once: who is ready to write does so before, and shares it
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
        """The first *upto* commits are on disk, or that has *raised*; those who wait are told."""
        if raised is None:
            self._synced = max(self._synced, upto)
        elif isinstance(raised, ENGINE_ERRORS):
            # What the disk failed to take the page cache may have dropped: a later sync would succeed and be a lie.
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
        """Opens the WAL, which must be there, and sees to it that its name is on disk. Raises OSError, Refused."""
        if self.file is None:
            self.keep_names()
            self.file = await self._threads.sync(self._open)
            self.names.learn()
        return self.file

    def keep_names(self) -> None:
        """What is synced must have a name, too, when it is told of. Raises Refused where it has none."""
        if self.names.are_lost:
            self._save()

    def note_all_synced(self) -> None:
        """All that is committed by now was brought to disk by SQLite."""
        self._synced = self.written

    async def _mend(self) -> None:
        """Writes the WAL again, and waits until that is on disk."""
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
        """Returns when no round is under way, however the last one ended."""
        while self._is_under_way:
            with contextlib.suppress(*ENGINE_ERRORS, Refused):
                await self._end_of_round()

    async def mend_before_the_end(self) -> None:
        """Waits for what is under way; a last attempt, where one is due. Raises as ``reach_disk``."""
        await self._over()
        if self.is_suspect:
            self._tried_at = 0.0
            await self._mend()

    def _write_again(self) -> int:
        assert self._path is not None
        files.sync(self._path.parent)
        connection = self._connect()
        try:
            # To close it last must not checkpoint: that would bring pages to the file before the WAL is on disk.
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            connection.execute("BEGIN IMMEDIATE")  # nobody appends meanwhile, or starts the WAL over
            return write_again(self._path, self._header())
        finally:
            connection.close()

    def _open(self) -> int:
        assert self._path is not None
        files.sync(self._path.parent)  # the WAL's name, too, must be there after a loss of power
        return os.open(f"{self._path}-wal", os.O_RDONLY)
