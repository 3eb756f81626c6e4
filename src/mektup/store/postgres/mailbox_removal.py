"""Removes the messages of a mailbox that is deleted: they are kept for a while, or their contents are freed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from mektup.store.postgres import past_names
from mektup.store.postgres.shard import Change
from mektup.store.postgres.tables import mailbox_removal as tables
from mektup.store.postgres.tables.shard_tables import OF_A_MAILBOX
from mektup.store.retention import ROW_BYTES
from mektup.store.state_blocks import GONE, SLOTS, FactBlock, FlagBlock
from mektup.terms.numbers import MailboxId, ModSeq


class _Message(NamedTuple):
    uid: int
    flags: int
    content: int
    size: int
    arrived: int
    zone: int
    saved: int


async def remove_messages(change: Change, mailbox: MailboxId, modseq: ModSeq) -> None:
    """Removes all rows of *mailbox* but its own. *modseq* is that of *change*."""
    messages = [_Message(*row) for row in await change.ask(tables.TAIL, (change.account, mailbox))]
    for number, at, flags, facts in await change.ask(tables.BLOCKS, (change.account, mailbox)):
        messages += _messages(FlagBlock.read(number, at, flags), FactBlock.read(number, facts))
    for table in OF_A_MAILBOX:
        await change.ask(tables.REMOVE_FROM.format(table), (change.account, mailbox))
    if change.keeps_expunged:
        await _retain(change, mailbox, modseq, messages)
    else:
        await release(change, Counter(each.content for each in messages))
        await past_names.begin_at(change, change.moment)


def _messages(flags: FlagBlock, facts: FactBlock) -> list[_Message]:
    first = flags.number * SLOTS
    rows = zip(range(first, first + SLOTS), flags.words, *facts.columns, strict=True)
    return [_Message(*row) for row in rows if row[1] != GONE]


async def _retain(change: Change, mailbox: MailboxId, modseq: ModSeq, messages: Sequence[_Message]) -> None:
    if not messages:
        return
    weight = sum(each.size for each in messages) + ROW_BYTES * len(messages)
    ((last,),) = await change.ask(tables.TAKE_RETAINED, (len(messages), weight, change.account))
    numbers = list(range(last - len(messages) + 1, last + 1))
    columns = [list(column) for column in zip(*sorted(messages), strict=True)]
    values = (change.account, mailbox, modseq, change.moment, numbers, *columns)
    await change.ask(tables.RETAIN, values)


async def release(change: Change, held: Counter[int]) -> None:
    """Lets go of contents: so many copies of each. Those that nobody holds any more are removed."""
    numbers = sorted(held)
    if numbers:
        counts = [held[number] for number in numbers]
        await change.ask(tables.RELEASE, (numbers, counts, *(change.account,) * 4, change.moment))
