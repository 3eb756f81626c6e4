"""A disk that fails during a session: OK means done, NO means unchanged, and mail can still be read."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mektup.imap.session import ImapSession
from mektup.store.interface import Account
from mektup.store.sqlite.file import wal_sync
from tests.support.dialogue import Dialogue
from tests.support.faulty_disk import FaultyDisk, failed, faulty_disk, full
from tests.support.services import Given, append, given_services, messages

RAW = b"Subject: x\r\n\r\ny\r\n"


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyDisk]:
    monkeypatch.setattr(wal_sync, "MENDING_SECONDS", 0.0)
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
async def given(disk: FaultyDisk, tmp_path: Path) -> AsyncIterator[Given]:
    async with given_services(tmp_path / "data") as given:
        yield given
        disk.works()


async def state(account: Account) -> dict[str, list[tuple[int, frozenset[str]]]]:
    """The UIDs and flags of each mailbox, by name; and the subscriptions."""
    found: dict[str, list[tuple[int, frozenset[str]]]] = {}
    for mailbox in await account.mailboxes():
        rows: list[tuple[int, frozenset[str]]] = []
        if mailbox.selectable:
            selection = await account.select(mailbox.name, claim_recent=False)
            changes = await account.touched(mailbox.id, type(mailbox.highestmodseq)(0))
            rows = [(uid, frozenset(account.flag_names(word))) for uid, word, _ in changes.flags or ()]
            assert len(rows) == len(selection.uids)
        found[mailbox.name] = rows
    found["subscribed"] = [(0, frozenset(await account.subscriptions()))]
    return found


async def lines_until(client: Dialogue, tag: bytes) -> list[bytes]:
    """The lines up to the tagged answer, including it."""
    lines = [await client.line()]
    while not lines[-1].startswith(tag):
        lines.append(await client.line())
    return lines


LITERAL = b"{%d+}\r\n%b" % (len(RAW), RAW)

COMMANDS = (
    b"APPEND Archive ($New) " + LITERAL,
    b"APPEND Archive " + LITERAL + b" ($One) " + LITERAL,
    b"UID COPY 1:2 Archive",
    b"UID MOVE 1:2 Archive",
    b"UID STORE 1 +FLAGS ($Important)",
    b"UID STORE 1:3 FLAGS.SILENT (\\Deleted)",
    b"EXPUNGE",
    b"CLOSE",
    b"CREATE a/b",
    b"DELETE Archive",
    b"RENAME Archive Older",
    b"SUBSCRIBE news",
)


@pytest.mark.parametrize("error", [full, failed])
@pytest.mark.parametrize("command", COMMANDS)
async def test_ok_means_done_and_no_means_unchanged(
    given: Given, disk: FaultyDisk, command: bytes, error: object
) -> None:
    # New mail is in the selected mailbox: claiming its \Recent is a second change after that of the command.
    account = await given.account()
    for _ in range(3):
        await append(account, RAW)
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\nc STORE 3 +FLAGS (\\Deleted)\r\n")
        await client.until(b"c OK STORE completed\r\n")
        for number in range(1, 60):
            await append(account, RAW)
            before = await state(account)
            disk.fails_at(number, error)  # type: ignore[arg-type]
            client.send(b"d " + command + b"\r\n")
            answer = (await lines_until(client, b"d "))[-1].removeprefix(b"d ")
            was_hit = disk.failures > 0
            disk.works()
            assert answer.split(b" ")[0] in (b"OK", b"NO"), answer
            assert b"SERVERBUG" not in answer
            assert (await state(account) != before) == answer.startswith(b"OK"), answer
            if answer.startswith(b"OK"):
                break
            assert was_hit
            assert b"[UNAVAILABLE]" in answer
        assert number > 1


async def test_mail_is_read_on_a_full_disk(given: Given, disk: FaultyDisk) -> None:
    account = await given.account()
    await append(account, RAW)
    await append(account, RAW)
    disk.fails_at(1, full)
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        told = await lines_until(client, b"b ")
        assert told[-1] == b"b OK [READ-WRITE] Opened"
        assert b"* 2 RECENT" in told
        client.send(b"c FETCH 1 (BODY[TEXT])\r\nd UID SEARCH SUBJECT x\r\ne STATUS INBOX (MESSAGES)\r\n")
        told = await lines_until(client, b"e ")
        assert [line for line in told if line[:1] in b"cde"] == [
            b"c OK FETCH completed",
            b"d OK SEARCH completed",
            b"e OK STATUS completed",
        ]
        assert b"y" in told  # \\Seen could not be set, but the text is sent
        assert disk.failures > 0
        client.send(b"f STORE 1 +FLAGS (\\Flagged)\r\n")
        assert await lines_until(client, b"f ") == [b"f NO [UNAVAILABLE] No room is left on the server's disk"]
        disk.works()
        client.send(b"g FETCH 1 (BODY[TEXT])\r\n")
        assert b"\\Seen" in b"".join(await lines_until(client, b"g "))


async def test_new_mail_is_told_on_a_full_disk(given: Given, disk: FaultyDisk) -> None:
    account = await given.account()
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await lines_until(client, b"b ")
        await append(account, RAW)
        disk.fails_at(1, full)
        client.send(b"c NOOP\r\n")
        assert await lines_until(client, b"c ") == [b"* 1 EXISTS", b"* 1 RECENT", b"c OK NOOP completed"]
        disk.works()
        await append(account, RAW)
        disk.fails_at(1, full)
        client.send(b"d IDLE\r\n")
        assert await client.lines(3) == [b"+ Waiting; say DONE to end it", b"* 2 EXISTS", b"* 2 RECENT"]
        client.send(b"DONE\r\n")
        assert await client.line() == b"d OK IDLE completed"
        disk.works()


async def test_changes_that_cannot_be_read_are_told_later(given: Given, disk: FaultyDisk) -> None:
    account = await given.account()
    await append(account, RAW)
    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await lines_until(client, b"b ")
        await append(account, RAW)
        await account.database.release()  # type: ignore[attr-defined]
        disk.cannot_be_read(failed)
        client.send(b"c NOOP\r\n")
        assert await lines_until(client, b"c ") == [b"c OK NOOP completed"]
        client.send(b"d IDLE\r\n")
        assert await client.line() == b"+ Waiting; say DONE to end it"
        await client.taken()
        disk.works()
        client.clock.advance(6)
        assert await client.lines(2) == [b"* 2 EXISTS", b"* 2 RECENT"]
        client.send(b"DONE\r\n")
        assert await client.line() == b"d OK IDLE completed"


@pytest.mark.parametrize("command", COMMANDS[:3])
async def test_mail_is_not_stored_if_its_sync_failed(
    given: Given, monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    account = await given.account()
    await append(account, RAW)
    await append(account, RAW)

    def failing(file: int) -> None:
        raise OSError(5, os.strerror(5))

    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await lines_until(client, b"b ")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing)
            client.send(b"c " + command + b"\r\n")
            assert (await lines_until(client, b"c "))[-1] == b"c NO [UNAVAILABLE] The server's disk failed"
            client.send(b"d EXPUNGE\r\ne FETCH 1 (BODY[])\r\n")  # commands that change nothing, and reading
            assert (await lines_until(client, b"e "))[-1] == b"e OK FETCH completed"
        assert await messages(account, "Archive") == []
        client.send(b"f " + command + b"\r\n")
        assert (await lines_until(client, b"f "))[-1].startswith(b"f OK [")
    assert len(await messages(account, "Archive")) == (1 if command.count(RAW) == 1 else 2)


@pytest.mark.parametrize("command", COMMANDS[:4])
async def test_an_append_whose_outcome_is_unknown_is_reported_and_counted(
    given: Given, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch, command: bytes
) -> None:
    account = await given.account()
    await append(account, RAW)
    await append(account, RAW)

    def failing(file: int) -> None:
        disk.fails_at(1, failed)  # so that the change cannot be taken back
        raise OSError(5, os.strerror(5))

    async with Dialogue(ImapSession, given.services) as client:
        await client.line()
        client.send(b"a LOGIN linda Pa$$123\r\nb SELECT INBOX\r\n")
        await lines_until(client, b"b ")
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", failing)
            client.send(b"c " + command + b"\r\n")
            told = (await lines_until(client, b"c "))[-1]
        disk.works()
    assert told == b"c NO [UNAVAILABLE] The server's disk failed; whether this was done is not known"
    assert given.services.tally.uncertain == 1
    assert len(await messages(account, "Archive")) == (1 if command.count(RAW) == 1 else 2)
