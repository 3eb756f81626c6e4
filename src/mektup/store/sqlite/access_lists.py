"""The access control lists of an account, and the index that tells others of them.

The lists are in the account's file, and only they count. The directory has an index of who shares with whom
(``tables.sharing``), so that nobody must open all accounts to find out. It may name an account that shares nothing any
more, but never lacks one that shares: it is written before a list grants something, and checked after each change,
because another process may change the same at the same moment. An account's file puts its own entries right when it is
opened, which is needed after a copy was restored.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from mektup.store.access_lists import SharedMailboxes
from mektup.store.faults import FaultRefused
from mektup.store.memo import Memory, Recall
from mektup.store.rules.access_lists import grants
from mektup.store.rules.octets import octets_of
from mektup.store.sqlite.loop_limits import FEW_LISTED
from mektup.store.sqlite.tables import access_lists, sharing
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId
from mektup.terms.rights import Rights, RightsChange

if TYPE_CHECKING:
    from mektup.store.sqlite.file.database import Database


class SqliteAccessLists:
    """``access_lists.AccessLists`` of one account."""

    __slots__ = ("_account", "_database", "_directory", "_limits", "_recall")

    def __init__(
        self, account: AccountId, database: Database, directory: Database, memory: Memory, limits: Limits
    ) -> None:
        """*directory* is the file with the index."""
        self._account = account
        self._database = database
        self._directory = directory
        self._limits = limits
        self._recall = Recall(database.names, memory, octets_of)

    async def shared_with(self, reader: AccountId) -> SharedMailboxes:
        """See ``AccessLists``, also for the other methods."""
        found = await self._recall.read(access_lists.shared_with, reader, FEW_LISTED)
        if found is None:
            found = await self._database.read_long(access_lists.shared_with, reader)
        assert found is not None
        return found

    async def of(self, name: str) -> Mapping[str, Rights]:
        return await self._database.read(access_lists.of, name)

    async def change(self, name: str, identifier: str, change: RightsChange) -> None:
        if grants(identifier) and change.rights and change.how != "-":
            await self._announce(identifier, self._limits)
        make = partial(access_lists.change_rights, name=name, identifier=identifier, how=change, limits=self._limits)
        is_shared = await self._database.write(make)
        if grants(identifier):
            if not is_shared:
                await self._directory.write(partial(sharing.remove, owner=self._account, reader=identifier))
                is_shared = await self._database.read(access_lists.is_shared_with, identifier)
            if is_shared:
                await self._announce(identifier, None)

    async def announce_all(self) -> None:
        """Puts the index right; to be called when the file is opened."""
        with suppress(FaultRefused):  # recorded; mail can be read nevertheless
            for reader in await self._database.read(access_lists.readers):
                await self._announce(reader, None)

    async def _announce(self, reader: str, limits: Limits | None) -> None:
        """Writes into the index that the account shares with *reader*, if it is not there. Raises Refused(LIMIT)."""
        if not await self._directory.read(sharing.is_known, self._account, reader):
            add = partial(sharing.add, owner=self._account, reader=reader, limits=limits)
            await self._directory.write(add)
