"""Metadata in files: a ``store.metadata.AccountMetadata`` and a ``store.metadata.ServerMetadata``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mektup.store.metadata import MetadataChanges, Values, Wanted
from mektup.store.rules.metadata import NOBODY
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.loop_limits import FEW_BYTES, FEW_LISTED
from mektup.store.sqlite.tables import metadata as tables
from mektup.terms.limits import Limits
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId, ModSeq

if TYPE_CHECKING:
    from mektup.store.sqlite.file.change import Change
    from mektup.store.sqlite.file.database import Database


class SqliteMetadata:
    """The metadata in an account's file."""

    __slots__ = ("_database", "_limits")

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def entries(
        self, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted
    ) -> Mapping[MailboxId, Mapping[str, bytes]]:
        """See ``store.metadata.AccountMetadata``, also for the other methods."""
        return await _entries(self._database, mailboxes, user, wanted)

    async def set_entries(self, mailbox: MailboxId, user: AccountId, values: Values) -> None:
        make = partial(
            tables.set_entries, mailbox=mailbox, user=user, values=values, limits=self._limits, modseq=_modseq
        )
        await self._database.write(make, room=_room(values))

    async def changes(self, since: ModSeq, user: AccountId) -> MetadataChanges:
        return await self._database.read(tables.changes, since, user)


class SqliteServerMetadata:
    """The shared metadata of the server, in the file of the directory."""

    __slots__ = ("_database", "_limits")

    def __init__(self, database: Database, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def entries(self, wanted: Wanted) -> Mapping[str, bytes]:
        """See ``store.metadata.ServerMetadata``, also for the other methods."""
        return (await _entries(self._database, (ACCOUNT_ITSELF,), NOBODY, wanted))[ACCOUNT_ITSELF]

    async def set_entries(self, values: Values) -> None:
        make = partial(
            tables.set_entries,
            mailbox=ACCOUNT_ITSELF,
            user=NOBODY,
            values=values,
            limits=self._limits,
            modseq=tables.following_modseq,
        )
        await self._database.write(make, room=_room(values))

    async def changes(self, since: ModSeq) -> MetadataChanges:
        return await self._database.read(tables.changes, since, NOBODY)


def _room(values: Values) -> Room:
    """A removal works on a full disk, too."""
    return Room.FREES if all(value is None for value in values.values()) else Room.USUAL


def _modseq(change: Change) -> ModSeq:
    return change.modseq


async def _entries(
    database: Database, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted
) -> Mapping[MailboxId, Mapping[str, bytes]]:
    found = None
    if len(mailboxes) <= FEW_LISTED:
        found = await database.read(tables.entries, mailboxes, user, wanted, FEW_BYTES)
    if found is None:
        found = await database.read_long(tables.entries, mailboxes, user, wanted)
    assert found is not None
    return found
