"""Pipelined FETCHes are answered as if each had been sent alone."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services

SMALL = b"Subject: small\r\n\r\nfirst line\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"x" * 256 * 1024 + b"\r\n"
MESSAGES = [SMALL, LARGE, SMALL, SMALL, LARGE, SMALL]

LOGIN = b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n"
SELECTED = b"b OK [READ-WRITE] Opened\r\n"


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for message in MESSAGES:
            await append(account, message)
        await account.select("INBOX", claim_recent=True)  # so that each session sees the same flags
        yield services


async def said(given: Given, commands: list[bytes], *, by_octet: bool = False) -> bytes:
    """The answers to *commands*, each of which gets a tag. *by_octet* sends octet by octet, so nothing is pipelined."""
    tagged = [b"c%d %b\r\n" % (number, command) for number, command in enumerate(commands)]
    async with Dialogue(ImapSession, given.services, by_octet=by_octet) as dialogue:
        dialogue.send(LOGIN)
        await dialogue.until(SELECTED)
        dialogue.send(b"".join(tagged) + b"d LOGOUT\r\n")
        return await dialogue.rest()


PARTIAL = b"UID FETCH %d (BODY.PEEK[1]<0.7>)"
POOL = [
    b"UID FETCH %d (FLAGS)",
    b"UID FETCH %d (FLAGS)",
    b"FETCH %d (FLAGS)",
    PARTIAL,
    PARTIAL,
    PARTIAL,
    b"UID FETCH %d (BODY.PEEK[])",
    b"UID FETCH %d (BODY.PEEK[])",
    b"UID FETCH %d (BODY.PEEK[HEADER.FIELDS (SUBJECT)])",
    b"UID FETCH %d (BINARY.PEEK[1])",
    b"FETCH %d:* (UID)",
    b"UID FETCH %d (MODSEQ)",
    b"UID FETCH %d (FLAGS) (CHANGEDSINCE 1)",
    b"UID FETCH %d BODY.PEEK[",
    b"UID FETCH %d (BODY[TEXT]<0.3>)",
    b"UID STORE %d +FLAGS.SILENT (\\Seen)",
    b"NOOP",
]


@pytest.mark.parametrize("seed", range(12))
async def test_pipelined_fetches_are_answered_as_if_sent_alone(given: Given, seed: int) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    chance = random.Random(seed)
    commands = [
        form % chance.randint(1, len(MESSAGES) + 2) if b"%d" in form else form
        for form in (kind for _ in range(12) for kind in [chance.choice(POOL)] * chance.randint(1, 4))
    ]
    await account.store_flags(mailbox, NumberSet.span(1, len(MESSAGES)), FlagChange.REPLACE, frozenset({"\\Seen"}))
    assert await said(given, commands) == await said(given, commands, by_octet=True)


async def test_each_fetch_has_its_lines_before_its_tagged_answer(given: Given) -> None:
    told = await said(given, [PARTIAL % uid for uid in (4, 1, 4, 99, 3)])
    assert told.splitlines()[:-2] == [
        line
        for number, uid in enumerate((4, 1, 4, None, 3))
        for line in (
            *((b"* %d FETCH (UID %d BODY[1]<0> {7}" % (uid, uid), b"first l)") if uid else ()),
            b"c%d OK FETCH completed" % number,
        )
    ]


async def test_only_the_fetch_of_an_expunged_message_says_expungeissued(given: Given) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(LOGIN)
        await dialogue.until(SELECTED)
        await account.remove(mailbox, NumberSet.of([Uid(3)]))
        dialogue.send(b"c FETCH 1 UID\r\nd FETCH 3 UID\r\ne FETCH 4 UID\r\n")
        told = await dialogue.until(b"e OK FETCH completed\r\n")
    assert told.splitlines() == [
        b"* 1 FETCH (UID 1)",
        b"c OK FETCH completed",
        b"d OK [EXPUNGEISSUED] Some messages no longer exist",
        b"* 4 FETCH (UID 4)",
        b"e OK FETCH completed",
    ]


async def test_a_store_in_between_shows_only_in_later_fetches(given: Given) -> None:
    ask, change = b"UID FETCH 1 (FLAGS)", b"UID STORE 1 +FLAGS.SILENT (\\Flagged)"
    told = await said(given, [ask, ask, change, ask, ask])
    assert [b"\\Flagged" in line for line in told.splitlines() if line.startswith(b"* 1")] == [False, False, True, True]


async def test_more_fetches_than_one_query_answers(given: Given) -> None:
    told = await said(given, [b"UID FETCH 1 (UID)"] * 200)
    assert told.splitlines()[:-2] == [
        line for number in range(200) for line in (b"* 1 FETCH (UID 1)", b"c%d OK FETCH completed" % number)
    ]
