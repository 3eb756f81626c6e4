"""One SQLite file, read and written without blocking the event loop.

* **Short work runs in the loop**, on its own connection (*near*), because a query of microseconds takes less time than
  waking a thread. Each long read runs in a thread, on its own connection (*far*; one is kept, see
  ``thread_connection``). With SQLite's WAL, each of them reads one consistent moment, whatever is written meanwhile.
* **A small change commits in the loop, too**, because its commit does not wait for the disk: the connections are
  ``synchronous=NORMAL``, so a commit is a few writes into the page cache, which survives a crash of the process. A
  large change runs in a thread. One lock per file orders the changes of the process. SQLite's own lock, held during
  a commit, excludes other processes.
* **A durable change then waits for one fdatasync of the WAL**, which all waiting changes share: eight deliveries at
  once cost two syncs, not eight. The wait is in a thread, or in the loop where the disk is quick (see ``disk``). The
  promise is that of ``synchronous=FULL``: nothing is acknowledged, and no watch fires, before the frames are on disk.
  (Other readers may see it earlier, see recovery.py.)
* **The first change after the file was closed properly is on disk before anybody sees it** (``tables.account_row``).
* **Checkpoints run in a thread**, too, when the WAL has grown.
* **In memory** there is one connection, which the loop and the threads share (see ``one_connection``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Concatenate, ParamSpec, TypeVar

import apsw

from mektup.store import texts
from mektup.store.faults import Fault, FaultRefused, Kind
from mektup.store.in_flight import InFlight
from mektup.store.open_files import OpenFiles
from mektup.store.rules.refusals import uncertain
from mektup.store.sqlite.file import settings
from mektup.store.sqlite.file.change import NO_KEEPING, AccountRow, Change, Keeping
from mektup.store.sqlite.file.checkpoints import Checkpoints
from mektup.store.sqlite.file.closing import Closing
from mektup.store.sqlite.file.cursor import Cursor, ask_of
from mektup.store.sqlite.file.disk import Disk, size_of
from mektup.store.sqlite.file.errors import ENGINE_ERRORS, fault_of, is_full, refusal
from mektup.store.sqlite.file.held_moment import HeldMoment
from mektup.store.sqlite.file.one_connection import InUse, OneConnection, copy_of
from mektup.store.sqlite.file.rescue import save
from mektup.store.sqlite.file.reserve import FREEING_BYTES, OPENING_BYTES, Reserve, Room
from mektup.store.sqlite.file.schema import Schema, bring_up_to_date, create, create_file, is_outdated
from mektup.store.sqlite.file.settings import (
    FAR_BUSY_MS,
    FAR_CACHE_KIB,
    NEAR_BUSY_MS,
    NEAR_CACHE_KIB,
)
from mektup.store.sqlite.file.thread_connection import ThreadConnections
from mektup.store.sqlite.file.wal_index import NamesState, WalIndex
from mektup.store.sqlite.file.wal_sync import WalSync
from mektup.store.threads import Threads
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MailboxId, ModSeq

T = TypeVar("T")
P = ParamSpec("P")

SQLITE_VERSION = apsw.sqlite_lib_version()
"""The version of the library."""


class _MustBeSynced(Exception):
    """The change is the first after the file was closed properly."""


class Database:
    """A file, or a database in memory without a path. All methods are for the event loop's thread."""

    def __init__(
        self,
        path: Path | None,
        threads: Threads,
        disk: Disk,
        open_files: OpenFiles,
        open_far: OpenFiles,
        *,
        equip: Callable[[apsw.Connection], None] = lambda connection: None,
        changed: Callable[[MailboxId, ModSeq | None], None] = lambda mailbox, modseq: None,
        account: AccountRow | None = None,
        seen: Callable[[ModSeq], None] = lambda modseq: None,
        faulty: Callable[[Fault], None] = lambda fault: None,
        reserve: Reserve | None = None,
        keeping: Keeping = NO_KEEPING,
    ) -> None:
        """*equip* adds functions to each new connection.

        *changed* receives each mailbox that a commit touched, with the commit's modseq; *faulty* receives each fault of
        the machine. Both are called in the event loop's thread. *reserve* is the space to use on a full disk.
        *account* and *seen* are for an account's file, see ``Change`` and ``Closing``.
        """
        self._path = path
        self._threads = threads
        self._disk = disk
        self._open_files = open_files
        self._equip = equip
        self._changed = changed
        self._faulty = faulty
        self.reserve = reserve or Reserve(None)
        self.keeping = keeping
        self._near: Cursor | None = None
        self._lent: Cursor | None = None  # of a database in memory, while a thread has it
        self._openings = self._errno = 0  # the errno is of the last error in a thread
        self._far = ThreadConnections(threads, open_far) if path else OneConnection(lambda: self._cursor, self._pass_on)
        self._wal_index: WalIndex | None = None
        self.names = NamesState(self)
        """For answers about the names of mailboxes, which outlive commits of messages."""
        self._left_open: list[WalIndex] = []
        self._lock = asyncio.Lock()
        self.in_flight = InFlight()
        self._upkeep: asyncio.Task[None] | None = None
        self._ended: Refused | None = None
        self._account = account
        self._closing = Closing(path, account, seen)
        self._sync = WalSync(
            path, threads, disk, partial(self._connect, FAR_BUSY_MS, NEAR_CACHE_KIB), self._save, self.header
        )
        self.checkpoints = Checkpoints(path, self._lock, self._sync, self.reserve, threads, self._checkpoint)
        self._reopening: asyncio.Task[None] | None = None
        self.used = 0.0
        """The time of the last read or write, by the monotonic clock."""
        self.rests = True
        self.owner: Callable[[], object] = lambda: None
        """A weak reference to the object that is kept alive while the file is open, so that it exists only once."""
        self._kept_alive: object = None

    # Creating

    def use(self, connection: apsw.Connection) -> None:
        """Uses *connection* in memory, in place of an empty database. Raises apsw's errors."""
        self._set_up(connection, FAR_BUSY_MS, FAR_CACHE_KIB)
        self._near = connection.cursor()

    async def create(self, schema: Schema) -> None:
        """Creates the file, private to its owner, or the tables in memory; keeps an existing file."""
        if self._path is None:
            create(self._cursor.connection, schema)
            return
        try:
            await self._threads.sync(partial(create_file, self._path, schema))
        except ENGINE_ERRORS as error:
            raise self.refused(error) from error

    async def prepare(self, schema: Schema) -> bool:
        """Upgrades a file of an older version before its first use; returns whether it was older.

        Raises Refused(UNAVAILABLE where the file is missing or unusable; CORRUPTION).
        """
        if self._path is None or not await self.read(lambda cursor: is_outdated(cursor.connection, schema)):
            return False
        path = self._path
        await self.read_long(lambda cursor: bring_up_to_date(cursor.connection, path, schema))
        return True

    def vouch(self) -> None:
        """Says that the file was checked for losses; from now on, closing it writes the mark."""
        self._closing.is_vouched_for = True

    # Connections

    def _connect(self, busy_ms: int, cache_kib: int) -> apsw.Connection:
        """A new connection; from any thread. Raises apsw's errors.

        On a full disk, uses the reserve for the WAL and the WAL-index that SQLite needs, so that mail can be read.
        """
        self._sync.names.require()
        while True:
            connection = apsw.Connection(str(self._path or ":memory:"), flags=apsw.SQLITE_OPEN_READWRITE)
            try:
                self._set_up(connection, busy_ms, cache_kib)
            except ENGINE_ERRORS as error:
                self._errno = connection.system_errno
                settings.close_without_checkpoint(connection)
                assert self._path is not None
                if not is_full(error, self._path, self._errno) or not self.reserve.give_up(OPENING_BYTES):
                    raise
            else:
                self._sync.names.opened(connection)
                return connection

    def _set_up(self, connection: apsw.Connection, busy_ms: int, cache_kib: int) -> None:
        settings.apply(connection, busy_ms, cache_kib)
        if self._path is not None:
            connection.set_wal_hook(self.checkpoints.note)
        self._equip(connection)

    @property
    def _cursor(self) -> Cursor:
        """The cursor of the near connection, which is opened if needed."""
        self.used = monotonic()
        if self._near is None:
            if self._lent is not None:
                raise InUse
            if self._ended is not None:
                raise self._ended
            self._near = self._open_near()
            self._kept_alive = self.owner()
            self._openings += 1
        if self.rests and self._path is not None:
            self._open_files.in_use(self)
        return self._near

    def _open_near(self) -> Cursor:
        connection = self._connect(NEAR_BUSY_MS, NEAR_CACHE_KIB)
        with contextlib.ExitStack() as failing:
            failing.callback(settings.close_without_checkpoint, connection)
            cursor: Cursor = connection.cursor()
            cursor.execute("PRAGMA user_version").fetchall()  # creates the WAL
            self._sync.names.learn()
            if self._closing.is_another(cursor):
                self._ended = Refused(Code.UNAVAILABLE, texts.ACCOUNT_REPLACED)
                raise self._ended
            failing.pop_all()
        return cursor

    def _pass_on(self) -> None:
        self._near, self._lent = self._lent, self._near

    async def _take_far(self, *, at_once: bool) -> apsw.Connection:
        self._kept_alive = self.owner()
        return await self._far.take(partial(self._connect, FAR_BUSY_MS, FAR_CACHE_KIB), at_once=at_once)

    def state(self) -> bytes | None:
        """Octets that differ after every commit by any process; None where they are not known.

        They are known from the first read after opening. Costs a tenth of the smallest query.
        """
        if self._near is None:
            return None
        if self._path is None:
            return self._sync.written.to_bytes(8)
        index = self._wal_index
        try:
            # usually without a further call, because every NOOP asks for the state
            header = self.header() if index is None else index.header()
        except FileNotFoundError:
            return None
        # the index of an empty WAL is the same at each opening, whatever was committed in between
        return header + self._openings.to_bytes(8)

    def header(self) -> bytes:
        """The header of the WAL-index, which stays open as long as a connection. Raises FileNotFoundError."""
        if self._wal_index is None:
            assert self._path is not None
            self._wal_index = WalIndex(self._path)
        return self._wal_index.header()

    # Reading

    async def read(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of *ask*, which runs in the loop: for queries of microseconds."""
        try:
            return ask(self._cursor, *args, **kwargs)
        except apsw.BusyError:
            return await self.read_long(ask, *args, **kwargs)
        except ENGINE_ERRORS as error:
            raise self.refused(error) from error

    def read_now(self, ask: Callable[[Cursor], T]) -> T:
        """The result of *ask*, for callers that cannot await; for queries of microseconds."""
        try:
            return ask(self._cursor)
        except ENGINE_ERRORS as error:
            raise self.refused(error) from error

    async def read_long(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of *ask*, which runs in a thread. Ends early when cancelled."""
        return await self._read_far(lambda cursor: ask(cursor, *args, **kwargs), at_once=False)

    async def _read_far(self, ask: Callable[[Cursor], T], *, at_once: bool) -> T:
        self._check()
        with self.in_flight:
            try:
                connection = await self._take_far(at_once=at_once)
                try:
                    work = partial(ask_of, connection, ask)
                    return await self._threads.read(work, connection.interrupt)
                finally:
                    self._far.give_back(connection)
            except ENGINE_ERRORS as error:
                raise self.refused(error) from error

    @contextlib.asynccontextmanager
    async def hold(self) -> AsyncIterator[HeldMoment]:
        """A connection that reads one moment, see ``HeldMoment``; of a database in memory, a copy.

        Until its end, the file is not closed. Raises Refused.
        """
        self._check()
        with self.in_flight:
            self._kept_alive = self.owner()
            try:
                if self.in_memory:
                    connection = await self._read_far(lambda cursor: copy_of(cursor.connection), at_once=False)
                    self._equip(connection)
                else:
                    connection = await self._threads.sync(partial(self._connect, FAR_BUSY_MS, FAR_CACHE_KIB))
            except ENGINE_ERRORS as error:
                raise self.refused(error) from error
            held = HeldMoment(connection, self._threads, self.refused)
            try:
                await held.begin()
                yield held
            finally:
                await held.close()

    async def _checkpoint(self, mode: int) -> None:
        # writers may wait for it, so it does not wait for others' long reads
        await self._read_far(partial(settings.checkpoint, mode=mode), at_once=True)

    def refused(self, error: Exception) -> Refused:
        """The refusal for *error*; reports a fault of the machine."""
        number, self._errno = self._errno, 0
        fault = fault_of(error, Path(":memory:") if self._path is None else self._path, number)
        if fault is None:
            return refusal(error)
        self._faulty(fault)
        return fault.refusal()

    def note_damage(self, what: str, *, lasts: bool) -> None:
        """Reports damage; it *lasts* where it could not be repaired."""
        self._faulty(Fault(Kind.DAMAGED, str(self._path), what, lasts=lasts))

    # Writing

    async def write(
        self,
        make: Callable[[Change], T],
        *,
        durable: bool = True,
        long: bool = False,
        room: Room = Room.USUAL,
        undo: Callable[[Change, T], None] | None = None,
    ) -> T:
        """Runs *make* in a transaction; returns when it is committed, with *durable* when it is on disk.

        With *long*, *make* runs in a thread. The watches of touched mailboxes fire before this returns, also when it is
        cancelled after the commit. Raises the errors of *make*; then nothing has changed. Where the disk fails after
        the commit, *undo* reverts the change; if that fails, too, the refusal says that the result is not known.
        """
        self._check()
        committed: list[Change] = []
        with self.in_flight:
            try:
                if self._sync.is_suspect:
                    await self._sync.mend(self.reserve if room is Room.FREES else None)
                if room is Room.GROWS and not self.reserve.is_whole:
                    await self._threads.sync(self.reserve.need)
                async with self._lock:
                    try:
                        result = await self._transact(make, committed, long=long, durable=durable)
                    except ENGINE_ERRORS as error:
                        if room is not Room.FREES:
                            raise
                        result = await self._transact_with_reserve(error, make, committed)
                if durable and self._path is not None:
                    await self._sync.reach_disk()
            except ENGINE_ERRORS as error:
                refused = self.refused(error)
                # a commit may sync, too, and that may have failed (see ``wal_sync``)
                self._sync.is_suspect |= isinstance(refused, FaultRefused) and refused.fault.kind is Kind.FAILED
                if committed and not (
                    undo and await self._took_back(lambda change: undo(change, result), committed, long)
                ):
                    refused = uncertain(refused)
                raise refused from error
            finally:
                for change in committed:
                    for mailbox in change.touched:
                        self._changed(mailbox, change.committed_as)
        for change in committed:
            if change.afterwards is not None and self._upkeep is None:
                self._upkeep = asyncio.create_task(self._keep_up(change.afterwards))
        if self.checkpoints.pages >= self.checkpoints.due_at:
            await self.checkpoints.have_wal_moved(has_ended=self._ended is not None)
        return result

    async def _took_back(self, undo: Callable[[Change], None], committed: list[Change], long: bool) -> bool:
        with contextlib.suppress(*ENGINE_ERRORS, Refused):
            async with self._lock:
                await self._transact(undo, committed, long=long)
            return True
        return False

    async def _transact_with_reserve(self, error: Exception, make: Callable[[Change], T], committed: list[Change]) -> T:
        """Retries *make* after *error*, with more and more of the reserve while the disk is full."""
        octets = FREEING_BYTES
        while True:
            is_for_reserve = self._path is not None and is_full(error, self._path, self._errno)
            if not is_for_reserve or not await self._threads.sync(partial(self.reserve.give_up, octets)):
                raise error
            octets *= 2
            try:
                result = await self._transact(make, committed, long=True)
                break
            except ENGINE_ERRORS as another:
                error = another
        self.checkpoints.begin_giving_room_back()
        return result

    async def _keep_up(self, make: Callable[[Change], None]) -> None:
        try:
            await self.write(make, durable=False, long=True)
        except Refused:
            pass  # the next change requests it again
        finally:
            self._upkeep = None

    async def _transact(
        self, make: Callable[[Change], T], committed: list[Change], *, long: bool, durable: bool = False
    ) -> T:
        if not durable or not self._closing.is_well_closed:
            try:
                return await self._here_or_there(partial(self._commit, make=make, committed=committed), in_thread=long)
            except _MustBeSynced:
                pass
        await self.read(lambda cursor: cursor.execute("PRAGMA user_version").get)  # creates the WAL
        await self._sync.open()
        synced = partial(self._commit_synced, make=make, committed=committed)
        return await self._here_or_there(synced, in_thread=long or not self._disk.is_quick)

    def _save(self) -> None:
        """Saves what it can after a file lost its name (``rescue``), and reopens the files. Raises Refused."""
        refused, ends = save(self._sync.names, self._near, self._closing, self._faulty)
        self._ended = refused if ends else self._ended
        self._reopening = self._reopening or asyncio.create_task(self._reopen())
        if refused is not None:
            raise refused

    async def _reopen(self) -> None:
        await self.in_flight.over()
        remove_strays = self._sync.names.remover()
        await self._shut(in_thread=False)  # in the loop, so that nobody opens the file in between
        remove_strays()
        self._reopening = None

    def look(self) -> None:
        """Checks whether the open files still have their names; called now and then, for accounts that only read."""
        if self._reopening is None and self._sync.names.are_lost:
            with contextlib.suppress(Refused):  # the fault is recorded
                self._save()

    async def _here_or_there(self, work: Callable[[Cursor], T], *, in_thread: bool) -> T:
        if not in_thread:
            try:
                return work(self._cursor)
            except apsw.BusyError:  # another process writes, and the loop must not wait for it
                pass
        connection = await self._take_far(at_once=True)
        try:
            return await self._threads.sync(partial(ask_of, connection, work))
        finally:
            self._far.give_back(connection)

    def _commit_synced(self, cursor: Cursor, make: Callable[[Change], T], committed: list[Change]) -> T:
        """Like ``_commit``, but nobody sees the change before it and all earlier ones are on disk."""
        cursor.connection.pragma("synchronous", "full")
        try:
            with self._disk.timed():
                result = self._commit(cursor, make, committed, is_synced=True)
        except apsw.IOError:
            self._sync.is_suspect = True  # as after any failed sync
            raise
        finally:
            # where it fails, the connection goes on to sync each commit; or it is closed, as its rollback failed, too
            with contextlib.suppress(apsw.Error):
                cursor.connection.pragma("synchronous", "normal")
        self._sync.note_all_synced()
        return result

    def _commit(
        self, cursor: Cursor, make: Callable[[Change], T], committed: list[Change], *, is_synced: bool = False
    ) -> T:
        change = Change(cursor, self._account, self.keeping)
        is_committed = False
        try:
            result = make(change)
            if change.is_first and not is_synced and not self.in_memory:
                raise _MustBeSynced
            cursor.execute("COMMIT")
            is_committed = True
        finally:
            if not is_committed:
                self._errno = cursor.connection.system_errno
                self._roll_back(cursor.connection, change)
        self._sync.written += 1
        self._closing.note_written(change, is_synced=is_synced)
        if change.keeps_names and cursor is self._near:
            self.names.note_kept()
        committed.append(change)
        return result

    def _roll_back(self, connection: apsw.Connection, change: Change) -> None:
        """Rolls back *change*, in the file and in the process's memory."""
        try:
            # SQLite itself has rolled back where the disk was full or failed, or memory was short
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        except apsw.Error:
            # closing the connection ends the transaction; ``ThreadConnections.give_back`` does that for a far one
            if self._near is not None and self._near.connection is connection:
                self._near = None
                settings.close_without_checkpoint(connection)
        finally:
            for undo in reversed(change.on_rollback):
                undo()

    # Closing

    def _check(self) -> None:
        if self._ended is not None:
            raise self._ended

    @property
    def has_ended(self) -> bool:
        """Whether the database is closed for good."""
        return self._ended is not None

    @property
    def in_memory(self) -> bool:
        """Whether the database has no file."""
        return self._path is None

    @property
    def idle(self) -> bool:
        """Whether no work is running, so that its connections may be closed."""
        is_used = self.in_flight or self._lock.locked()
        return not is_used and self.checkpoints.task is None and self._sync.idle

    @property
    def was_synced(self) -> bool:
        """Whether a change was synced to disk since the file was opened."""
        return self._sync.file is not None

    @property
    def wal_bytes(self) -> int:
        """The size of the write-ahead log; 0 if there is none."""
        return size_of(f"{self._path}-wal")

    def shrink(self) -> None:
        """Frees the cache of the near connection."""
        if self._near is not None:
            self._near.connection.release_memory()

    async def release(self) -> bool:
        """Closes the connections until the next use, unless work is running; returns whether it did. Not for memory."""
        if not self.idle:
            return False
        await self._shut()
        return True

    async def _shut(self, *, in_thread: bool = True) -> None:
        connections = [] if self._near is None else [self._near.connection]
        connections += self._far.part_with()
        # closing the last one would checkpoint data that may not be on disk, or remove another file's WAL
        is_well = not self._sync.is_suspect and not self._sync.names.are_overlaid
        for connection in connections if not is_well else ():
            settings.keep_wal(connection)
        wal, self._sync.file = self._sync.file, None
        if self._wal_index is not None:
            self._left_open.append(self._wal_index)
            self._wal_index = None
        self._near = self._kept_alive = None
        self._sync.names.forget()
        self.rests = True
        self._open_files.closed(self)
        if wal is not None:
            os.close(wal)
        if connections:
            close = partial(self._closing.close, connections, well=is_well)
            await self._threads.sync(close) if in_thread else close()
        # if the file was opened again meanwhile, closing these descriptors would release SQLite's locks
        if self._near is None and not self._far.idle and not self.in_flight:
            while self._left_open:
                self._left_open.pop().close()

    async def close(self, why: Refused) -> None:
        """Waits for running work, then closes for good: later calls raise *why*. May be called twice."""
        if self._ended is None:
            self._ended = why
        await self.in_flight.over()
        tasks = [task for task in (self.checkpoints.task, self._upkeep, self._reopening) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        with contextlib.suppress(*ENGINE_ERRORS):
            await self._sync.mend_before_the_end()
        async with self._lock:
            await self._shut()
