"""Domains and aliases in the file of the directory: a ``store.addresses.Addresses``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mektup.store.addresses import Alias
from mektup.store.memo import Memory, Recall
from mektup.store.rules.octets import octets_of
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.tables import addresses as tables

if TYPE_CHECKING:
    from mektup.store.sqlite.file.database import Database

FEW = 20
"""The most aliases that are read in the event loop; more are read in a thread."""


class SqliteAddresses:
    """The addresses in the directory's file."""

    __slots__ = ("_database", "_recall")

    def __init__(self, database: Database, memory: Memory) -> None:
        self._database = database
        self._recall = Recall(database, memory, octets_of)

    async def domains(self) -> Collection[str]:
        """See ``store.addresses.Addresses``, also for the other methods."""
        return await self._recall.read(tables.domains)

    async def add_domain(self, domain: str) -> str:
        return await self._database.write(partial(tables.add_domain, domain=domain))

    async def remove_domain(self, domain: str) -> None:
        await self._database.write(partial(tables.remove_domain, domain=domain), room=Room.FREES)

    async def accounts_of(self, alias: str) -> Sequence[str]:
        return await self._recall.read(tables.accounts_of, alias)

    async def add_alias(self, address: str, accounts: Collection[str]) -> Alias:
        return await self._database.write(partial(tables.add_alias, address=address, accounts=accounts))

    async def remove_alias(self, address: str, accounts: Collection[str] = ()) -> None:
        make = partial(tables.remove_alias, address=address, accounts=accounts)
        await self._database.write(make, room=Room.FREES)

    async def aliases(self, after: str, most: int) -> Sequence[Alias]:
        ask = self._database.read if most <= FEW else self._database.read_long
        return await ask(tables.aliases, after, most)
