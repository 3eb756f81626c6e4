"""Whatever a command asks for, and however slowly the client reads, little output is queued at a time."""

from __future__ import annotations

from base64 import encodebytes
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mektup.imap.session import ImapSession
from mektup.store.sqlite import open_store
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import Uid
from mektup.terms.search import All
from mektup.terms.sets import NumberSet
from mektup.terms.sorting import ThreadAlgorithm
from tests.support.dialogue import Dialogue, ObservedPeer
from tests.support.services import Given, append, given_services

DUE = 64 * 1024
MOST = 1024 * 1024
"""The most octets that may be queued: the amount that makes a drain due, and one more piece."""

LARGE = b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 2500
CONTENT = bytes(range(256)) * 4000
ENCODED = (
    b"MIME-Version: 1.0\r\nContent-Type: application/zip\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + encodebytes(CONTENT).replace(b"\n", b"\r\n")
)
LONG_HEADER = b"From: a@x.example\r\n" + b"X-Filler: %b\r\n" % (b"z" * 900) * 600 + b"To: b@x.example\r\n\r\nbody\r\n"
KEYWORDS = tuple(f"a-keyword-that-is-rather-long-as-keywords-go-{number:03}" for number in range(100))


class CountingPeer(ObservedPeer):
    """Records the largest amount that was queued."""

    most = 0

    @property
    def is_due(self) -> bool:
        return len(self._queued) > DUE

    def write(self, octets: bytes) -> None:
        super().write(octets)
        self.most = max(self.most, len(self._queued))


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for raw in (LARGE, ENCODED, LONG_HEADER):
            await append(account, raw)
        many = await account.create("many")
        for number in range(300):
            await append(account, b"Subject: %d\r\n\r\nx\r\n" % number, "many")
        selection = await account.select("many", claim_recent=True)
        await account.store_flags(many.id, selection.uids, FlagChange.ADD, frozenset(KEYWORDS))
        for number in range(300):
            name = f"folder/{'n' * 200}{number}"
            await account.create(name)
            await account.subscribe(name)
        yield services


def dialogue_of(given: Given) -> Dialogue:
    dialogue = Dialogue(ImapSession, given.services)
    dialogue.peer.__class__ = CountingPeer
    return dialogue


async def begun(dialogue: Dialogue, mailbox: bytes) -> CountingPeer:
    dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT %b\r\n" % mailbox)
    await dialogue.until(b"] Opened\r\n")
    peer = dialogue.peer
    assert isinstance(peer, CountingPeer)
    peer.most = 0
    return peer


SECTIONS = b" ".join(b"BODY.PEEK[]<0.%d>" % (240_000 - number) for number in range(100))


@pytest.mark.parametrize(
    ("mailbox", "command"),
    [
        (b"INBOX", b"FETCH 1 (%b)" % SECTIONS),
        (b"INBOX", b"FETCH 1:* (BODY.PEEK[] BINARY.PEEK[1] BODY.PEEK[TEXT])"),
        (b"INBOX", b"FETCH 3 (BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS.NOT (FROM)] RFC822.HEADER)"),
        (b"many", b"FETCH 1:* FLAGS"),
        (b"many", b"FETCH 1:* (UID FLAGS MODSEQ)"),
        (b"many", b"FETCH 1:* (FLAGS BODY.PEEK[])"),
        (b"many", b"STORE 1:* +FLAGS (\\Seen one-more)"),
        (b"many", b"FETCH 1:* (BODY.PEEK[HEADER.FIELDS (%b)])" % b" ".join(b"X-%d" % n for n in range(2000))),
        (b"many", b'LIST "" *'),
        (b"many", b'LIST (SUBSCRIBED RECURSIVEMATCH) "" (folder * f%) RETURN (STATUS (MESSAGES UIDNEXT UIDVALIDITY))'),
        (b"many", b'LSUB "" *'),
    ],
    ids=lambda value: value[:40].decode() if isinstance(value, bytes) else value,
)
async def test_what_is_queued_is_bounded(given: Given, mailbox: bytes, command: bytes) -> None:
    async with dialogue_of(given) as dialogue:
        peer = await begun(dialogue, mailbox)
        dialogue.send(b"c %b\r\n" % command)
        answer = await dialogue.until(b"c OK ")
        assert len(answer) > DUE, "it would be bounded anyhow"
        assert peer.most < MOST


