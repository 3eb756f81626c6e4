"""Rules for every read: words that were handed out are known, and a read that is given up holds nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest

from mektup.store.columns import Column, Form
from mektup.store.interface import Account, FlagOrder, Store
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ContentId, MailboxId, ModSeq, Uid
from mektup.terms.search import All, InBody
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm
from tests.contract.mail import EVERYTHING, fetched, fill, inbox, incoming, one, raw, uids

MANY = 600
TIMES = 40
"""More reads than an engine has connections."""


async def words_of(account: Account, mailbox: MailboxId) -> dict[str, list[int]]:
    """The words of one message, by the verb that handed them out."""
    changes = await account.changes(
        mailbox, since=ModSeq(0), expunged_since=ModSeq(0), uidnext=Uid(2), claim_recent=False
    )
    touched = await account.touched(mailbox, ModSeq(0))
    again = frozenset({"$A", "$b"})
    stored = await account.store_flags(mailbox, uids(1), FlagChange.ADD, again)
    (in_turn,) = await account.store_flags_in_turn(mailbox, [FlagOrder(uids(1), FlagChange.ADD, again)])
    return {
        "fetch": [row[1] for row in await fetched(account, mailbox, uids(1), Column.FLAGS)],
        "changes": [word for _, word, _ in changes.flags or ()],
        "touched": [word for _, word, _ in touched.flags or ()],
        "store_flags": [word for _, word, _ in stored.flags or ()],
        "store_flags_in_turn": [word for _, word, _ in in_turn.flags or ()],
    }


async def test_words_are_known_whatever_becomes_of_their_messages(account: Account, store: Store) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("\\Seen", "$A", "$b")])
    found = await words_of(account, mailbox)
    await account.remove(mailbox, uids(1))
    await store.directory.remove(account.name)
    names = {verb: [account.flag_names(word) for word in words] for verb, words in found.items()}
    assert names == {verb: [("\\Seen", "$A", "$b")] for verb in found}


Read = Callable[[Account, MailboxId], Coroutine[Any, Any, object]]

READS: dict[str, Read] = {
    "fetch": lambda account, mailbox: fetched(account, mailbox, EVERYTHING, Column.RAW),
    "search": lambda account, mailbox: account.search(mailbox, InBody("nowhere"), EVERYTHING),
    "sort": lambda account, mailbox: account.sort(mailbox, InBody("at"), EVERYTHING, [SortCriterion(SortKey.SUBJECT)]),
    "thread": lambda account, mailbox: account.thread(mailbox, All(), EVERYTHING, ThreadAlgorithm.REFERENCES),
    "changes": lambda account, mailbox: account.changes(
        mailbox, since=ModSeq(0), expunged_since=ModSeq(0), uidnext=Uid(1), claim_recent=False
    ),
    "touched": lambda account, mailbox: account.touched(mailbox, ModSeq(0)),
    "select": lambda account, mailbox: account.select("INBOX", claim_recent=False),
}


@pytest.mark.parametrize("read", READS.values(), ids=READS)
async def test_a_read_that_is_cancelled_holds_nothing(account: Account, read: Read) -> None:
    mailbox = await fill(account, MANY)
    expected = await read(account, mailbox)
    for turns in range(TIMES):
        reading = asyncio.create_task(read(account, mailbox))
        for _ in range(turns % 8):
            await asyncio.sleep(0)
        reading.cancel()
        with suppress(asyncio.CancelledError):
            await reading
    async with asyncio.timeout(30):
        assert await read(account, mailbox) == expected
        await account.append(mailbox, [incoming()])
        assert (await account.mailbox("INBOX")).messages == MANY + 1


async def test_reads_that_are_cancelled_together_hold_nothing(account: Account) -> None:
    mailbox = await fill(account, MANY)
    reads = [asyncio.create_task(read(account, mailbox)) for read in READS.values() for _ in range(5)]
    await asyncio.sleep(0)
    for reading in reads:
        reading.cancel()
    await asyncio.wait(reads)
    async with asyncio.timeout(30):
        assert len(await fetched(account, mailbox, EVERYTHING, Column.RAW)) == MANY


Slices = Callable[[Account, MailboxId, ContentId], AsyncGenerator[object, None]]

SLICES: dict[str, Slices] = {
    "fetch": lambda account, mailbox, content: account.fetch(mailbox, EVERYTHING, (Column.ENVELOPE, Column.RAW)),
    "lines": lambda account, mailbox, content: account.lines(
        mailbox, Uids.span(1, MANY), Form((b"x" * 1000, Column.ENVELOPE)), int
    ),
    "content": lambda account, mailbox, content: account.content(content, 0, 2**40),
}


@pytest.mark.parametrize("slices", SLICES.values(), ids=SLICES)
async def test_a_reader_that_stops_before_the_end_holds_nothing(account: Account, slices: Slices) -> None:
    mailbox = await fill(account, MANY)
    await account.append(mailbox, [incoming(octets=raw(text="x" * 2_000_000))])
    content = await one(account, mailbox, MANY + 1, Column.CONTENT)
    assert isinstance(content, int)
    begun = [slices(account, mailbox, ContentId(content)) for _ in range(TIMES)]
    for reader in begun:
        assert await anext(reader)
    async with asyncio.timeout(30):
        # they are not read on, and a change waits for none of them
        await account.store_flags(mailbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Seen"}))
        assert len(await fetched(account, mailbox, EVERYTHING, Column.RAW)) == MANY + 1
        for reader in begun:
            await reader.aclose()
        await account.remove(mailbox, EVERYTHING)
        assert (await account.mailbox("INBOX")).messages == 0
