"""Makes and removes the rows of an account in a shard."""

from __future__ import annotations

from collections.abc import Sequence

from mektup.store.interface import AccountEntry
from mektup.store.postgres import tree
from mektup.store.postgres.message_calls import KEPT_OBJECT_SECONDS
from mektup.store.postgres.shard import Change, Connection, LostAnswer, Shard
from mektup.store.postgres.tables import accounts as tables
from mektup.store.rules import mailbox_tree
from mektup.terms.numbers import AccountId, MailboxId


async def make(shard: Shard, entry: AccountEntry, moment: int) -> None:
    """Makes a new account with its mailboxes. Raises Refused; then nobody sees it."""

    async def making(connection: Connection) -> None:
        await connection.execute(tables.ADD.encode(), (entry.id, entry.name))
        change = Change(connection, entry.id, moment, keeps_expunged=False)
        await change.lock()
        planned = await tree.read(change)
        mailbox_tree.populate(planned)
        await planned.carry_out(change)
        await tree.begin_log_at(change, await change.modseq())

    try:
        await shard.transaction(making)
    except LostAnswer as lost:
        raise lost.refused.fault.refusal() from lost


async def remove(shard: Shard, account: AccountId, moment: int) -> Sequence[MailboxId]:
    """Removes all rows of an account, if they are there; returns its mailboxes. Raises Refused."""

    async def removing(connection: Connection) -> Sequence[MailboxId]:
        await connection.execute(tables.LOCK.encode(), (account,))
        found = await connection.execute(tables.MAILBOXES.encode(), (account,))
        mailboxes = [MailboxId(mailbox) for (mailbox,) in await found.fetchall()]
        await connection.execute(tables.KEEP_OBJECTS.encode(), (moment + KEPT_OBJECT_SECONDS, account))
        for statement in tables.REMOVE:
            await connection.execute(statement.encode(), (account,))
        return mailboxes

    try:
        return await shard.transaction(removing)
    except LostAnswer as lost:
        raise lost.refused from lost
