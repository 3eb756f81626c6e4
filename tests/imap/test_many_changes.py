"""The answers about many messages, which other code makes, are the same as those about few."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from mektup.imap.commands import search
from mektup.imap.session import ImapSession
from mektup.imap.sync import updates
from mektup.store.sqlite import account as engine
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet
from tests.support.dialogue import BusyPeer, Dialogue
from tests.support.services import Given, append, given_services

MESSAGES = 20


@pytest.fixture
async def given() -> AsyncIterator[Given]:
    async with given_services() as services:
        account = await services.account()
        for number in range(MESSAGES):
            await append(account, b"Subject: %d\r\n\r\nx\r\n" % number)
        yield services


async def answer_to(given: Given, command: bytes) -> list[bytes]:
    """The untagged lines of the answer, without CRLF."""
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb ENABLE QRESYNC\r\n")
        await dialogue.until(b"b OK ")
        dialogue.send(b"c EXAMINE INBOX\r\nd %b\r\n" % command)
        await dialogue.until(b"c OK ")
        await dialogue.line()
        return await untagged(dialogue)


async def untagged(dialogue: Dialogue) -> list[bytes]:
    """The untagged lines of the answer to command d."""
    lines: list[bytes] = []
    while not (line := await dialogue.line()).startswith(b"d OK "):
        lines.append(line)
    return lines


def without_modseqs(lines: list[bytes]) -> list[bytes]:
    return [line.split(b" MODSEQ")[0] for line in lines if b" FETCH (" in line or b"VANISHED" in line]


async def test_a_client_that_missed_many_changes_is_told_each(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    account = await given.account()
    before = await account.mailbox("INBOX")
    changed = NumberSet.span(1, MESSAGES - 1)
    await account.store_flags(before.id, changed, FlagChange.ADD, frozenset({"\\Seen"}))
    await account.store_flags(before.id, NumberSet.span(20, 20), FlagChange.ADD, frozenset({"\\Deleted"}))
    await account.expunge(before.id, NumberSet.span(20, 20))
    back = b"EXAMINE INBOX (QRESYNC (%d %d))" % (before.uidvalidity, before.highestmodseq)
    few = without_modseqs(await answer_to(given, back))
    assert few[0] == b"* VANISHED (EARLIER) 20"
    assert [line.split()[1] for line in few[1:]] == [b"%d" % number for number in range(1, MESSAGES)]
    monkeypatch.setattr(engine, "FEW_CHANGED", 1)
    # another change, because the answer may be cached
    await account.store_flags(before.id, NumberSet.span(1, 1), FlagChange.ADD, frozenset({"\\Answered"}))
    many = without_modseqs(await answer_to(given, back))
    assert many[0] == few[0]
    assert b"\\Answered" in many[1]
    assert many[2:] == few[2:]


@pytest.mark.parametrize("enabled", [b"CONDSTORE", b"IMAP4rev2"])
async def test_any_number_of_flag_changes_elsewhere_is_told(
    given: Given, monkeypatch: pytest.MonkeyPatch, enabled: bytes
) -> None:
    account = await given.account()
    inbox = await account.mailbox("INBOX")
    told: list[list[bytes]] = []
    async with Dialogue(ImapSession, given.services) as dialogue:
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb ENABLE %b\r\nc SELECT INBOX\r\n" % enabled)
        await dialogue.until(b"c OK ")
        await dialogue.line()
        for most in (engine.FEW_CHANGED, 1):
            monkeypatch.setattr(engine, "FEW_CHANGED", most)
            for change in (FlagChange.REMOVE, FlagChange.ADD):
                await account.store_flags(inbox.id, NumberSet.span(3, 17), change, frozenset({"\\Seen"}))
            # this STORE tells its own flags, in rev2 without UIDs
            dialogue.send(b"d STORE 5:6 -FLAGS (\\Answered)\r\n")
            told.append(without_modseqs(await untagged(dialogue)))
    few, many = told
    assert len(few) == 15
    assert sorted(many) == sorted(few)


async def test_a_search_that_finds_many_names_each(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    few = await answer_to(given, b"SEARCH SUBJECT 1")
    every = await answer_to(given, b"SEARCH MODSEQ 1")
    assert every[0].startswith(b"* SEARCH 1 2 3 ")
    monkeypatch.setattr(search, "FEW_NUMBERS", 3)
    monkeypatch.setattr(search, "SLICE_NUMBERS", 2)
    assert await answer_to(given, b"SEARCH SUBJECT 1") == few
    assert await answer_to(given, b"SEARCH MODSEQ 1") == every


@pytest.mark.parametrize("enabled", [b"", b"QRESYNC"])
async def test_many_expunges_are_told_in_pieces(given: Given, monkeypatch: pytest.MonkeyPatch, enabled: bytes) -> None:
    """Thirty sessions may be told of tens of thousands at once; other sessions get turns in between."""
    monkeypatch.setattr(updates, "RANGES_OF_LINE", 2)
    account = await given.account()
    inbox = await account.mailbox("INBOX")
    gone = NumberSet.of([Uid(uid) for uid in range(1, MESSAGES, 2)])
    async with Dialogue(ImapSession, given.services, peer=BusyPeer) as dialogue:
        peer = dialogue.peer
        assert isinstance(peer, BusyPeer)
        dialogue.send(b"a LOGIN linda Pa$$123\r\nb ENABLE %b\r\nc SELECT INBOX\r\n" % (enabled or b"CONDSTORE"))
        await dialogue.until(b"c OK ")
        await dialogue.line()
        await account.remove(inbox.id, gone)
        turns = peer.turns
        dialogue.send(b"d NOOP\r\n")
        told = [line.split(b" ", 1)[1] for line in await untagged(dialogue)]
        assert peer.turns - turns >= MESSAGES / 2 / 2
        if enabled:
            assert told == [b"VANISHED 1,3", b"VANISHED 5,7", b"VANISHED 9,11", b"VANISHED 13,15", b"VANISHED 17,19"]
        else:
            assert told == [b"%d EXPUNGE" % number for number in range(1, MESSAGES // 2 + 1)]
        dialogue.send(b"d UID SEARCH ALL\r\n")
        left = [b"%d" % uid for uid in range(2, MESSAGES + 1, 2)]
        assert await untagged(dialogue) == [b"* SEARCH %b" % b" ".join(left)]
