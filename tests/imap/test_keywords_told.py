"""FLAGS names a keyword before any command shows it; flag-extensions are never shown."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from mektup.imap.session import ImapSession
from mektup.store.interface import Incoming
from mektup.store.prepare import prepare_in_turn
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.support.dialogue import Dialogue
from tests.support.services import Given, append, given_services

MESSAGES = 30
SMALL = b"Subject: small\r\n\r\ntext\r\n"
LARGE = b"Subject: large\r\n\r\n" + b"0123456789abcdef\r\n" * 40_000
KEYWORD = re.compile(rb"\$\w+")


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for _ in range(MESSAGES):
            await append(account, SMALL)
        await append(account, LARGE)
        yield services


def untold(said: bytes) -> list[bytes]:
    """The keywords that FETCH lines of *said* show before FLAGS named them."""
    told: set[bytes] = set()
    early: list[bytes] = []
    for line in said.split(b"\r\n"):
        if line.startswith(b"* FLAGS "):
            told.update(KEYWORD.findall(line))
        elif b"FLAGS (" in line and not line.startswith(b"* OK"):
            early += [keyword for keyword in KEYWORD.findall(line) if keyword not in told]
    return early


COMMANDS = [
    b"FETCH 1 (FLAGS)",
    b"FETCH 1:31 (FLAGS)",
    b"UID FETCH 1:31 (UID FLAGS ENVELOPE)",
    b"FETCH 31 (BODY.PEEK[] FLAGS)",
    b"FETCH 31 (FLAGS BODY.PEEK[] FLAGS)",
    b"FETCH 1:31 (FLAGS BODY[1])",
    b"FETCH 1:31 (BODY.PEEK[HEADER.FIELDS (SUBJECT)] FLAGS)",
    b"FETCH 1:31 (FLAGS MODSEQ)",
    b"UID FETCH 1:31 (FLAGS) (CHANGEDSINCE 1)",
    b"FETCH 1 (FLAGS)\r\nc FETCH 2 (FLAGS)\r\nc FETCH 3 (FLAGS)",
    b"STORE 1:31 +FLAGS (\\Seen)",
    b"STORE 1:31 (UNCHANGEDSINCE 1) +FLAGS (\\Seen)",
    b"STORE 5 +FLAGS ($Mine)",
    b"STORE 5 -FLAGS (\\Seen)\r\nc STORE 6 +FLAGS ($Mine $New)",
    b"SEARCH RETURN (ALL) KEYWORD $New",
    b"NOOP",
    b"SORT (ARRIVAL) UTF-8 ALL",
    b"EXPUNGE",
    b"COPY 1 Trash",
]


@pytest.mark.parametrize("enabled", [b"CONDSTORE", b"QRESYNC", b"IMAP4rev2", None])
@pytest.mark.parametrize("command", COMMANDS)
async def test_flags_names_a_keyword_before_it_is_shown(given: Given, command: bytes, enabled: bytes | None) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\n")
        if enabled:
            dialogue.send(b"a ENABLE %b\r\n" % enabled)
        dialogue.send(b"b SELECT INBOX\r\n")
        said = await dialogue.until(b"] Opened\r\n")
        for turn, uids in enumerate(([1], range(1, 31), [31], range(5, 32))):
            # a change by another device: it is on disk, and this session was not told
            flags = frozenset({"$New", f"$N{turn}"})
            await account.store_flags(mailbox, NumberSet.of([Uid(uid) for uid in uids]), FlagChange.ADD, flags)
            for _ in range(2):
                dialogue.send(b"c %b\r\nd CHECK\r\n" % command)
                said += await dialogue.until(b"d OK CHECK completed\r\n")
        dialogue.send(b"e NOOP\r\n")
        said += await dialogue.until(b"e OK")
    assert untold(said) == []
    assert KEYWORD.search(said)


async def test_a_keyword_of_another_mailbox_is_not_told(given: Given) -> None:
    account = await given.account()
    trash = (await account.mailbox("Trash")).id
    await append(account, SMALL, "Trash")
    await account.store_flags(trash, NumberSet.of([Uid(1)]), FlagChange.ADD, frozenset({"$There"}))
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT Trash\r\nb FETCH 1:* (FLAGS)\r\nb SELECT INBOX\r\n")
        await dialogue.until(b"Opened\r\n")
        await dialogue.until(b"Opened\r\n")
        dialogue.send(b"c FETCH 1:* (FLAGS)\r\nd NOOP\r\n")
        said = await dialogue.until(b"d OK")
    assert b"$There" not in said


async def test_a_flag_extension_of_old_mail_is_never_shown(given: Given) -> None:
    account = await given.account()
    mailbox = (await account.mailbox("INBOX")).id
    old = frozenset({"\\NonJunk", "\\$Junk", "$Kept", "\\Seen"})
    await account.store_flags(mailbox, NumberSet.span(1, 20), FlagChange.ADD, old)
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        said = await dialogue.until(b"Opened\r\n")
        assert b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft $Kept)\r\n" in said
        for command in (b"FETCH 1:31 (FLAGS)", b"FETCH 1 (FLAGS)", b"STORE 1 +FLAGS (\\Flagged)", b"FETCH 2 (BODY[])"):
            dialogue.send(b"c %b\r\nd NOOP\r\n" % command)
            said += await dialogue.until(b"d OK")
        dialogue.send(b"e COPY 2 Trash\r\nf SELECT Trash\r\ng FETCH 1 (FLAGS)\r\nh NOOP\r\n")
        said += await dialogue.until(b"h OK")
    assert b"* 1 FETCH (FLAGS (\\Seen $Kept" in said
    assert b"unk" not in said


@pytest.mark.parametrize(
    "command",
    [
        b"FETCH 1:* (FLAGS)",
        b"FETCH 1:* (FLAGS BODY.PEEK[])",
        b"UID FETCH 1:* (UID FLAGS ENVELOPE)",
        b"FETCH 1 (FLAGS)\r\nc FETCH 2 (FLAGS)",
        b"STORE 1:* +FLAGS (\\Seen)",
        b"STORE 1:* -FLAGS ($Sound)",
    ],
)
@pytest.mark.parametrize("name", ["\u011f", "a)b", "x\r\n* BYE", "\\Foo", "", "a\0b"])
async def test_invalid_stored_flags_leave_the_mailbox_readable(name: str, command: bytes) -> None:
    """An older mektup stored such flags by ``Server.deliver``."""
    async with given_services() as given:
        account = await given.account()
        inbox = await account.mailbox("INBOX")
        arrival = await prepare_in_turn(SMALL)
        await account.append(inbox.id, [Incoming(arrival, frozenset({name, "$Sound"})), Incoming(arrival)])
        async with Dialogue(ImapSession, given.services) as client:
            await client.line()
            client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\nc " + command + b"\r\nd LOGOUT\r\n")
            said = await client.rest()
        assert b"\r\nc OK " in said
        assert b"SERVERBUG" not in said
        for wrong in ("\u011f".encode(), b"a)b", b"\r\n* BYE\r\n", b"Foo", b"\0"):
            assert wrong not in said.replace(b"* BYE Goodbye", b"")
        assert "command_failed" not in given.events
