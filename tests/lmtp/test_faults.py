"""A disk that fails during a delivery: the reply tells the sender that the fault is the server's."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mektup.lmtp.session import LmtpSession
from mektup.store import spool
from tests.support.dialogue import Dialogue
from tests.support.faulty_disk import FaultyDisk, Raise, failed, faulty_disk, full
from tests.support.services import Given, given_services, messages

RAW = b"From: ada@example.org\r\nSubject: dinner\r\n\r\nat eight\r\n"


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
async def given(disk: FaultyDisk, tmp_path: Path) -> AsyncIterator[Given]:
    async with given_services(tmp_path / "data") as given:
        yield given
        disk.works()


async def deliver(given: Given, raw: bytes = RAW) -> bytes:
    """The reply to a delivery of *raw*."""
    async with Dialogue(LmtpSession, given.services) as client:
        client.send(b"LHLO there\r\nMAIL FROM:<ada@example.org>\r\nRCPT TO:<linda>\r\nDATA\r\n")
        await client.until(b"354 Go ahead, CRLF.CRLF ends it\r\n")
        client.send(raw + b".\r\n")
        return await client.line()


@pytest.mark.parametrize(
    ("error", "answer"),
    [
        # RFC 3463 §3.4: the system is full; X.2.2 would be the recipient's mailbox
        (full, b"452 4.3.1 No room is left on the server's disk"),
        (failed, b"451 4.3.0 The server's disk failed"),
    ],
)
async def test_the_sender_is_told_whose_fault_it_is(
    given: Given, disk: FaultyDisk, error: Raise, answer: bytes
) -> None:
    disk.fails_at(1, error)
    assert await deliver(given) == answer
    disk.works()
    assert await messages(await given.account()) == []
    assert (await deliver(given)).startswith(b"250 ")


async def test_no_room_for_the_spool_of_a_large_message(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_room(dir: Path | None) -> object:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(spool, "TemporaryFile", no_room)
    assert (await deliver(given, RAW + b"x\r\n" * spool.MEMORY_BYTES)).startswith(b"452 4.3.1 ")
    assert (await deliver(given)).startswith(b"250 ")


async def test_a_message_whose_sync_failed_is_not_stored_twice(given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(file: int) -> None:
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        assert await deliver(given) == b"451 4.3.0 The server's disk failed"
    assert await messages(await given.account()) == []
    assert (await deliver(given)).startswith(b"250 ")
    assert len(await messages(await given.account())) == 1


async def test_a_delivery_whose_outcome_is_unknown_is_reported_and_counted(
    given: Given, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(file: int) -> None:
        disk.fails_at(1, failed)  # so that the message cannot be removed again
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        assert await deliver(given) == b"451 4.3.0 The server's disk failed; whether this was done is not known"
    disk.works()
    assert given.services.tally.uncertain == 1
    assert len(await messages(await given.account())) == 1
