"""The mailboxes and subscriptions of an account: what ``interface.Account`` says of them, but for their messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from mektup.store.interface import Mailbox
from mektup.store.mailbox_changes import GoneMailbox, LoggedMailbox, LoggedSubscription, MailboxChanges
from mektup.store.postgres import tree
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.renewal import renew
from mektup.store.postgres.shard import Change, Row
from mektup.store.postgres.tables import mailboxes as tables
from mektup.store.postgres.tables import metadata
from mektup.store.postgres.tree import PlannedTree
from mektup.store.postgres.values import is_storable
from mektup.store.postgres.writing import Writing
from mektup.store.quota import DefaultQuota
from mektup.store.rules import mailbox_tree
from mektup.store.rules.account_log import LogSince
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.mailbox_names import listed_order, no_such_mailbox, require_mailbox
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX, mailbox_key
from mektup.terms.numbers import MailboxId, ModSeq

ACCOUNT, MAILBOX, SUBSCRIPTION, TOMBSTONE = range(4)
"""The kinds of rows in the answer to CHANGES."""


class Mailboxes:
    """See ``interface.Account`` for each method."""

    __slots__ = ("_database", "_limits", "_quota", "_writing")

    def __init__(self, database: AccountDatabase, writing: Writing, quota: DefaultQuota, limits: Limits) -> None:
        self._database = database
        self._writing = writing
        self._quota = quota
        self._limits = limits

    async def mailboxes(self) -> Sequence[Mailbox]:
        rows = await self._ask(tables.ALL)
        return sorted((Mailbox(*row) for row in rows), key=lambda each: listed_order(each.name))

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        account = self._database.account
        rows = await self._database.ask(tables.CHANGES, (since, since, account, account, account, account))
        found: list[list[Row]] = [[], [], [], []]
        for kind, *values in rows:
            found[kind].append(tuple(values))
        if not found[ACCOUNT]:
            raise account_is_gone()
        floor, modseq = found[ACCOUNT][0][:2]
        gone = [row for row in found[TOMBSTONE] if row[0]]
        ended = [row for row in found[TOMBSTONE] if not row[0]]
        return LogSince(since, floor, modseq).told(
            (
                LoggedMailbox(number, name, uidvalidity, mailboxid, special_use, selectable, created, changed)
                for number, uidvalidity, created, changed, name, mailboxid, special_use, selectable in found[MAILBOX]
            ),
            (GoneMailbox(number, name, mailboxid, created, at) for number, _, created, at, name, mailboxid, *_ in gone),
            (
                LoggedSubscription(name, is_subscribed, changed)
                for _, _, _, changed, name, _, _, is_subscribed in [*found[SUBSCRIPTION], *ended]
            ),
        )

    async def subscriptions(self) -> frozenset[str]:
        return frozenset(name for (name,) in await self._ask(tables.SUBSCRIPTIONS))

    async def mailbox(self, name: str) -> Mailbox:
        rows = await self._ask(tables.FIND, _key(name))
        return Mailbox(*require_mailbox(rows[0] if rows else None))

    async def target(self, name: str) -> MailboxId:
        rows = await self._ask(tables.TARGET, _key(name))
        return MailboxId(require_mailbox(rows[0] if rows else None)[0])

    async def create(self, name: str, *, special_use: str | None = None) -> Mailbox:
        async def make(change: Change) -> Mailbox:
            planned = await tree.read(change)
            made = mailbox_tree.create(planned, name, special_use, self._limits)
            await self.carry_out(planned, change)
            return await read_mailbox(change, made.name)

        return await self._database.write(make)

    async def delete(self, name: str) -> None:
        await self._plan(lambda planned: mailbox_tree.delete(planned, name))

    async def rename(self, old: str, new: str) -> None:
        if mailbox_key(old) == INBOX:
            await self._empty_inbox(new)
            return
        await self._plan(lambda planned: mailbox_tree.rename(planned, old, new, self._limits))

    async def subscribe(self, name: str) -> None:
        await self._plan(lambda planned: mailbox_tree.subscribe(planned, name, self._limits), tree.read_subscriptions)

    async def unsubscribe(self, name: str) -> None:
        await self._plan(lambda planned: mailbox_tree.unsubscribe(planned, name), tree.read_subscriptions)

    async def renew(self) -> None:
        await self._database.write(renew)

    async def _empty_inbox(self, new: str) -> None:
        """Creates the mailbox *new* and moves all messages of INBOX to it."""

        async def make(change: Change) -> None:
            # RFC 9051 §6.3.6: INBOX itself and its inferiors stay
            planned = await tree.read(change)
            inbox = require_mailbox(planned.find(INBOX))
            made = mailbox_tree.create(planned, new, None, self._limits)
            await self.carry_out(planned, change)
            await change.ask(metadata.COPY, (made.id, await change.modseq(), change.account, inbox.id))
            await self._writing.move_within(change, inbox.id, made.name)

        await self._database.write(make)

    async def carry_out(self, planned: PlannedTree, change: Change) -> None:
        """Writes what was planned. Raises Refused(OVERQUOTA)."""
        planned.require_within(self._quota)
        await planned.carry_out(change)

    async def _plan(
        self, plan: Callable[[PlannedTree], None], read: Callable[[Change], Awaitable[PlannedTree]] = tree.read
    ) -> None:
        async def make(change: Change) -> None:
            planned = await read(change)
            plan(planned)
            await self.carry_out(planned, change)

        await self._database.write(make)

    async def _ask(self, statement: str, *names: str) -> list[Row]:
        """The mailboxes or subscriptions that *statement* finds. Raises Refused(UNAVAILABLE) for a gone account."""
        rows = await self._database.ask(statement, (*names, self._database.account))
        if not rows:
            raise account_is_gone()
        return [row for row in rows if row[0] is not None]


async def read_mailbox(change: Change, name: str) -> Mailbox:
    """The mailbox *name*, as *change* sees it."""
    rows = await change.ask(tables.FIND, (name, change.account))
    if not rows or rows[0][0] is None:
        raise no_such_mailbox()
    return Mailbox(*rows[0])


def _key(name: str) -> str:
    """What the column of names has for *name*. Raises Refused(NONEXISTENT) where no mailbox can have that name."""
    key = mailbox_key(name)
    if not is_storable(key):
        raise no_such_mailbox()
    return key
