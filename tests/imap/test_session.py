"""What a transcript cannot show of a session: commands that were sent ahead, and bugs that it lives through."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import Session
from mektup.imap.table import TABLE, Row, State, Tells
from mektup.wire import requests
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services

MESSAGE = b"Subject: x\r\n\r\ny\r\n"


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        yield services


async def log_in(dialogue: Dialogue) -> None:
    dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
    await dialogue.until(b"b OK [READ-WRITE] Opened\r\n")


async def expunge_first(given: Given) -> None:
    account = await given.account()
    selection = await account.select("INBOX", claim_recent=False)
    await account.remove(selection.mailbox.id, selection.uids - (selection.uids - type(selection.uids).span(1, 1)))


async def test_expunge_waits_for_numbers_that_were_sent_ahead(given: Given) -> None:
    # RFC 9051 §5.5: the client wrote FETCH 2 when two messages were there, so 2 must still mean the second
    account = await given.account()
    for _ in range(2):
        await append(account, MESSAGE)
    async with Dialogue(Session, given.services) as dialogue:
        await log_in(dialogue)
        await expunge_first(given)
        dialogue.send(b"c NOOP\r\nd FETCH 2 (UID)\r\ne NOOP\r\n")
        told = await dialogue.until(b"e OK NOOP completed\r\n")
    assert told.splitlines() == [
        b"c OK NOOP completed",
        b"* 2 FETCH (UID 2)",
        b"d OK FETCH completed",
        b"* 1 EXPUNGE",
        b"e OK NOOP completed",
    ]


async def test_expunge_does_not_wait_for_what_uses_no_numbers(given: Given) -> None:
    account = await given.account()
    for _ in range(2):
        await append(account, MESSAGE)
    async with Dialogue(Session, given.services) as dialogue:
        await log_in(dialogue)
        await expunge_first(given)
        dialogue.send(b"c NOOP\r\nd UID FETCH 2 (UID)\r\n")
        told = await dialogue.until(b"d OK FETCH completed\r\n")
    assert told.splitlines()[:2] == [b"* 1 EXPUNGE", b"c OK NOOP completed"]


async def test_a_bug_is_answered_and_logged_and_the_session_lives(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(session: Session, request: requests.Noop) -> bytes | None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(TABLE, requests.Noop, Row("NOOP", frozenset(State), Tells.ALL, broken))
    async with Dialogue(Session, given.services) as dialogue:
        await dialogue.line()
        dialogue.send(b"a NOOP\r\nb CAPABILITY\r\n")
        told = await dialogue.until(b"b OK CAPABILITY completed\r\n")
    assert told.startswith(b"a NO [SERVERBUG] ")
    assert given.services.session_id.encode() in told
    assert "command_failed" in given.events
    assert given.services.tally.bugs == 1


async def test_a_bug_in_admitting_a_literal_is_answered_too(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await given.account()

    async def broken(name: str) -> None:
        raise ZeroDivisionError("a bug")

    async with Dialogue(Session, given.services) as dialogue:
        await log_in(dialogue)
        monkeypatch.setattr(type(account), "mailbox", lambda self, name: broken(name))
        dialogue.send(b"c APPEND INBOX {5}\r\n")
        assert (await dialogue.line()).startswith(b"c NO [SERVERBUG] ")
        dialogue.send(b"d NOOP\r\n")
        await dialogue.until(b"d OK NOOP completed\r\n")


async def test_an_account_has_so_many_connections_and_no_more(given: Given) -> None:
    open_ones = [given.services.authenticator.connections.open((await given.account()).id) for _ in range(100)]
    async with Dialogue(Session, given.services) as dialogue:
        await dialogue.line()
        dialogue.send(b"a LOGIN linda Pa$$123\r\n")
        assert (await dialogue.line()).startswith(b"a NO [LIMIT] ")
        open_ones.pop().close()
        dialogue.send(b"b LOGIN linda Pa$$123\r\n")
        assert (await dialogue.line()).startswith(b"b OK ")


async def test_or_chains_of_hundreds_are_answered(given: Given) -> None:
    # mail clients look for many Message-IDs at once with a chain of OR
    await append(await given.account(), b"Message-ID: <m399@x>\r\n\r\ny\r\n")
    keys = b"".join(b"OR HEADER Message-ID <m%d@x> " % n for n in range(399)) + b"HEADER Message-ID <m399@x>"
    async with Dialogue(Session, given.services) as dialogue:
        await log_in(dialogue)
        dialogue.send(b"c SEARCH " + keys + b"\r\n")
        assert await dialogue.line() == b"* SEARCH 1"
