"""The reserve: space to read and to delete on a full disk, which new mail may not use."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mektup.store import system
from mektup.store.faults import Kind
from mektup.store.interface import Account
from mektup.store.sqlite import Reserve, open_store
from mektup.store.sqlite.file import reserve
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from tests.contract.mail import EVERYTHING, fill, inbox, incoming, uids
from tests.store.sqlite.conftest import Book
from tests.support.faulty_disk import FaultyDisk, faulty_disk

QUIET = Limits(text_index=False)


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
async def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Reserve:
    monkeypatch.setattr(reserve, "RESERVE_BYTES", 1024 * 1024)
    monkeypatch.setattr(reserve, "FREEING_BYTES", 64 * 1024)
    (tmp_path / "data").mkdir()
    return Reserve(tmp_path / "data")


@pytest.fixture
async def store(disk: FaultyDisk, book: Book, kept: Reserve, tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(tmp_path / "data", limits=QUIET, faults=book, reserve=kept)
    assert kept.refill()
    yield store
    disk.works()
    await store.close()


@pytest.fixture
async def account(store: SqliteStore) -> Account:
    return await store.account(await store.directory.add("linda", {}))


def test_the_reserve_has_allocated_blocks(kept: Reserve, tmp_path: Path) -> None:
    assert not kept.is_whole
    assert kept.refill()
    assert kept.is_whole
    status = (tmp_path / "data" / "reserve").stat()
    assert status.st_blocks * 512 >= 1024 * 1024
    assert status.st_mode & 0o777 == 0o600


def test_the_reserve_is_given_up_in_pieces_and_refilled(kept: Reserve) -> None:
    kept.refill()
    given = 0
    while kept.give_up(400_000):
        given += 1
        assert not kept.is_whole
    assert given == 3
    assert kept.has_room()
    assert kept.is_whole


def test_a_failed_refill_says_why(kept: Reserve, tmp_path: Path) -> None:
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError):
        kept.need()
    assert not kept.refill()


def test_without_a_directory_there_is_none() -> None:
    assert Reserve(None).is_whole
    assert Reserve(None).refill()
    assert not Reserve(None).give_up(1)


async def test_mail_waits_while_it_is_not_whole(
    account: Account, kept: Reserve, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await fill(account, 2)
    kept.give_up(10)

    def refuse(file: int, octets: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(system, "allocate", refuse)
        for growing in (account.append(mailbox, [incoming()]), account.copy(mailbox, uids(1), "Archive")):
            with pytest.raises(Refused) as caught:
                await growing
            assert caught.value.code is Code.DISKFULL
        assert [(fault.kind, fault.account) for fault in book.faults] == [(Kind.FULL, "linda")] * 2
        await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Seen"}))  # there is some space
        assert (await account.move(mailbox, uids(1), "Archive")).sources == uids(1)
    await account.append(mailbox, [incoming()])  # the first operation that finds space refills it
    assert kept.is_whole


async def test_changes_that_free_space_use_the_reserve(account: Account, disk: FaultyDisk, kept: Reserve) -> None:
    mailbox = await fill(account, 5)
    await account.database.release()  # type: ignore[attr-defined]
    disk.fails_while(lambda: kept.is_whole)
    with pytest.raises(Refused):
        await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Flagged"}))
    assert kept.is_whole
    await account.store_flags(mailbox, uids(1, 2), FlagChange.ADD, frozenset({"\\Deleted"}))
    await account.database.checkpoints.give_room_back()  # type: ignore[attr-defined]
    assert kept.is_whole
    assert (await account.expunge(mailbox, None)).uids == uids(1, 2)


async def test_more_is_deleted_than_the_reserve_has_room_for(account: Account, disk: FaultyDisk) -> None:
    mailbox = await fill(account, 700)
    await account.copy(mailbox, uids(*range(1, 601)), "Archive")
    await account.store_flags(mailbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Deleted"}))
    await account.store_flags(mailbox, uids(3), FlagChange.REMOVE, frozenset({"\\Deleted"}))
    await account.database.release()  # type: ignore[attr-defined]
    disk.room_for_wals = 300_000
    gone = (await account.expunge(mailbox, None)).uids
    assert gone == uids(*range(1, 701)) - uids(3)
    await account.database.release()  # type: ignore[attr-defined]
    await account.delete("Archive")
    disk.room_for_wals = None
    assert [box.name for box in await account.mailboxes() if box.messages] == ["INBOX"]
    assert (await account.mailbox("INBOX")).messages == 1
    assert await inbox(account) == mailbox


async def test_a_file_system_that_finds_in_a_sync_that_it_is_full(
    account: Account, kept: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await fill(account, 3)
    sync = os.fdatasync

    def lazily(file: int) -> None:
        if kept.is_whole:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    monkeypatch.setattr(os, "fdatasync", lazily)
    for _ in range(2):
        with pytest.raises(Refused) as caught:
            await account.append(mailbox, [incoming()])
        assert caught.value.code is Code.DISKFULL
    assert (await account.remove(mailbox, uids(1))).uids == uids(1)
    assert (await account.mailbox("INBOX")).messages == 2
