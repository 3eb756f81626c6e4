"""What mailboxes were before they were renamed, changed or deleted: for the account as it was at a moment."""

from __future__ import annotations

from mektup.store.postgres.shard import Change
from mektup.store.postgres.tables import past_names as tables
from mektup.terms.numbers import MailboxId, ModSeq


async def keep(change: Change, mailbox: MailboxId, modseq: ModSeq, *, deleted: bool = False) -> None:
    """Keeps what *mailbox* is, before *change*, whose modseq is given, changes that."""
    if change.keeps_expunged:
        await change.ask(tables.KEEP, (modseq, change.moment, deleted, change.account, mailbox))
    else:
        await begin_at(change, change.moment)


async def begin_at(change: Change, moment: int) -> None:
    """Says that nothing before *moment* can be told exactly any more."""
    await change.ask(tables.BEGIN_AT, (moment, change.account))
