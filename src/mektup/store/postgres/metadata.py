"""Metadata in a shard and in the directory: a ``store.metadata.AccountMetadata`` and a ``ServerMetadata``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from mektup.store.metadata import ChangedEntry, MetadataChanges, Values, Wanted
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.shard import Change, Connection, LostAnswer, Row, Shard
from mektup.store.postgres.tables import directory, server_metadata
from mektup.store.postgres.tables import metadata as tables
from mektup.store.rules import account_log
from mektup.store.rules import metadata as rules
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.terms.limits import Limits
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId, ModSeq


class PostgresMetadata:
    """The metadata of one account."""

    __slots__ = ("_database", "_limits")

    def __init__(self, database: AccountDatabase, limits: Limits) -> None:
        self._database = database
        self._limits = limits

    async def entries(
        self, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted
    ) -> Mapping[MailboxId, Mapping[str, bytes]]:
        """See ``store.metadata.AccountMetadata``, also for the other methods."""
        names = list(wanted.names)
        values = (self._database.account, list(mailboxes), user, names, names)
        found: dict[MailboxId, dict[str, bytes]] = {mailbox: {} for mailbox in mailboxes}
        for mailbox, entry, value in await self._database.ask(tables.ENTRIES, values):
            if rules.is_wanted(entry, wanted):
                found[MailboxId(mailbox)][entry] = value
        return found

    async def set_entries(self, mailbox: MailboxId, user: AccountId, values: Values) -> None:
        rules.require_small(values, self._limits)

        async def make(change: Change) -> None:
            account = change.account
            if mailbox and not await change.ask(tables.IS_MAILBOX, (account, mailbox)):
                raise no_such_mailbox()
            ((before,),) = await change.ask(tables.OCTETS, (account,))
            modseq = await change.modseq()
            for entry, value in values.items():
                key = (account, mailbox, rules.user_of(entry, user), entry)
                if value is None:
                    await change.ask(tables.REMOVE, (modseq, *key))
                else:
                    await change.ask(tables.SET, (*key, modseq, value))
            owners = {rules.user_of(entry, user) for entry, value in values.items() if value is not None}
            ((after,),) = await change.ask(tables.OCTETS, (account,))
            for owner in owners:
                ((entries,),) = await change.ask(tables.COUNT, (account, mailbox, owner))
                rules.require_few(entries, after if after > before else 0, self._limits)
            ((removed,),) = await change.ask(tables.COUNT_REMOVED, (account,))
            if account_log.are_many(removed):
                await change.ask(tables.REMOVE_OLDEST, (account, account, account_log.KEPT_TOMBSTONES))
            change.touched.add(ACCOUNT_ITSELF)

        await self._database.write(make)

    async def changes(self, since: ModSeq, user: AccountId) -> MetadataChanges:
        account = self._database.account
        return _changes(since, await self._database.ask(tables.CHANGED, (account, account, since, user)))


class PostgresServerMetadata:
    """The shared metadata of the server, in the directory."""

    __slots__ = ("_database", "_limits")

    def __init__(self, database: Shard, limits: Limits) -> None:
        """*database* has the directory."""
        self._database = database
        self._limits = limits

    async def entries(self, wanted: Wanted) -> Mapping[str, bytes]:
        """See ``store.metadata.ServerMetadata``, also for the other methods."""
        names = list(wanted.names)
        rows = await self._database.ask(server_metadata.ENTRIES, (names, names))
        return {entry: value for entry, value in rows if rules.is_wanted(entry, wanted)}

    async def set_entries(self, values: Values) -> None:
        rules.require_small(values, self._limits)

        async def make(connection: Connection) -> None:
            async def ask(statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
                cursor = await connection.execute(statement.encode(), parameters)
                return await cursor.fetchall() if cursor.description else []

            await _set_of_server(ask, values, self._limits)

        try:
            await self._database.transaction(make)
        except LostAnswer as lost:
            raise lost.refused from lost

    async def changes(self, since: ModSeq) -> MetadataChanges:
        return _changes(since, await self._database.ask(server_metadata.CHANGED, (since,)))


async def _set_of_server(
    ask: Callable[[str, Sequence[Any]], Awaitable[list[Row]]], values: Values, limits: Limits
) -> None:
    await ask(directory.LOCK, ())
    ((_, before, _),) = await ask(server_metadata.COUNTS, ())
    ((modseq,),) = await ask(server_metadata.FOLLOWING, ())
    for entry, value in values.items():
        if value is None:
            await ask(server_metadata.REMOVE, (modseq, entry))
        else:
            await ask(server_metadata.SET, (entry, modseq, value))
    ((entries, after, removed),) = await ask(server_metadata.COUNTS, ())
    if any(value is not None for value in values.values()):
        rules.require_few(entries, after if after > before else 0, limits)
    if account_log.are_many(removed):
        await ask(server_metadata.REMOVE_OLDEST, (account_log.KEPT_TOMBSTONES,))


def _changes(since: ModSeq, rows: Sequence[Row]) -> MetadataChanges:
    """The answer, from rows of the highest modseq of all, and a mailbox and an entry, which may be missing."""
    highest = max((row[0] for row in rows), default=0)
    changed = [ChangedEntry(MailboxId(mailbox), entry) for _, mailbox, entry in rows if entry is not None]
    return MetadataChanges(ModSeq(max(highest, since)), changed)
