"""A FETCH of many messages has the same lines as a FETCH of each."""

from __future__ import annotations

from collections.abc import AsyncIterator

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


async def test_a_fetch_of_an_expunged_message_tells_the_rest(given: Given) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await dialogue.until(b"] Opened\r\n")
        await account.remove(mailbox, NumberSet.of([Uid(20)]))
        dialogue.send(b"c FETCH 1:* (UID)\r\n")
        told = await dialogue.until(b"c OK [EXPUNGEISSUED] Some messages are gone\r\n")
    assert told.splitlines()[:-1] == [b"* %d FETCH (UID %d)" % (uid, uid) for uid in range(1, 41) if uid != 20]
