"""The access control lists of an account, and the index in the directory that tells others of them.

The lists are in the account's shard, and only they count. The directory says who shares with whom, so that nobody must
ask all accounts to find out. It may name an account that shares nothing any more, but never lacks one that shares: it
is written before a list grants something, and checked after each change, because another node may change the same at
the same moment. It is put right when an account is opened, which is needed after an older copy of it was restored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mektup.store.access_lists import SharedMailboxes
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.shard import Change, Connection, LostAnswer, Row, Shard
from mektup.store.postgres.tables import access_lists as tables
from mektup.store.postgres.tables import directory
from mektup.store.postgres.values import is_storable
from mektup.store.rules import access_lists as rules
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import AccountId, MailboxId
from mektup.terms.rights import Rights, RightsChange


class PostgresAccessLists:
    """``access_lists.AccessLists`` of one account."""

    __slots__ = ("_database", "_directory", "_limits")

    def __init__(self, database: AccountDatabase, directory: Shard, limits: Limits) -> None:
        """*directory* is the database with the index."""
        self._database = database
        self._directory = directory
        self._limits = limits

    async def shared_with(self, reader: AccountId) -> SharedMailboxes:
        """See ``AccessLists``, also for the other methods."""
        rows = await self._database.ask(tables.SHARED, (self._database.account, list(rules.identifiers_of(reader))))
        return rules.shared(
            (MailboxId(mailbox), name, identifier, frozenset(rights)) for mailbox, name, identifier, rights in rows
        )

    async def of(self, name: str) -> Mapping[str, Rights]:
        name = mailbox_key(name)
        if not is_storable(name):
            raise no_such_mailbox()
        return _list(await self._database.ask(tables.OF, (self._database.account, name)))[1]

    async def change(self, name: str, identifier: str, change: RightsChange) -> None:
        if rules.grants(identifier) and change.rights and change.how != "-":
            await self._announce(identifier, self._limits)
        is_shared = await self._database.write(_Changing(mailbox_key(name), identifier, change, self._limits).make)
        if rules.grants(identifier):
            if not is_shared:
                account = self._database.account
                await self._directory.ask(directory.REMOVE_SHARING, (identifier, account))  # done twice is done once
                is_shared = bool(await self._database.ask(tables.IS_SHARED_WITH, (account, identifier)))
            if is_shared:
                await self.announce([identifier])

    async def announce(self, readers: Sequence[str]) -> None:
        """Writes into the index that the account shares with *readers*."""
        granted = sorted(filter(rules.grants, readers))
        if granted:
            # done twice is done once
            await self._directory.ask(directory.ADD_SHARING, (self._database.account, granted))

    async def _announce(self, reader: str, limits: Limits) -> None:
        """Writes into the index that the account shares with *reader*, if it is not there. Raises Refused(LIMIT)."""
        account = self._database.account
        if await self._directory.ask(directory.IS_SHARING, (reader, account)):
            return

        async def add(connection: Connection) -> None:
            await connection.execute(directory.ADD_SHARING.encode(), (account, [reader]))
            counted = await (await connection.execute(directory.COUNT_SHARERS.encode(), (reader,))).fetchone()
            assert counted is not None
            rules.require_few_sharers(counted[0], limits)

        try:
            await self._directory.transaction(add)
        except LostAnswer as lost:
            # an entry too many does no harm
            raise lost.refused.fault.refusal() from lost


class _Changing:
    """A change of the rights of one identifier on one mailbox."""

    __slots__ = ("_how", "_identifier", "_limits", "_name")

    def __init__(self, name: str, identifier: str, how: RightsChange, limits: Limits) -> None:
        self._name = name
        self._identifier = identifier
        self._how = how
        self._limits = limits

    async def make(self, change: Change) -> bool:
        """Makes it; returns whether the identifier has rights on any mailbox of the account now."""
        if not is_storable(self._name):
            raise no_such_mailbox()
        account, identifier = change.account, self._identifier
        mailbox, before = _list(await change.ask(tables.OF, (account, self._name)))
        rights = rules.changed(before, identifier, self._how, self._limits)
        if rights != before.get(identifier, frozenset()):
            if rights:
                await change.ask(tables.SET, (account, mailbox, identifier, "".join(sorted(rights))))
            else:
                await change.ask(tables.REMOVE, (account, mailbox, identifier))
            await change.ask(tables.NOTE, (await change.modseq(), account, mailbox))
            change.touched.add(mailbox)
        return bool(await change.ask(tables.IS_SHARED_WITH, (account, identifier)))


def _list(rows: Sequence[Row]) -> tuple[MailboxId, Mapping[str, Rights]]:
    """A mailbox and its list. Raises Refused(NONEXISTENT) where the mailbox is not there."""
    if not rows:
        raise no_such_mailbox()
    return MailboxId(rows[0][0]), {identifier: frozenset(rights) for _, identifier, rights in rows if identifier}