@pytest.mark.parametrize(
    ("command", "times"), [(b"SEARCH ALL", 2000), (b'LIST "" *', 20), (b"NOOP", 60_000), (b"FETCH 1:* UID", 300)]
)
async def test_answers_to_pipelined_commands_are_drained_in_between(given: Given, command: bytes, times: int) -> None:
    async with dialogue_of(given) as dialogue:
        peer = await begun(dialogue, b"many")
        dialogue.send(b"c %b\r\n" % command * times + b"d NOOP\r\n")
        answer = await dialogue.until(b"d OK ")
        assert answer.count(b"c OK ") == times
        assert peer.most < MOST


async def test_changes_by_another_session_are_told_in_pieces(given: Given) -> None:
    async with dialogue_of(given) as dialogue:
        peer = await begun(dialogue, b"many")
        account = await given.account()
        mailbox = await account.mailbox("many")
        uids = NumberSet.span(1, mailbox.uidnext - 1)
        await account.store_flags(mailbox.id, uids, FlagChange.ADD, frozenset({"\\Flagged"}))
        dialogue.send(b"c NOOP\r\n")
        answer = await dialogue.until(b"c OK ")
        assert answer.count(b"\\Flagged a-keyword") == 300
        assert peer.most < MOST


async def test_binary_of_a_large_part_is_decoded_piece_by_piece(given: Given) -> None:
    async with dialogue_of(given) as dialogue:
        peer = await begun(dialogue, b"INBOX")
        dialogue.send(b"c FETCH 2 (BINARY.SIZE[1] BINARY.PEEK[1]<500000.10> BINARY.PEEK[1])\r\n")
        answer = await dialogue.until(b"c OK ")
        size = len(CONTENT)
        expected = b"* 2 FETCH (BINARY.SIZE[1] %d BINARY[1]<500000> {10}\r\n%b BINARY[1] ~{%d}\r\n%b)\r\n"
        assert expected % (size, CONTENT[500000:500010], size, CONTENT) in answer
        assert peer.most < MOST


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (b"HEADER", LONG_HEADER.removesuffix(b"body\r\n")),
        (b"HEADER.FIELDS (TO FROM)", b"From: a@x.example\r\nTo: b@x.example\r\n\r\n"),
        (b"HEADER.FIELDS.NOT (X-FILLER)", b"From: a@x.example\r\nTo: b@x.example\r\n\r\n"),
        (b"HEADER]<2.8>[", b"om: a@x."),
    ],
)
async def test_a_large_header_is_read_piece_by_piece(given: Given, section: bytes, expected: bytes) -> None:
    async with dialogue_of(given) as dialogue:
        await begun(dialogue, b"INBOX")
        name, _, partial = section.partition(b"]")
        dialogue.send(b"c FETCH 3 BODY.PEEK[%b]%b\r\n" % (name, partial.removesuffix(b"[")))
        answer = await dialogue.until(b"c OK ")
        assert b" {%d}\r\n%b)\r\n" % (len(expected), expected) in answer


async def test_an_unknown_encoding_is_refused_before_the_line_begins(given: Given) -> None:
    await append(await given.account(), ENCODED.replace(b"base64", b"x-new"))
    async with dialogue_of(given) as dialogue:
        await begun(dialogue, b"INBOX")
        for items in (
            b"UID BINARY.PEEK[1]",
            b"UID BODY.PEEK[1]<0.1> BODY.PEEK[1]<0.2> BODY.PEEK[1]<0.3> BINARY.SIZE[1]",
        ):
            assert (await dialogue.ask(b"c FETCH 4 (%b)" % items)).startswith(b"c NO [UNKNOWN-CTE]")


async def test_threads_of_too_many_references_are_refused(tmp_path: Path) -> None:
    store = await open_store(tmp_path, limits=Limits(thread_references=50))
    try:
        entry = await store.directory.add("linda", {})
        account = await store.account(entry)
        inbox = (await account.mailbox("INBOX")).id
        references = b" ".join(b"<%d@x.example>" % number for number in range(20))
        for count in (2, 3):
            await append(account, b"References: %b\r\n\r\n%d\r\n" % (references, count))
            uids = NumberSet.span(Uid(1), Uid(count - 1))
            assert await account.thread(inbox, All(), uids, ThreadAlgorithm.REFERENCES)
        await append(account, b"References: %b\r\n\r\n4\r\n" % references)
        with pytest.raises(Refused) as refused:
            await account.thread(inbox, All(), NumberSet.span(Uid(1), Uid(3)), ThreadAlgorithm.REFERENCES)
        assert refused.value.code is Code.LIMIT
        assert await account.thread(inbox, All(), NumberSet.span(Uid(1), Uid(3)), ThreadAlgorithm.ORDEREDSUBJECT)
    finally:
        await store.close()
