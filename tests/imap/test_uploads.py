"""The messages of one APPEND, however many, hold little memory."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import Session
from mektup.imap.uploads import HELD_BYTES
from mektup.store.spool import MEMORY_BYTES, Spool
from tests.support.dialogue import Dialogue
from tests.support.services import Given, given_services

MAIL = b"Subject: x\r\n\r\n" + b"y" * 500_000
PARTS = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--b\r\n\r\n" * 200


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


async def test_what_an_append_holds_in_memory_is_bounded(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    spools: list[Spool] = []
    write = Spool.write

    def counted(spool: Spool, octets: bytes | memoryview) -> None:
        nonlocal most
        if spool not in spools:
            spools.append(spool)
        write(spool, octets)
        most = max(most, sum(each.in_memory for each in spools))

    monkeypatch.setattr(Spool, "write", counted)
    async with Dialogue(Session, given.services) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        dialogue.send(b"b APPEND INBOX" + b" {%d+}\r\n%b" % (len(MAIL), MAIL) * 20 + b"\r\n")
        assert (await dialogue.line()).startswith(b"b OK [APPENDUID ")
    assert len(spools) == 20
    assert HELD_BYTES / 2 < most < HELD_BYTES + MEMORY_BYTES


async def test_what_is_rendered_of_the_messages_of_an_append_is_bounded(given: Given) -> None:
    async with Dialogue(Session, given.limited(append_rendered_bytes=30_000)) as dialogue:
        await dialogue.line()
        await dialogue.ask(b"a LOGIN linda Pa$$123")
        one = b" {%d+}\r\n%b" % (len(PARTS), PARTS)
        dialogue.send(b"b APPEND INBOX" + one * 10 + b"\r\nc STATUS INBOX (MESSAGES)\r\nd APPEND INBOX" + one + b"\r\n")
        assert (await dialogue.line()).startswith(b"b NO [LIMIT]")
        assert await dialogue.line() == b"* STATUS INBOX (MESSAGES 0)"
        assert (await dialogue.lines(2))[1].startswith(b"d OK [APPENDUID ")
