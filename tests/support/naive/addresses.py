"""Domains and aliases in memory: a ``store.addresses.Addresses``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from mektup.store.addresses import Alias
from mektup.store.rules import addresses as rules
from mektup.terms.domains import domain_key
from mektup.terms.names import account_key, address_key
from mektup.terms.numbers import AccountId

if TYPE_CHECKING:
    from tests.support.naive.store import NaiveDirectory


class NaiveAddresses:
    """The accounts of each alias, by its key."""

    def __init__(self, directory: NaiveDirectory) -> None:
        self._directory = directory
        self._domains: set[str] = set()
        self._aliases: dict[str, set[AccountId]] = {}

    async def domains(self) -> Collection[str]:
        return frozenset(self._domains)

    async def add_domain(self, domain: str) -> str:
        self._domains.add(key := rules.new_domain(domain, self._domains))
        return key

    async def remove_domain(self, domain: str) -> None:
        if (key := domain_key(domain)) not in self._domains:
            raise rules.no_domain(domain)
        for alias in self._aliases:
            if alias.endswith(f"@{key}"):
                raise rules.domain_in_use(alias)
        self._domains.remove(key)

    async def accounts_of(self, alias: str) -> Sequence[str]:
        accounts = self._aliases.get(alias, set())
        return tuple([entry.name for entry in await self._directory.entries("", 10**9) if entry.id in accounts])

    async def add_alias(self, address: str, accounts: Collection[str]) -> Alias:
        new = rules.new_alias(address, self._domains)
        new.require_no_account([name for name in new.names if await self._directory.find(name)])
        added = self._aliases.get(new.key, set()) | {await self._account(name) for name in accounts}
        rules.require_few_accounts(len(added))
        self._aliases[new.key] = added
        return await self._alias(new.key)

    async def remove_alias(self, address: str, accounts: Collection[str] = ()) -> None:
        if (key := address_key(address)) not in self._aliases:
            raise rules.no_alias(address)
        there = set(map(account_key, await self.accounts_of(key)))
        for name in accounts:
            if account_key(name) not in there:
                raise rules.not_of_alias(name, address)
        left = self._aliases[key] - {await self._account(name) for name in accounts} if accounts else set[AccountId]()
        self._keep(key, left)

    async def aliases(self, after: str, most: int) -> Sequence[Alias]:
        keys = sorted(key for key in self._aliases if key > address_key(after))
        return [await self._alias(key) for key in keys[:most]]

    def require_no_alias(self, name: str) -> None:
        key, beginning = rules.alias_of_account(name)
        for alias in self._aliases:
            if alias == key or (beginning and alias.startswith(beginning)):
                raise rules.is_an_alias(alias)

    def forget(self, account: AccountId) -> None:
        for key, accounts in list(self._aliases.items()):
            self._keep(key, accounts - {account})

    def _keep(self, key: str, accounts: set[AccountId]) -> None:
        self._aliases[key] = accounts
        if not accounts:
            del self._aliases[key]

    async def _account(self, name: str) -> AccountId:
        entry = await self._directory.find(name)
        if entry is None:
            raise rules.no_account_called(name)
        return entry.id

    async def _alias(self, key: str) -> Alias:
        return Alias(key, tuple(await self.accounts_of(key)))
