"""Properties of a session that a transcript cannot show: pipelined commands, and bugs that do not end it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from mektup.imap.table import TABLE, CommandRow, SessionState, Tells
from mektup.terms.flags import FlagChange
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


async def test_expunge_waits_for_pipelined_sequence_numbers(given: Given) -> None:
    # RFC 9051 §5.5: the client wrote FETCH 2 when two messages were there, so 2 must still mean the second
    account = await given.account()
    for _ in range(2):
        await append(account, MESSAGE)
    async with Dialogue(ImapSession, given.services) as dialogue:
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


async def test_expunge_does_not_wait_for_commands_without_sequence_numbers(given: Given) -> None:
    account = await given.account()
    for _ in range(2):
        await append(account, MESSAGE)
    async with Dialogue(ImapSession, given.services) as dialogue:
        await log_in(dialogue)
        await expunge_first(given)
        dialogue.send(b"c NOOP\r\nd UID FETCH 2 (UID)\r\n")
        told = await dialogue.until(b"d OK FETCH completed\r\n")
    assert told.splitlines()[:2] == [b"* 1 EXPUNGE", b"c OK NOOP completed"]


async def test_a_bug_is_answered_and_logged_and_the_session_lives(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(session: ImapSession, request: requests.Noop) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setitem(TABLE, requests.Noop, CommandRow("NOOP", frozenset(SessionState), Tells.ALL, broken))
    async with Dialogue(ImapSession, given.services) as dialogue:
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

    async with Dialogue(ImapSession, given.services) as dialogue:
        await log_in(dialogue)
        monkeypatch.setattr(type(account), "target", lambda self, name: broken(name))
        dialogue.send(b"c APPEND INBOX {5}\r\n")
        assert (await dialogue.line()).startswith(b"c NO [SERVERBUG] ")
        dialogue.send(b"d NOOP\r\n")
        await dialogue.until(b"d OK NOOP completed\r\n")


async def test_connections_of_an_account_are_limited(given: Given) -> None:
    open_ones = [given.services.authenticator.connections.open((await given.account()).id) for _ in range(100)]
    async with Dialogue(ImapSession, given.services) as dialogue:
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
    async with Dialogue(ImapSession, given.services) as dialogue:
        await log_in(dialogue)
        dialogue.send(b"c SEARCH " + keys + b"\r\n")
        assert await dialogue.line() == b"* SEARCH 1"


STORES = (
    b"c STORE 1 +FLAGS (\\Flagged)",
    b"d STORE 1 FLAGS (\\Seen $new)",
    b"e STORE 9 +FLAGS (\\Flagged)",
    b"f UID STORE 2 +FLAGS.SILENT (\\Deleted)",
    b"g STORE 1:2 -FLAGS (\\Seen)",
    b"h STORE 2 +FLAGS (\\Recent)",
    b"i STORE 2 -FLAGS.SILENT (\\Deleted $other)",
    b"j UID STORE 7 +FLAGS (\\Seen)",
    b"k FETCH 1:2 FLAGS",
)


@pytest.mark.parametrize("enabled", [b"NOTHING", b"CONDSTORE", b"QRESYNC"])
async def test_pipelined_stores_are_answered_as_if_sent_alone(given: Given, enabled: bytes) -> None:
    # pipelined STOREs share a transaction, and the answers must not show it
    answers = []
    for ahead in (True, False):
        account = await given.add(f"ahead{ahead}")
        for _ in range(2):
            await append(account, MESSAGE)
        async with Dialogue(ImapSession, given.services) as dialogue:
            user = str(ahead).encode()
            dialogue.send(b"a LOGIN ahead%b Pa$$123\r\nb ENABLE %b\r\nb SELECT INBOX\r\n" % (user, enabled))
            await dialogue.until(b"b OK [READ-WRITE] Opened\r\n")
            told = []
            if ahead:
                dialogue.send(b"\r\n".join((*STORES, b"")))
                told.append(await dialogue.until(b"k OK FETCH completed\r\n"))
            else:
                for line in STORES:
                    dialogue.send(line + b"\r\n")
                    while not told or not told[-1].startswith(line[:2]):
                        told.append(await dialogue.line() + b"\r\n")
            answers.append(b"".join(told))
    assert answers[0].splitlines() == answers[1].splitlines()
    first, c, second, d = [line for line in answers[0].splitlines() if re.match(rb"\* 1 FETCH|[cd] ", line)][:4]
    assert (c, d) == (b"c OK STORE completed", b"d OK STORE completed")
    assert b"FLAGS (\\Flagged \\Recent)" in first
    assert b"FLAGS (\\Seen $new \\Recent)" in second
    modseqs = re.findall(rb"MODSEQ \((\d+)\)", first + second)
    assert len(set(modseqs)) == len(modseqs) == (0 if enabled == b"NOTHING" else 2)


async def test_a_failed_store_does_not_affect_other_pipelined_ones(given: Given) -> None:
    account = await given.account()
    await append(account, MESSAGE)
    selection = await account.select("INBOX", claim_recent=False)
    many = frozenset(f"k{number}" for number in range(given.services.limits.keywords_per_mailbox - 1))
    await account.store_flags(selection.mailbox.id, selection.uids, FlagChange.ADD, many)
    async with Dialogue(ImapSession, given.services) as dialogue:
        await log_in(dialogue)
        dialogue.send(b"c STORE 1 FLAGS (last)\r\nd STORE 1 FLAGS (more)\r\ne STORE 1 FLAGS (k1)\r\n")
        told = await dialogue.until(b"e OK STORE completed\r\n")
    lines = [line for line in told.splitlines() if not line.startswith((b"* FLAGS", b"* OK"))]
    assert lines == [
        b"* 1 FETCH (FLAGS (last \\Recent))",
        b"c OK STORE completed",
        b"d NO [LIMIT] A mailbox has at most 1000 keywords",
        b"* 1 FETCH (FLAGS (k1 \\Recent))",
        b"e OK STORE completed",
    ]


async def test_a_bug_in_pipelined_stores_leaves_none_without_an_answer(
    given: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await given.account()
    await append(account, MESSAGE)

    async def broken(*arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    async with Dialogue(ImapSession, given.services) as dialogue:
        await log_in(dialogue)
        monkeypatch.setattr(type(account), "store_flags_in_turn", broken)
        dialogue.send(b"c STORE 1 FLAGS (a)\r\nd STORE 1 FLAGS (b)\r\ne STORE 1 FLAGS (c)\r\nf NOOP\r\n")
        told = await dialogue.until(b"f OK NOOP completed\r\n")
    tagged = [line[:4] for line in told.splitlines() if not line.startswith(b"*")]
    assert tagged == [b"c NO", b"d NO", b"e OK", b"f OK"], "the last one is alone, and needs no batch"
