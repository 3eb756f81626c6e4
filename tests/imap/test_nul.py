"""No string in a FETCH contains NUL (RFC 9051 §4.3.1), on any path; the sizes are those of the message."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services

MANY = 300
"""More than a block of kept header fields."""
SMALL = b"Subject: s\0mall\r\nX-N: \0\r\n\r\nte\0xt\r\n"
LARGE = b"Subject: l\0arge\r\n\r\n" + b"0123456789\0bcdef\r\n" * 40_000


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for _ in range(MANY):
            await append(account, SMALL)
        await append(account, LARGE)
        yield services


async def answers(given: Given, items: bytes, numbers: bytes) -> list[bytes]:
    """The answers to two equal FETCHes; the second may use data that the first has kept."""
    said: list[bytes] = []
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb EXAMINE INBOX\r\n")
        await dialogue.until(b"] Opened\r\n")
        for _ in range(2):
            dialogue.send(b"c FETCH %b %b\r\n" % (numbers, items))
            said.append(await dialogue.until(b"c OK FETCH completed\r\n"))
    return said


@pytest.mark.parametrize(
    "items",
    [
        b"BODY.PEEK[HEADER.FIELDS (X-N)]",
        b"(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT X-N)])",
        b"(UID BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT)])",
        b"BODY.PEEK[HEADER]",
        b"BODY.PEEK[]",
        b"BODY.PEEK[1]",
        b"RFC822.TEXT",
        b"(ENVELOPE BODYSTRUCTURE)",
    ],
)
async def test_many_small_messages(given: Given, items: bytes) -> None:
    first, second = await answers(given, items, b"1:300")
    assert b"\0" not in first
    assert first == second
    if b"[" in items:
        assert b"\x80" in first


@pytest.mark.parametrize("items", [b"BODY.PEEK[]", b"(BODY.PEEK[] FLAGS)", b"BODY.PEEK[TEXT]", b"BODY.PEEK[1]"])
async def test_a_large_body_that_is_streamed(given: Given, items: bytes) -> None:
    first, _ = await answers(given, items, b"301")
    assert b"\0" not in first
    octets = LARGE if b"[]" in items else LARGE.partition(b"\r\n\r\n")[2]
    assert b"{%d}\r\n%b" % (len(octets), octets.replace(b"\0", b"\x80")) in first


async def test_binary_gives_a_large_body_as_it_is(given: Given) -> None:
    first, _ = await answers(given, b"BINARY.PEEK[1]", b"301")
    octets = LARGE.partition(b"\r\n\r\n")[2]
    assert b"~{%d}\r\n%b" % (len(octets), octets) in first
