"""A FETCH of many messages has the same lines as a FETCH of each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise

import pytest

from mektup.imap.session import ImapSession
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services

MESSAGES = 40
LINES = b'Subject: n\xc3\xbcmber %d\r\nFrom: "a % b" <a@example.org>\r\nContent-Type: text/html\r\n\r\ntext\r\n'


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for number in range(MESSAGES):
            await append(account, LINES.replace(b"%d", b"%d" % number))
        mailbox = (await account.mailbox("INBOX")).id
        for uid, flags in ((2, {"\\Seen"}), (5, {"\\Seen", "$Label"}), (MESSAGES, {"\\Deleted"})):
            await account.store_flags(mailbox, NumberSet.of([Uid(uid)]), FlagChange.ADD, frozenset(flags))
        yield services


LISTS = [
    b"(UID FLAGS)",
    b"FLAGS",
    b"(UID BODYSTRUCTURE)",
    b"(BODY EMAILID)",
    b"(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)",
    b"(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
    b"(FLAGS MODSEQ)",
]


@pytest.mark.parametrize("opened", ["SELECT", "EXAMINE", "SELECT again", "SELECT with some recent"])
@pytest.mark.parametrize("gone", [(), (17,), (1, 3, 9, 10, 40)])
async def test_a_fetch_of_many_equals_fetches_of_each(given: Given, gone: tuple[int, ...], opened: str) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    if opened == "SELECT again":
        await account.select("INBOX", claim_recent=True)
    if opened == "SELECT with some recent":
        await account.select("INBOX", claim_recent=True)
        await append(account, LINES)
    await account.remove(mailbox, NumberSet.of([Uid(uid) for uid in gone]))
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb %b INBOX\r\n" % opened.split()[0].encode())
        await dialogue.until(b"] Opened\r\n")
        dialogue.send(b"b ENABLE CONDSTORE\r\n")
        await dialogue.until(b"b OK ENABLE completed\r\n")
        for items in LISTS:
            each = b""
            for number in range(1, (await account.mailbox("INBOX")).messages + 1):
                dialogue.send(b"c FETCH %d %b\r\nd NOOP\r\n" % (number, items))
                each += (await dialogue.until(b"c OK FETCH completed\r\n")).removesuffix(b"c OK FETCH completed\r\n")
                await dialogue.until(b"d OK NOOP completed\r\n")
            dialogue.send(b"e FETCH 1:* %b\r\n" % items)
            assert await dialogue.until(b"e OK FETCH completed\r\n") == each + b"e OK FETCH completed\r\n"


@pytest.mark.parametrize("gone", [(), (17,), (1, 3, 9, 10, 40)])
async def test_uidonly_differs_only_in_the_begin_of_a_line(given: Given, gone: tuple[int, ...]) -> None:
    """RFC 9586 §3.3: a UIDFETCH response has the items of a FETCH response."""
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    await account.select("INBOX", claim_recent=True)
    await account.remove(mailbox, NumberSet.of([Uid(uid) for uid in gone]))
    uids = [uid for uid in range(1, MESSAGES + 1) if uid not in gone]
    told = []
    for enabled in (b"CONDSTORE", b"CONDSTORE UIDONLY"):
        async with Dialogue(ImapSession, given.services) as dialogue:
            dialogue.send(b"a LOGIN linda Pa$$123\r\nb ENABLE %b\r\nb EXAMINE INBOX\r\n" % enabled)
            await dialogue.until(b"] Opened\r\n")
            answers = []
            for items in (*LISTS, b"BODY.PEEK[]", b"(BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[3] BODY.PEEK[4])"):
                rest = items.strip(b"()").replace(b"UID ", b"")
                dialogue.send(b"e UID FETCH 1:* (UID %b)\r\n" % rest)
                answers.append(await dialogue.until(b"e OK FETCH completed\r\n"))
            told.append(answers)
    for one, other in zip(*told, strict=True):
        for seq, uid in enumerate(uids, 1):
            before, after = b"* %d FETCH (UID %d" % (seq, uid), b"* %d UIDFETCH (UID %d" % (uid, uid)
            assert one.count(before) == 1
            one = one.replace(before, after)
        assert one == other


async def test_a_fetch_of_an_expunged_message_tells_the_rest(given: Given) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await dialogue.until(b"] Opened\r\n")
        await account.remove(mailbox, NumberSet.of([Uid(20)]))
        dialogue.send(b"c FETCH 1:* (UID)\r\n")
        told = await dialogue.until(b"c OK [EXPUNGEISSUED] Some messages no longer exist\r\n")
    assert told.splitlines()[:-1] == [b"* %d FETCH (UID %d)" % (uid, uid) for uid in range(1, 41) if uid != 20]


@pytest.mark.parametrize("rounds", [3, 20])
async def test_recent_messages_between_others(given: Given, rounds: int) -> None:
    account = await given.account()
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await dialogue.until(b"] Opened\r\n")
        for number in range(rounds):
            for claim in (b"c NOOP\r\n", b""):
                for _ in range(9):
                    await append(account, LINES.replace(b"%d", b"%d" % number))
                dialogue.send(claim or b"c STATUS INBOX (MESSAGES)\r\n")
                if not claim:
                    await account.select("INBOX", claim_recent=True)
                await dialogue.until(b"completed\r\n")
        each = b""
        dialogue.send(b"c NOOP\r\n")
        await dialogue.until(b"c OK NOOP completed\r\n")
        for number in range(1, MESSAGES + 18 * rounds + 1):
            dialogue.send(b"d FETCH %d (UID FLAGS)\r\n" % number)
            each += (await dialogue.until(b"d OK FETCH completed\r\n")).removesuffix(b"d OK FETCH completed\r\n")
        dialogue.send(b"e FETCH 1:* (UID FLAGS)\r\n")
        assert await dialogue.until(b"e OK FETCH completed\r\n") == each + b"e OK FETCH completed\r\n"
    recent = [b"Recent" in line for line in each.splitlines()]
    assert sum(one != other for one, other in pairwise(recent)) >= 2 * rounds - 1


async def test_flags_that_come_up_in_a_later_slice(given: Given) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    await account.copy(mailbox, NumberSet.span(1, MESSAGES), "Archive")
    archive = (await account.mailbox("Archive")).id
    for _ in range(6):
        await account.copy(archive, NumberSet.span(1, 2**31), "Archive")
    count = (await account.mailbox("Archive")).messages
    for number in range(0, count, 300):
        some = NumberSet.span(Uid(number + 1), Uid(number + 300))
        await account.store_flags(archive, some, FlagChange.ADD, frozenset({f"$K{number}"}))
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb EXAMINE Archive\r\n")
        await dialogue.until(b"] Opened\r\n")
        for _ in range(2):
            dialogue.send(b"c FETCH 1:* (FLAGS)\r\n")
            told = (await dialogue.until(b"c OK FETCH completed\r\n")).splitlines()
            assert [int(line.split()[1]) for line in told[:-1]] == list(range(1, count + 1))
            assert all(b"$K%d" % ((number - 1) // 300 * 300) in told[number - 1] for number in (1, 300, 301, count))
