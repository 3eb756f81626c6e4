"""Removes the messages of a mailbox that is deleted: they are kept for a while, or their contents are freed."""

from __future__ import annotations

from mektup.store.postgres import message_calls, past_names
from mektup.store.postgres.change import Change
from mektup.store.postgres.tables import mailbox_removal as tables
from mektup.store.postgres.tables.shard_tables import OF_A_MAILBOX
from mektup.store.state_blocks import GONE, SLOTS, FactBlock, FactRow, FlagBlock
from mektup.terms.numbers import MailboxId, ModSeq


async def remove_messages(change: Change, mailbox: MailboxId, modseq: ModSeq) -> None:
    """Removes all rows of *mailbox* but its own. *modseq* is that of *change*."""
    tail = await change.ask(tables.TAIL, (change.account, mailbox))
    rows = [(word, FactRow(*facts)) for word, *facts in tail]
    for number, at, flags, facts in await change.ask(tables.BLOCKS, (change.account, mailbox)):
        rows += _rows(FlagBlock.read(number, at, flags), FactBlock.read(number, facts))
    for table in OF_A_MAILBOX:
        await change.ask(tables.REMOVE_FROM.format(table), (change.account, mailbox))
    keeps = change.keeps_expunged
    if not keeps:
        await past_names.begin_at(change, change.moment)
    if rows:
        rows.sort(key=lambda row: row[1].uid)
        kept = (len(rows), message_calls.weight(rows, moved=False)) if keeps else (0, 0)
        ((last,),) = await change.ask(tables.TAKE_RETAINED, (*kept, change.account))
        not_before = change.moment + message_calls.KEPT_OBJECT_SECONDS
        given = message_calls.remove(rows, keeps=keeps, moved=False, not_before=not_before)
        numbers = {"account": change.account, "mailbox": mailbox, "modseq": modseq, "expunged": last}
        await change.ask(tables.REMOVE, given | numbers | {"moment": change.moment})


def _rows(flags: FlagBlock, facts: FactBlock) -> list[tuple[int, FactRow]]:
    """The flag words and the facts of all messages of a block."""
    first = flags.number * SLOTS
    rows = zip(range(first, first + SLOTS), *facts.columns, strict=True)
    return [(word, FactRow(*row)) for word, row in zip(flags.words, rows, strict=True) if word != GONE]
