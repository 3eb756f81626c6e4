"""Domains and aliases in the directory: a ``store.addresses.Addresses``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Any, TypeVar

from mektup.store.addresses import Alias
from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.postgres.shard import Connection, LostAnswer, Row, Shard
from mektup.store.postgres.tables import addresses as tables
from mektup.store.postgres.tables import directory
from mektup.store.postgres.values import account_id, is_storable
from mektup.store.rules import addresses as rules
from mektup.store.rules.octets import octets_of
from mektup.terms.domains import domain_key
from mektup.terms.names import account_key, address_key
from mektup.terms.numbers import AccountId

T = TypeVar("T")

Ask = Callable[[str, Sequence[Any]], Awaitable[list[Row]]]


async def require_no_alias(ask: Ask, name: str) -> None:
    """Raises Refused(ALREADYEXISTS) where an alias gets mail that an account *name* would get."""
    key, beginning = rules.alias_of_account(name)
    # "A" comes after "@"; a beginning is empty, or ends with "@"
    for (taken,) in await ask(tables.NAMED_LIKE, (key, beginning, beginning, f"{key}A")):
        raise rules.is_an_alias(taken)


class PostgresAddresses:
    """The addresses of all nodes."""

    __slots__ = ("_database", "_domains")

    def __init__(self, database: Shard, memory: Memory) -> None:
        """*database* has the directory."""
        self._database = database
        self._domains: Memo[None, tuple[int, frozenset[str]]] = Memo(memory, MemoKind.ANSWERS)
        """The domains, as of the number of their changes. Each RCPT asks for them, and there may be thousands."""

    async def domains(self) -> Collection[str]:
        """See ``store.addresses.Addresses``, also for the other methods."""
        known = self._domains.get(None) or (-1, frozenset[str]())
        ((changes, domains),) = await self._database.ask(tables.DOMAINS, (known[0],))
        if domains is not None:
            known = changes, frozenset(domains)
            self._domains.put(None, known, octets_of(known[1]))
        return known[1]

    async def add_domain(self, domain: str) -> str:
        async def add(change: _Change) -> str:
            key = rules.new_domain(domain, await change.domains())
            await change.ask(tables.ADD_DOMAIN, (key,))
            await change.ask(tables.COUNT_DOMAIN_CHANGE)
            return key

        return await self._write(add)

    async def remove_domain(self, domain: str) -> None:
        async def remove(change: _Change) -> None:
            key = domain_key(domain)
            if key not in await change.domains():
                raise rules.no_domain(domain)
            for (used,) in await change.ask(tables.USE_OF_DOMAIN, (key,)):
                raise rules.domain_in_use(used)
            await change.ask(tables.REMOVE_DOMAIN, (key,))
            await change.ask(tables.COUNT_DOMAIN_CHANGE)

        await self._write(remove)

    async def accounts_of(self, alias: str) -> Sequence[str]:
        if not is_storable(alias):
            return ()
        return tuple(name for (name,) in await self._database.ask(tables.ACCOUNTS_OF, (alias,)))

    async def add_alias(self, address: str, accounts: Collection[str]) -> Alias:
        async def add(change: _Change) -> Alias:
            new = rules.new_alias(address, await change.domains())
            there = await change.accounts([*new.names, *accounts])
            new.require_no_account([name for name in new.names if account_key(name) in there])
            for name in accounts:
                if account_key(name) not in there:
                    raise rules.no_account_called(name)
            domain = new.key.rpartition("@")[2] if "@" in new.key else ""
            added = sorted({there[account_key(name)] for name in accounts})
            await change.ask(tables.ADD_ALIAS, (new.key, domain, added))
            alias = Alias(new.key, await change.accounts_of(new.key))
            rules.require_few_accounts(len(alias.accounts))
            return alias

        return await self._write(add)

    async def remove_alias(self, address: str, accounts: Collection[str] = ()) -> None:
        async def remove(change: _Change) -> None:
            key = address_key(address)
            led_to = {account_key(name) for name in await change.accounts_of(key)} if is_storable(key) else set[str]()
            if not led_to:
                raise rules.no_alias(address)
            for name in accounts:
                if account_key(name) not in led_to:
                    raise rules.not_of_alias(name, address)
            if accounts:
                there = await change.accounts(accounts)
                await change.ask(tables.REMOVE_FROM_ALIAS, (key, sorted(there.values())))
            else:
                await change.ask(tables.REMOVE_ALIAS, (key,))

        await self._write(remove)

    async def aliases(self, after: str, most: int) -> Sequence[Alias]:
        rows = await self._database.ask(tables.PAGE, (address_key(after), most))
        return [Alias(address, tuple(names)) for address, names in rows]

    async def _write(self, make: Callable[[_Change], Awaitable[T]]) -> T:
        async def making(connection: Connection) -> T:
            change = _Change(connection)
            await change.ask(directory.LOCK)
            return await make(change)

        try:
            return await self._database.transaction(making)
        except LostAnswer as lost:
            raise lost.refused from lost


class _Change:
    """A transaction that no other change of the directory overlaps."""

    __slots__ = ("_connection",)

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def ask(self, statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        cursor = await self._connection.execute(statement.encode(), parameters)
        return await cursor.fetchall() if cursor.description else []

    async def domains(self) -> frozenset[str]:
        return frozenset(name for (name,) in await self.ask(tables.ALL_DOMAINS))

    async def accounts(self, names: Collection[str]) -> dict[str, AccountId]:
        """The IDs of those of *names* that are accounts, by their keys."""
        keys = [account_key(name) for name in names if is_storable(name)]
        return {key: account_id(found) for key, found in await self.ask(tables.ACCOUNTS, (keys,))}

    async def accounts_of(self, alias: str) -> tuple[str, ...]:
        return tuple(name for (name,) in await self.ask(tables.ACCOUNTS_OF, (alias,)))
