"""INPROGRESS comes between two whole lines, wherever a command awaits (RFC 9585)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from math import inf

import pytest

from mektup.imap.session import ImapSession
from mektup.session.services import Services
from mektup.terms.peer import Peer
from tests.support.dialogue import BusyPeer, Dialogue
from tests.support.services import Given, append, given_services

PROGRESS = b'* OK [INPROGRESS ("c" NIL NIL)] Still working on it\r\n'
LARGE = b"Subject: x\r\n\r\n" + (b"y" * 98 + b"\r\n") * 2500
SECTION = b"BODY.PEEK[]"


class TellingPeer(BusyPeer):
    """A peer whose session is asked to tell of its progress at each turn that it gives up, as if long had passed."""

    session: ImapSession | None = None

    async def drain(self) -> None:
        if self.session is not None:
            self.session._progress_told = 0.0
            self.session.tell_progress(inf)
        await super().drain()


def begin(peer: Peer, services: Services) -> ImapSession:
    session = ImapSession(peer, services)
    assert isinstance(peer, TellingPeer)
    peer.session = session
    return session


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for _ in range(2):
            await append(account, LARGE)
        await account.create("many")
        for number in range(1200):
            await append(account, b"Subject: %d\r\n\r\nx\r\n" % number, "many")
        yield services


async def answer(dialogue: Dialogue, *commands: bytes) -> bytes:
    """The answer to the last one of *commands*."""
    for command in commands:
        dialogue.send(b"c %b\r\n" % command)
        told = await dialogue.until(b"c OK ") + await dialogue.until(b"\r\n")
    return told


@pytest.mark.parametrize(
    "commands",
    [
        [b"SELECT INBOX", b"FETCH 1:* (%b)" % SECTION],
        [b"EXAMINE many", b"FETCH 1:* (FLAGS ENVELOPE)"],
        [b"SELECT many", b"STORE 1:600 +FLAGS (\\Seen)", b"SEARCH OR SEEN UNSEEN"],
        [b"SELECT many", b"SORT (REVERSE ARRIVAL) UTF-8 ALL"],
        [b"SELECT many", b"SORT RETURN (ALL COUNT) (REVERSE ARRIVAL) UTF-8 ALL"],
        [b"SELECT many", b"THREAD REFERENCES UTF-8 ALL"],
        [b"SELECT many", b"COPY 1:* INBOX"],
        [b'SETMETADATA INBOX (/private/a "x" /private/b "y")', b"GETMETADATA (DEPTH infinity) INBOX /private"],
        [b'LIST "" *'],
    ],
)
async def test_a_line_is_never_broken(given: Given, commands: Sequence[bytes]) -> None:
    async with Dialogue(ImapSession, given.services, peer=BusyPeer) as plain:
        expected = await answer(plain, b"LOGIN linda Pa$$123", *commands)
    async with Dialogue(begin, given.services, peer=TellingPeer) as dialogue:
        told = await answer(dialogue, b"LOGIN linda Pa$$123", *commands)
    whole = [line for line in told.splitlines(keepends=True) if line != PROGRESS]
    assert b"INPROGRESS" not in b"".join(whole)
    if b"COPY" not in commands[-1]:
        assert b"".join(whole) == expected


async def test_a_command_with_many_lines_is_told_to_go_on(given: Given) -> None:
    async with Dialogue(begin, given.services, peer=TellingPeer) as dialogue:
        told = await answer(dialogue, b"LOGIN linda Pa$$123", b"SELECT many", b"FETCH 1:* (FLAGS ENVELOPE)")
    assert PROGRESS in told


async def test_a_tag_that_could_end_the_code_is_left_out(given: Given) -> None:
    async with Dialogue(begin, given.services, peer=TellingPeer) as dialogue:
        await answer(dialogue, b"LOGIN linda Pa$$123", b"SELECT many")
        dialogue.send(b"d]e FETCH 1:* (FLAGS ENVELOPE)\r\n")
        told = await dialogue.until(b"d]e OK ")
    assert b"* OK [INPROGRESS (NIL NIL NIL)] Still working on it\r\n" in told
    assert told.count(b"d]e") == 1
