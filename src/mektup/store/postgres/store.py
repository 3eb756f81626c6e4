"""An open store on PostgreSQL: the directory, the shards, and the accounts that are open on this node.

A shard that cannot be reached harms only its own accounts: it is connected and prepared on its own, at the start and
whenever an account of it is opened.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from weakref import WeakValueDictionary

from mektup.store import texts
from mektup.store.backlog import Backlog
from mektup.store.faults import Fault, Faults
from mektup.store.interface import AccountEntry, Bus, Tidied
from mektup.store.memo import Memory
from mektup.store.objects import DEFAULT_LEVEL, ObjectRules, Objects, open_objects
from mektup.store.postgres import account_rows, parts
from mektup.store.postgres.access_lists import PostgresAccessLists
from mektup.store.postgres.account import PostgresAccount
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.addresses import PostgresAddresses
from mektup.store.postgres.directory import PostgresDirectory
from mektup.store.postgres.large_messages import INLINE_BYTES, LargeMessages
from mektup.store.postgres.message_calls import KEPT_OBJECT_SECONDS, Packing
from mektup.store.postgres.metadata import PostgresServerMetadata
from mektup.store.postgres.object_upkeep import ObjectUpkeep
from mektup.store.postgres.quota import state_of
from mektup.store.postgres.searching import SharedSearching
from mektup.store.postgres.shard import CONNECTIONS, PATIENCE, Row, Shard
from mektup.store.postgres.sweep import Sweep
from mektup.store.postgres.tables import accounts as account_tables
from mektup.store.postgres.tables import quota as quota_tables
from mektup.store.postgres.values import account_id, storable_ids
from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules.account_names import account_is_gone
from mektup.store.searches import searches_of_all
from mektup.store.sorting.sort_keys import Remembered
from mektup.store.watch import ChangeNotifier
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from mektup.terms.quota import NO_QUOTA, QuotaLimits

START_SECONDS = 3.0
"""How long a start waits for shards that cannot be reached."""


async def open_store(
    directory: str,
    shards: Mapping[str, str],
    *,
    bus: Bus | None = None,
    limits: Limits = DEFAULT_LIMITS,
    quota: QuotaLimits = NO_QUOTA,
    compression: int | None = None,
    objects: str | None = None,
    inline_bytes: int = INLINE_BYTES,
    keep_deleted: float = KEPT_OBJECT_SECONDS,
    faults: Faults | None = None,
    clock: Callable[[], float] = time.time,
    connections: int = CONNECTIONS,
    patience: float = PATIENCE,
) -> PostgresStore:
    """Opens the store whose directory and *shards*, by name, are databases that PostgreSQL can connect to.

    *quota* has the default limits of an account. *bus* receives every change, for other processes; *faults* every
    fault. *compression* is zstandard's level for new messages, None for no compression. Messages of more than
    *inline_bytes* go to the object store *objects*, if there is one; an object that no message has any more stays for
    *keep_deleted* seconds. *clock* tells the seconds since 1970 UTC.
    *connections* is the most of them to each database; *patience* how many seconds a command waits for a database that
    cannot be reached. Call it in the event loop that will use the store. Raises Refused(UNAVAILABLE) where the
    directory cannot be used, and Refused(CANNOT) where *objects* is no object store.
    """
    store = PostgresStore(
        directory,
        shards,
        ChangeNotifier(bus),
        limits,
        DefaultQuota(quota),
        Packing(compression),
        LargeMessages(_opened_objects(objects, compression, faults), inline_bytes, keep_deleted),
        faults,
        clock,
        connections=connections,
        patience=patience,
    )
    try:
        await store.open()
    except Refused:
        await store.close()
        raise
    return store


class PostgresStore:
    """An ``interface.Store``; made by :func:`open_store`."""

    def __init__(
        self,
        directory: str,
        shards: Mapping[str, str],
        notifier: ChangeNotifier,
        limits: Limits,
        quota: DefaultQuota,
        packing: Packing,
        large: LargeMessages,
        faults: Faults | None,
        clock: Callable[[], float],
        *,
        connections: int,
        patience: float,
    ) -> None:
        self._faults = faults
        self._packing = packing
        self._large = large
        self._limits = limits
        self._notifier = notifier
        self._clock = clock
        self.default_quota = quota
        self.memory = Memory(limits.remembered_bytes)
        sort_keys = Remembered(self.memory, limits.thread_references)
        self._searching = SharedSearching(searches_of_all(), sort_keys, self.memory, has_index=False)
        self._indexing = asyncio.Lock()

        def database(name: str, dsn: str) -> Shard:
            return Shard(name, dsn, most=connections, patience=patience, faulty=self._happened)

        self._names = database("directory", directory)
        self._shards = {name: database(name, dsn) for name, dsn in shards.items()}
        self._upkeep = None if large.objects is None else ObjectUpkeep(large.objects, self._shards, clock, large.kept)
        self._preparing: dict[str, asyncio.Task[None]] = {}
        self._accounts: WeakValueDictionary[AccountId, PostgresAccount] = WeakValueDictionary()
        self._opening: dict[AccountId, asyncio.Task[PostgresAccount]] = {}
        self._closed = False
        self._sweep = Sweep(notifier.hub, self._shard_of)
        self.server_metadata = PostgresServerMetadata(self._names, limits)
        self.addresses = PostgresAddresses(self._names, self.memory)
        self._directory = PostgresDirectory(self._names, shards.keys(), self._make_mail, self._remove_mail)

    @property
    def directory(self) -> PostgresDirectory:
        """See ``interface.Store``."""
        return self._directory

    async def open(self) -> None:
        """Prepares the directory and, as far as they can be reached now, the shards. Raises Refused(UNAVAILABLE)."""
        await self._names.open(parts.DIRECTORY)
        preparing = [self._prepare(name) for name in self._shards]
        if preparing:
            await asyncio.wait(preparing, timeout=START_SECONDS)
        self._sweep.start()
        if self._upkeep is not None:
            self._upkeep.start()

    async def account(self, entry: AccountEntry) -> PostgresAccount:
        """See ``interface.Store``."""
        self._check()
        known = self._accounts.get(entry.id)
        if known is not None and not known.has_ended:
            return known
        opening = self._opening.get(entry.id)
        if opening is None:
            opening = self._opening[entry.id] = asyncio.create_task(self._open(entry))
            opening.add_done_callback(lambda _: self._opening.pop(entry.id))
        return await asyncio.shield(opening)  # a cancelled caller must not stop it for the others

    async def usages(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, QuotaState]:
        """See ``interface.Store``."""
        self._check()
        by_shard: dict[str, list[AccountId]] = {}
        for account, shard in (await self._directory.shards_of(accounts)).items():
            by_shard.setdefault(shard, []).append(account)
        found: dict[AccountId, QuotaState] = {}
        for rows in await asyncio.gather(*(self._usages(shard, some) for shard, some in by_shard.items())):
            found |= {account_id(account): state_of(row, self.default_quota) for account, *row in rows}
        return found

    def backlog(self) -> Backlog:
        """See ``interface.Store``."""
        waiting = [seconds for each in self._accounts.values() if (seconds := each.indexer.waits()) is not None]
        return Backlog(len(waiting), max(waiting, default=0.0))

    def changed_elsewhere(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """See ``interface.Store``."""
        self._notifier.changed_elsewhere(account, mailbox, modseq)

    def missed_notices(self) -> None:
        """See ``interface.Store``."""
        self._notifier.missed_notices()
        self._sweep.soon()

    async def tidy(self) -> Tidied:
        """See ``interface.Store``. It does not seek for mail that the directory does not know."""
        return Tidied(len(await self._directory.finish()), ())

    async def close(self) -> None:
        """See ``interface.Store``."""
        self._closed = True
        await self._sweep.close()
        for account in list(self._accounts.values()):
            account.end(_closed())
            await account.close()
        for task in (*self._preparing.values(), *self._opening.values()):
            task.cancel()
            await asyncio.wait((task,))
        await self._directory.close()
        if self._upkeep is not None:
            await self._upkeep.close()
        await self._large.close()
        for database in (self._names, *self._shards.values()):
            await database.close()

    # Accounts

    async def _open(self, entry: AccountEntry) -> PostgresAccount:
        for shard in (entry.shard, await self._shard_in_directory(entry.id)):
            if shard:
                opened = await self._open_on(shard, entry.id)
                if opened is not None:
                    self._accounts[entry.id] = opened
                    return opened
        raise account_is_gone()

    async def _shard_in_directory(self, account: AccountId) -> str:
        """The shard that has *account* now; empty where it is gone."""
        return (await self._directory.shards_of((account,))).get(account, "")

    async def _open_on(self, shard: str, account: AccountId) -> PostgresAccount | None:
        """The account; None where it is not on that shard (any more)."""
        if not storable_ids((account,)):
            return None
        rows = await (await self._shard(shard)).ask(account_tables.OPEN, (account,))
        if not rows:
            return None
        ((name, readers),) = rows
        database = AccountDatabase(
            account,
            self._shards[shard],
            self._notifier,
            self._clock,
            keeps_expunged=self._limits.expunged_seconds > 0,
            large=self._large,
        )
        lists = PostgresAccessLists(database, self._names, self._limits)
        with suppress(Refused):  # the fault was reported; mail can be read nevertheless
            await lists.announce(readers or ())
        return PostgresAccount(
            name,
            database,
            lists,
            self.default_quota,
            self._limits,
            self.memory,
            self._packing,
            self._searching,
            self._indexing,
        )

    async def _make_mail(self, entry: AccountEntry) -> None:
        self._check()
        await account_rows.make(await self._shard(entry.shard), entry, int(self._clock()))

    async def _remove_mail(self, entry: AccountEntry) -> None:
        mailboxes = await account_rows.remove(await self._shard(entry.shard), entry.id, int(self._clock()))
        known = self._accounts.pop(entry.id, None)
        if known is not None:
            known.end(account_is_gone())
        for mailbox in mailboxes:
            self._notifier.changed(entry.id, mailbox, None)

    async def _usages(self, shard: str, accounts: Sequence[AccountId]) -> Sequence[Row]:
        with suppress(Refused):
            return await (await self._shard(shard)).ask(quota_tables.STATES, (accounts,))
        return ()

    # Shards

    async def _shard(self, name: str) -> Shard:
        """The shard *name*, ready for use. Raises Refused(UNAVAILABLE)."""
        shard = self._shards.get(name)
        if shard is None:
            raise Refused(Code.UNAVAILABLE, texts.UNKNOWN_SHARD.of(shard=name))
        await asyncio.shield(self._prepare(name))
        return shard

    def _shard_of(self, account: AccountId) -> Shard | None:
        known = self._accounts.get(account)
        return None if known is None or known.has_ended else known.shard

    def _prepare(self, name: str) -> asyncio.Task[None]:
        """The preparation of a shard; the last one, unless that failed."""
        task = self._preparing.get(name)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            task = self._preparing[name] = asyncio.create_task(self._shards[name].open(parts.SHARD))
        return task

    def _happened(self, fault: Fault) -> None:
        if self._faults is not None:
            self._faults.happened(fault)

    def _check(self) -> None:
        if self._closed:
            raise _closed()


class _Untold:
    """``Faults`` of a store that has none."""

    def happened(self, fault: Fault) -> None:
        """Does nothing: the refusal has the fault."""


def _opened_objects(url: str | None, level: int | None, faults: Faults | None) -> Objects | None:
    if url is None:
        return None
    rules = ObjectRules(DEFAULT_LEVEL if level is None else level)
    return open_objects(url, faults if faults is not None else _Untold(), rules)


def _closed() -> Refused:
    return Refused(Code.UNAVAILABLE, texts.STOPPING)
