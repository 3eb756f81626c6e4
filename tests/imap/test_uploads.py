"""The messages of one APPEND, however many, hold little memory."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from mektup.imap.uploads import HELD_BYTES, Uploads
from mektup.session.services import Services
from mektup.store.spool import MEMORY_BYTES, Spool
from mektup.terms.peer import Peer
from mektup.wire.receiver import LiteralOffered, RawCommand
from mektup.wire.requests import AppendStart
from tests.support.dialogue import BusyPeer, Dialogue
from tests.support.services import Given, given_services, messages

PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--b\r\n\r\n" * 200


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def offer(size: int) -> LiteralOffered:
    return LiteralOffered(RawCommand((b"b APPEND INBOX",)), size, synchronizing=False, binary=False)


async def test_memory_of_an_append_is_bounded(given: Given) -> None:
    sessions: list[ImapSession] = []

    def begin(peer: Peer, services: Services) -> ImapSession:
        sessions.append(ImapSession(peer, services))
        return sessions[0]

    async with Dialogue(begin, given.services) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        uploads, start = Uploads(), AppendStart(b"b", "INBOX", (), None)
        most, spools, files = 0, list[Spool](), open_files()
        for _ in range(200):
            spools.append(await uploads.admit(sessions[0], start, offer(300_000)))
            for _ in range(3):
                spools[-1].write(b"y" * 100_000)
                most = max(most, sum(each.in_memory for each in spools))
        assert HELD_BYTES / 2 < most < HELD_BYTES + MEMORY_BYTES
        assert open_files() == files + 1
        uploads.close()
        assert open_files() == files


async def test_parts_of_a_catenate_are_never_whole_in_memory(given: Given) -> None:
    """A message of 6 MiB is put together three times in one message; memory holds some pieces of it."""
    async with Dialogue(ImapSession, given.services) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        body = b"z" * 76 + b"\r\n"
        large = b"Subject: x\r\n\r\n" + body * 80_000
        assert b"a OK" in await dialogue.ask(b"a APPEND INBOX {%d+}\r\n%b" % (len(large), large))
        url = b'URL "/INBOX/;UID=1/;SECTION=TEXT"'
        tracemalloc.start()
        answer = await dialogue.ask(b'b APPEND INBOX CATENATE (URL "/INBOX/;UID=1" %b %b)' % (url, url))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert b"b OK [APPENDUID" in answer
        assert peak < len(large)


async def test_a_client_that_sends_many_messages_ahead_gives_way_between_them(given: Given) -> None:
    async with Dialogue(ImapSession, given.services, peer=BusyPeer) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        peer = dialogue.peer
        assert isinstance(peer, BusyPeer)
        peer.turns = 0
        dialogue.send(b"b APPEND INBOX" + b" {3+}\r\nx\r\n" * 100 + b"\r\n")
        assert (await dialogue.line()).startswith(b"b OK [APPENDUID ")
        # as each is announced, and as each is prepared
        assert peer.turns >= 2 * 99


async def test_the_messages_of_an_append_are_limited_together(given: Given) -> None:
    async with Dialogue(ImapSession, given.limited(message_bytes=25)) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        dialogue.send(b"b APPEND INBOX" + b" {10+}\r\n12345678\r\n" * 3 + b"\r\n")
        assert (await dialogue.line()).startswith(b"b NO [TOOBIG]")
        dialogue.send(b"c APPEND INBOX" + b" {10+}\r\n12345678\r\n" * 2 + b"\r\n")
        assert (await dialogue.line()).startswith(b"c OK [APPENDUID ")


async def test_many_large_messages_of_an_append_are_stored_as_they_came(given: Given) -> None:
    mails = [b"Subject: %d\r\n\r\n" % number + b"%d\r\n" % number * 100_000 for number in range(20)]
    async with Dialogue(ImapSession, given.services) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        dialogue.send(b"b APPEND INBOX" + b"".join(b" {%d+}\r\n%b" % (len(mail), mail) for mail in mails) + b"\r\n")
        assert (await dialogue.line()).startswith(b"b OK [APPENDUID ")
    assert await messages(await given.account()) == mails


async def test_rendered_octets_of_an_append_are_bounded(given: Given) -> None:
    async with Dialogue(ImapSession, given.limited(append_rendered_bytes=30_000)) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        one = b" {%d+}\r\n%b" % (len(PARTS), PARTS)
        dialogue.send(b"b APPEND INBOX" + one * 10 + b"\r\nc STATUS INBOX (MESSAGES)\r\nd APPEND INBOX" + one + b"\r\n")
        assert (await dialogue.line()).startswith(b"b NO [LIMIT]")
        assert await dialogue.line() == b"* STATUS INBOX (MESSAGES 0)"
        assert (await dialogue.lines(2))[1].startswith(b"d OK [APPENDUID ")
