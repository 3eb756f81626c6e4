"""An open data directory: the directory of accounts, and the file of each account, opened on demand.

    mektup.db                     accounts and credentials
    accounts/<xx>/<id>.db         a whole account; <xx> are the first two digits of its ID

A user's name never becomes a path. Directories have mode 0700, files 0600.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TypeVar
from weakref import WeakValueDictionary

import apsw

from mektup.store import files, texts
from mektup.store.backlog import Backlog
from mektup.store.faults import Fault, FaultRefused, Faults, Kind, fault_of_os_error, in_words
from mektup.store.interface import AccountEntry, Bus, Tidied
from mektup.store.memo import Memory
from mektup.store.open_files import MOST_OPEN, MOST_THREAD_CONNECTIONS, OpenFiles
from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.gaps import Now
from mektup.store.searches import searches_of_all
from mektup.store.sorting.sort_keys import Remembered
from mektup.store.sqlite.access_lists import SqliteAccessLists
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.addresses import SqliteAddresses
from mektup.store.sqlite.file.change import Keeping, machine_clock
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.disk import Disk
from mektup.store.sqlite.file.place import place_of
from mektup.store.sqlite.file.reserve import Reserve, Room
from mektup.store.sqlite.file.wal_rewrite import lost_commits
from mektup.store.sqlite.metadata import SqliteServerMetadata
from mektup.store.sqlite.pasts import Pasts, SqlitePast
from mektup.store.sqlite.sql_functions import equip
from mektup.store.sqlite.tables import (
    mailboxes,
    messages,
    recovery,
    text_index,
)
from mektup.store.sqlite.tables.account_row import ACCOUNT_ROW
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.directory import SqliteDirectory, find_by_id
from mektup.store.sqlite.tables.known_modseqs import KnownModseqs
from mektup.store.sqlite.tables.schema import ACCOUNT, DIRECTORY
from mektup.store.sqlite.usages import usages
from mektup.store.threads import Threads
from mektup.store.watch import ChangeNotifier
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from mektup.terms.quota import NO_QUOTA, QuotaLimits
from mektup.terms.texts import ABOUT

A = TypeVar("A", bound=SqliteAccount)


async def open_store(
    data: Path | None,
    *,
    bus: Bus | None = None,
    limits: Limits = DEFAULT_LIMITS,
    quota: QuotaLimits = NO_QUOTA,
    compression: int | None = None,
    faults: Faults | None = None,
    reserve: Reserve | None = None,
    trim_memory: Callable[[], None] | None = None,
    clock: Callable[[], float] = machine_clock,
) -> SqliteStore:
    """Opens the data directory *data*, and creates it if needed; for None, opens a store in memory.

    *quota* has the default limits of an account. *bus* receives every change, for other processes; *faults* every
    fault of the machine. *compression* is zstandard's level for new messages, None for no compression. *reserve* is the
    space to use on a full disk. *trim_memory* is called in a thread after files were closed. *clock* tells the seconds
    since 1970 UTC. Call it in the event loop
    that will use the store. Raises Refused(UNAVAILABLE, CORRUPTION).
    """
    packing, default = Packing(compression), DefaultQuota(quota)
    store = SqliteStore(data, bus, limits, packing, faults, reserve or Reserve(None), trim_memory, default, clock)
    try:
        await store.open()
    except Refused:
        await store.close()
        raise
    return store


class SqliteStore:
    """An ``interface.Store``; made by :func:`open_store`."""

    def __init__(
        self,
        data: Path | None,
        bus: Bus | None,
        limits: Limits,
        packing: Packing,
        faults: Faults | None,
        reserve: Reserve,
        trim_memory: Callable[[], None] | None,
        quota: DefaultQuota,
        clock: Callable[[], float],
    ) -> None:
        self._data = data
        self._clock = clock
        self.default_quota = quota
        self._faults = faults
        self._reserve = reserve
        self._limits = limits
        self._packing = packing
        self.memory = Memory(limits.remembered_bytes)
        self._sort_keys = Remembered(self.memory, limits.thread_references)
        self._indexing = asyncio.Lock()
        self._searching = searches_of_all()
        self._notifier = ChangeNotifier(bus)
        self._threads = Threads()
        self._disk = Disk(self._threads)
        self._open_files = OpenFiles(MOST_OPEN, self._threads, trim_memory=trim_memory)
        self._open_far = OpenFiles(MOST_THREAD_CONNECTIONS, self._threads, trim_memory=trim_memory)
        self._accounts: WeakValueDictionary[AccountId, SqliteAccount] = WeakValueDictionary()
        self._opening: dict[AccountId, asyncio.Task[SqliteAccount]] = {}
        self._in_memory: dict[AccountId, SqliteAccount] = {}
        self._past_numbers = count()
        self._closed = False
        names = None if data is None else data / "mektup.db"
        self._names = Database(
            names,
            self._threads,
            self._disk,
            OpenFiles(1, self._threads, trim_memory=trim_memory),
            self._open_far,
            faulty=partial(self._happened, ""),
            reserve=reserve,
        )
        self._known_modseqs = KnownModseqs(self._names)
        self.server_metadata = SqliteServerMetadata(self._names, limits)
        self.addresses = SqliteAddresses(self._names, self.memory)
        accounts = None if data is None else data / "accounts"
        self._directory = SqliteDirectory(
            self._names, self._threads, self.memory, accounts, self._make_mail, self._remove_mail
        )

    @property
    def directory(self) -> SqliteDirectory:
        """See ``interface.Store``."""
        return self._directory

    async def open(self) -> None:
        """Creates missing files and upgrades old ones. Raises Refused, with the file and the reason."""
        if self._data is None:
            await self._names.create(DIRECTORY)
            return
        names = self._data / "mektup.db"
        self._known_modseqs.start()
        try:
            files.make_directory(self._data)
            files.make_directory(self._data / "accounts")
        except OSError as error:
            raise Refused(Code.UNAVAILABLE, files.reason(error, self._data)) from error
        try:
            if not names.exists():
                await self._names.create(DIRECTORY)
            await self._names.prepare(DIRECTORY)
        except Refused as error:
            if isinstance(error, FaultRefused) and error.fault.kind not in (Kind.OTHER, Kind.DENIED):
                raise Refused(error.code, in_words(error)) from error
            raise Refused(error.code, files.why_not(names) or ABOUT.of(place=names, problem=error.text)) from error

    async def account(self, entry: AccountEntry) -> SqliteAccount:
        """See ``interface.Store``."""
        account = entry.id
        known = self._accounts.get(account)
        if known is not None and not known.database.has_ended:
            return known
        self._check()
        opening = self._opening.get(account)
        if opening is None:
            opening = self._opening[account] = asyncio.create_task(self._open_mail(account))
            opening.add_done_callback(lambda _: self._opening.pop(account))
        return await asyncio.shield(opening)  # a cancelled caller must not stop it for the others

    async def _open_mail(self, account: AccountId) -> SqliteAccount:
        entry = await self._names.read(find_by_id, account)
        if entry is None or self._data is None:
            raise account_is_gone()
        before = self._accounts.pop(account, None)
        if before is not None:  # its file was replaced, so close its descriptors first
            await before.close(account_is_gone())
        opened = self._open(account, entry.name)
        try:
            await self._make_ready(account, opened.database, self._path(account))
        except Refused:
            await opened.close(account_is_gone())
            raise
        await opened.learn_keywords()
        await opened.access_lists.announce_all()
        self._accounts[account] = opened
        if await opened.database.read(text_index.is_due) or await opened.indexer.has_expunged():
            opened.indexer.wake()
        return opened

    async def _make_ready(self, account: AccountId, database: Database, path: Path) -> None:
        was_older = await database.prepare(ACCOUNT)
        if await database.read(recovery.is_same_life, recovery.boot()) and (lost := await _lost(path, database)):
            what = f"the WAL is damaged: {lost} changes at its end cannot be read and are lost"
            database.note_damage(what, lasts=True)
        try:
            now = Now(recovery.boot(), place_of(path), await self._known_modseqs.of(account))
        except OSError as error:
            raise self._refused("", error, path) from error
        if await database.read(recovery.is_due, now):
            await database.write(partial(recovery.recover, now=now), long=True, room=Room.FREES)
        database.vouch()
        if was_older:  # an older version may have lost keywords on a full disk
            await database.write(messages.mend_flags, long=True)

    async def usages(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, QuotaState]:
        """See ``interface.Store``."""
        self._check()
        if self._data is None:
            there = [self._in_memory[account] for account in accounts if account in self._in_memory]
            return {each.id: await each.quota.state() for each in there}
        return await usages(self._names, self._threads, self._path, accounts, self.default_quota)

    def _open(self, account: AccountId, name: str) -> SqliteAccount:
        path = None if self._data is None else self._path(account)
        database = Database(
            path,
            self._threads,
            self._disk,
            self._open_files,
            self._open_far,
            equip=partial(equip, limits=self._limits),
            changed=partial(self._notifier.changed, account),
            account=ACCOUNT_ROW,
            seen=partial(self._known_modseqs.note, account),
            faulty=partial(self._happened, name),
            reserve=self._reserve,
            keeping=Keeping(self._clock, self._has_room_to_retain),
        )
        opened = self._account_of(SqliteAccount, account, name, database)
        opened.pasts = Pasts(opened, partial(self._past_of, account, name), path, self._limits)
        return opened

    def _has_room_to_retain(self) -> bool:
        """Whether expunged messages are kept: on a full disk, they make room at once."""
        return self._limits.expunged_seconds > 0 and self._reserve.is_whole

    def _past_of(self, account: AccountId, name: str, connection: apsw.Connection) -> SqlitePast:
        """An account of the past over *connection*, see ``pasts``."""
        database = Database(
            None,
            self._threads,
            self._disk,
            self._open_files,
            self._open_far,
            equip=partial(equip, limits=self._limits),
            account=ACCOUNT_ROW,
            faulty=partial(self._happened, name),
            keeping=Keeping(self._clock),
        )
        database.use(connection)
        # with another ID, because nothing that is remembered of the present is true here
        return self._account_of(SqlitePast, AccountId(f"{account}-{next(self._past_numbers)}"), name, database)

    def _account_of(self, kind: type[A], account: AccountId, name: str, database: Database) -> A:
        return kind(
            account,
            name,
            database,
            self._notifier,
            self._limits,
            self._packing,
            self._sort_keys,
            self.memory,
            self._indexing,
            self._searching,
            SqliteAccessLists(account, database, self._names, self.memory, self._limits),
            self.default_quota,
        )

    def _path(self, account: AccountId) -> Path:
        assert self._data is not None
        return self._data / "accounts" / account[:2] / f"{account}.db"

    async def _make_mail(self, account: AccountId, name: str) -> None:
        self._check()
        opened = self._open(account, name)
        if self._data is not None:
            try:
                files.make_directory(self._path(account).parent)
            except OSError as error:
                raise self._refused(name, error, self._path(account)) from error
        await opened.database.create(ACCOUNT)
        place = "" if self._data is None else place_of(self._path(account))
        await opened.database.write(partial(mailboxes.populate, name=name, boot=recovery.boot(), place=place))
        opened.database.vouch()
        self._accounts[account] = opened
        if self._data is None:
            self._in_memory[account] = opened

    async def _remove_mail(self, account: AccountId) -> None:
        opened = self._accounts.get(account)
        if opened is None and self._data is not None and self._path(account).exists():
            opened = self._open(account, "")
        if opened is not None:
            try:
                await opened.database.write(mailboxes.wipe, room=Room.FREES)
            except FaultRefused:
                pass  # recorded; a file that is damaged or not writable is removed, too
            await opened.close(account_is_gone())
        self._accounts.pop(account, None)
        self._in_memory.pop(account, None)
        if self._data is not None:
            try:
                await self._threads.sync(partial(_remove_files, self._path(account)))
            except OSError as error:
                raise self._refused("", error, self._path(account)) from error

    async def tidy(self) -> Tidied:
        """See ``interface.Store``."""
        finished = await self._directory.finish()
        if self._data is None:
            return Tidied(0, ())
        there = await self._threads.sync(partial(_account_files, self._data / "accounts"))
        known = await self._directory.known()  # read after the files, so that new accounts are known
        return Tidied(len(finished), tuple(str(path) for path in there if path.stem not in known))

    def backlog(self) -> Backlog:
        """See ``interface.Store``."""
        waiting = [seconds for each in self._accounts.values() if (seconds := each.indexer.waits()) is not None]
        wals = [*self._open_files.wal_bytes(), self._names.wal_bytes]
        expunged = sum(each.indexer.retained_bytes for each in self._accounts.values())
        return Backlog(len(waiting), max(waiting, default=0.0), sum(wals), max(wals), expunged)

    # Notification

    def _refused(self, account: str, error: OSError, file: Path) -> Refused:
        """Reports the system's *error* about *file*; returns the refusal for it."""
        fault = fault_of_os_error(error, file)
        self._happened(account, fault)
        return fault.refusal()

    def _happened(self, account: str, fault: Fault) -> None:
        if self._faults is not None:
            self._faults.happened(replace(fault, account=account))

    def changed_elsewhere(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """See ``interface.Store``."""
        self._notifier.changed_elsewhere(account, mailbox, modseq)

    def missed_notices(self) -> None:
        """See ``interface.Store``."""
        self._notifier.missed_notices()

    # Closing

    def _check(self) -> None:
        if self._closed:
            raise _closed()

    async def close(self) -> None:
        """See ``interface.Store``."""
        if self._closed:
            return
        self._closed = True
        opening = list(self._opening.values())
        if opening:
            await asyncio.wait(opening)
        for opened in list(self._accounts.values()):
            await opened.close(_closed())
        await self._known_modseqs.close()
        await self._names.close(_closed())
        await self._open_files.settle()
        await self._open_far.settle()
        await self._threads.close()


async def _lost(path: Path, database: Database) -> int:
    """The number of lost commits in the WAL of *database*.

    They look like a commit of another process that is not complete yet: its frames are written first, then it may be
    synced, then the WAL-index names it. So they are counted again while no other process can commit.
    """
    lost = _lost_commits(path, database)
    if lost:
        with contextlib.suppress(Refused):  # where nothing can be written, nobody commits
            return await database.write(lambda _: _lost_commits(path, database), durable=False, room=Room.FREES)
    return lost


def _lost_commits(path: Path, database: Database) -> int:
    try:
        return lost_commits(path, database.header)
    except OSError:
        return 0  # there is no WAL


def _remove_files(path: Path) -> None:
    """Removes an account's file and the files that belong to it."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink(missing_ok=True)
    if path.parent.is_dir():
        files.sync(path.parent)


def _account_files(accounts: Path) -> list[Path]:
    return sorted(accounts.glob("[0-9a-f][0-9a-f]/*.db"))


def _closed() -> Refused:
    return Refused(Code.UNAVAILABLE, texts.STOPPING)
