"""The accounts in memory: an ``interface.Store`` and its ``Directory``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from mektup.store.backlog import Backlog
from mektup.store.interface import AccountEntry, Bus, Tidied
from mektup.store.memo import Memory
from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules import account_names as names
from mektup.store.sorting.sort_keys import Remembered
from mektup.store.sqlite.file.change import machine_clock
from mektup.store.texts import STOPPING
from mektup.store.watch import ChangeNotifier
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId
from mektup.terms.quota import NO_QUOTA, QuotaLimits
from tests.support.naive.account import NaiveAccount
from tests.support.naive.addresses import NaiveAddresses
from tests.support.naive.metadata import NaiveServerMetadata
from tests.support.naive.state import new_account


async def open_store(
    *,
    bus: Bus | None = None,
    limits: Limits = DEFAULT_LIMITS,
    quota: QuotaLimits = NO_QUOTA,
    clock: Callable[[], float] = machine_clock,
) -> NaiveStore:
    """A new, empty store."""
    return NaiveStore(ChangeNotifier(bus), limits, DefaultQuota(quota), clock)


class NaiveStore:
    """Accounts in memory."""

    def __init__(
        self, notifier: ChangeNotifier, limits: Limits, quota: DefaultQuota, clock: Callable[[], float]
    ) -> None:
        self._clock = clock
        self.default_quota = quota
        self.server_metadata = NaiveServerMetadata(limits)
        self._notifier, self._limits = notifier, limits
        self.changed_elsewhere, self.missed_notices = notifier.changed_elsewhere, notifier.missed_notices
        self.memory = Memory(limits.remembered_bytes)
        self._sort_keys = Remembered(self.memory, limits.thread_references)
        self._accounts: dict[AccountId, NaiveAccount] = {}
        self.directory = NaiveDirectory(self)
        self.addresses = NaiveAddresses(self.directory)

    def add(self, entry: AccountEntry) -> None:
        """Makes the mailboxes of a new account."""
        account = NaiveAccount(
            entry.id, entry.name, self._notifier, self._limits, self._sort_keys, self.default_quota, self._clock
        )
        account.write(new_account)
        self._accounts[entry.id] = account

    def remove(self, account: AccountId) -> None:
        """Removes the account's mail."""
        removed = self._accounts.pop(account)
        removed.write(lambda change: change.touched.update(change.state.folders))
        removed.ended = names.account_is_gone()

    async def account(self, entry: AccountEntry) -> NaiveAccount:
        if entry.id not in self._accounts:
            raise names.account_is_gone()
        return self._accounts[entry.id]

    async def usages(self, accounts: Sequence[AccountId]) -> Mapping[AccountId, QuotaState]:
        return {
            account: await self._accounts[account].quota.state() for account in accounts if account in self._accounts
        }

    def backlog(self) -> Backlog:
        return Backlog()

    async def tidy(self) -> Tidied:
        return Tidied(0, ())

    async def close(self) -> None:
        for account in self._accounts.values():
            account.ended = Refused(Code.UNAVAILABLE, STOPPING)


class NaiveDirectory:
    """Entries by the key of their name."""

    def __init__(self, store: NaiveStore) -> None:
        self._store = store
        self._entries: dict[str, AccountEntry] = {}
        self._changes = 0
        self._logins: dict[AccountId, int] = {}

    async def find(self, name: str) -> AccountEntry | None:
        return self._entries.get(account_key(name))

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        name = names.canonical(name)
        if account_key(name) in self._entries:
            raise names.name_is_taken()
        self._store.addresses.require_no_alias(name)
        entry = AccountEntry(names.new_account_id(), name, dict(secrets))
        self._store.add(entry)
        self._put(entry)
        return entry

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        return self._put(replace(names.require_there(await self.find(name)), secrets=dict(secrets)))

    async def set_hidden(self, name: str, hidden: Collection[str]) -> AccountEntry:
        return self._put(replace(names.require_there(await self.find(name)), hidden=frozenset(hidden)))

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        found = [entry for entry in self._entries.values() if entry.id == account and entry.secrets == old]
        return any(self._put(replace(entry, secrets=dict(new))) for entry in found)

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        return {entry.id: entry.secrets for entry in self._entries.values() if entry.id in accounts}

    async def names_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, str]:
        return {entry.id: entry.name for entry in self._entries.values() if entry.id in accounts}

    async def note_logins(self, at: Mapping[AccountId, int]) -> None:
        there = {entry.id for entry in self._entries.values()}
        self._logins |= {
            account: max(when, self._logins.get(account, 0)) for account, when in at.items() if account in there
        }

    async def last_logins(self, accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
        return {account: self._logins[account] for account in accounts if account in self._logins}

    async def sharing_with(self, reader: AccountId) -> Mapping[str, AccountEntry]:
        others = [entry for entry in self._entries.values() if entry.id != reader]
        return {
            entry.name: replace(entry, secrets={})
            for entry in others
            if (await (await self._store.account(entry)).access_lists.shared_with(reader)).by_id
        }

    def state(self) -> bytes | None:
        return self._changes.to_bytes(8)

    async def remove(self, name: str) -> None:
        entry = names.require_there(await self.find(name))
        del self._entries[account_key(entry.name)]
        self._changes += 1
        self._store.addresses.forget(entry.id)
        self._logins.pop(entry.id, None)
        self._store.remove(entry.id)

    async def entries(self, after: str, most: int) -> Sequence[AccountEntry]:
        return [entry for key, entry in sorted(self._entries.items()) if key > account_key(after)][:most]

    def _put(self, entry: AccountEntry) -> AccountEntry:
        self._entries[account_key(entry.name)] = entry
        self._changes += 1
        return entry
