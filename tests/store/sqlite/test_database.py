"""How the file is written: on disk before it is acknowledged, whole or not at all, without long waits."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from mektup.message.scan import Octets
from mektup.message.text import search_text
from mektup.store import message_texts
from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.file import database, disk, settings, wal_sync
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.search import And, HasFlag, InBody, InSubject
from tests.contract.mail import EVERYTHING, entry_of, fetched, fill, flags_of, inbox, incoming, raw, uids
from tests.store.sqlite.conftest import file_of


@pytest.fixture
async def account(store: SqliteStore) -> Account:
    return await store.account(await store.directory.add("linda", {}))


@pytest.fixture
def syncs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The size of the synced file at the end of each sync."""
    ended: list[int] = []
    fdatasync = os.fdatasync

    def recorded(file: int) -> None:
        size = os.fstat(file).st_size
        fdatasync(file)
        ended.append(size)

    monkeypatch.setattr(os, "fdatasync", recorded)
    return ended


async def test_durable_changes_are_on_disk_when_they_return(account: Account, syncs: list[int], data: Path) -> None:
    mailbox = await fill(account, 2)
    wal = file_of(data, account.id).with_suffix(".db-wal")
    for asking in (
        account.append(mailbox, [incoming()]),
        account.append(mailbox, [incoming(octets=raw(text="x" * 1_000_000))]),
        account.copy(mailbox, uids(1), "Archive"),
        account.move(mailbox, uids(1), "Archive"),
        account.remove(mailbox, uids(2)),
        account.create("new"),
        account.rename("new", "old"),
        account.delete("old"),
        account.subscribe("old"),
    ):
        syncs.clear()
        await asking
        assert syncs
        assert syncs[-1] == wal.stat().st_size


async def test_watches_fire_only_once_it_is_on_disk(account: Account, syncs: list[int]) -> None:
    mailbox = await inbox(account)
    watch = account.watch(mailbox)
    at_fire: list[int] = []
    watch.on_fire = lambda: at_fire.append(len(syncs))
    await account.append(mailbox, [incoming()])
    assert at_fire == [1]


async def test_flags_alone_do_not_wait_for_the_disk_unless_told_to(
    account: Account, data: Path, syncs: list[int]
) -> None:
    mailbox = await fill(account, 2)
    syncs.clear()
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Seen"}))
    assert syncs == []
    careful = await open_store(data, limits=Limits(sync_flags=True))
    other = await careful.account(entry_of(account))
    syncs.clear()
    await other.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"\\Seen"}))
    assert syncs
    await careful.close()


async def test_concurrent_changes_share_a_sync(account: Account, syncs: list[int]) -> None:
    mailbox = await inbox(account)
    syncs.clear()
    await asyncio.gather(*(account.append(mailbox, [incoming()]) for _ in range(50)))
    assert 1 <= len(syncs) <= 3
    assert (await account.mailbox("INBOX")).messages == 50


async def test_the_loop_waits_for_a_quick_disk_until_a_sync_is_slow(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await inbox(account)
    in_loop: list[bool] = []
    now = taken = 0.0

    def recorded(file: int) -> None:
        nonlocal now
        in_loop.append(threading.current_thread() is threading.main_thread())
        now += taken

    monkeypatch.setattr(os, "fdatasync", recorded)
    monkeypatch.setattr(disk, "perf_counter", lambda: now)

    async def append(times: int) -> None:
        for _ in range(times):
            await account.append(mailbox, [incoming()])

    await append(disk.QUICK_SYNCS + 2)
    taken = 2 * disk.QUICK_SECONDS
    await append(2)
    taken = 0.0
    await append(disk.QUICK_SYNCS)
    assert in_loop[-4 - disk.QUICK_SYNCS : -disk.QUICK_SYNCS] == [True, True, True, False]
    assert not any(in_loop[-disk.QUICK_SYNCS :])

    in_loop.clear()
    await asyncio.gather(*(account.append(mailbox, [incoming()]) for _ in range(50)))
    assert len(in_loop) <= 3
    assert all(in_loop)


async def test_after_a_failed_sync_the_wal_is_rewritten(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = await inbox(account)

    def failing(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(Refused) as caught:
            await account.append(mailbox, [incoming()])
        assert caught.value.code is Code.UNAVAILABLE
        assert (await account.mailbox("INBOX")).messages == 0  # reading goes on, and the refused change was not made
        with pytest.raises(Refused):
            await account.append(mailbox, [incoming()])
    synced: list[int] = []

    def written_again(file: int, octets: bytes, offset: int) -> int:
        synced.append(offset)
        return pwrite(file, octets, offset)

    pwrite = os.pwrite
    monkeypatch.setattr(os, "pwrite", written_again)
    monkeypatch.setattr(wal_sync, "MENDING_SECONDS", 0.0)
    assert (await account.append(mailbox, [incoming()])).uids
    assert synced == [0]  # the WAL is rewritten from its start: a sync alone would not write it
    assert (await account.mailbox("INBOX")).messages == 1


async def test_a_full_disk_refuses_and_keeps_what_there_is(
    account: Account, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await fill(account, 3)
    before = await account.mailbox("INBOX")
    database = account.database  # type: ignore[attr-defined]
    await database.release()
    connect = database._connect

    def connect_small(busy_ms: int, cache_kib: int) -> apsw.Connection:
        connection: apsw.Connection = connect(busy_ms, cache_kib)
        connection.pragma("max_page_count", connection.pragma("page_count") + 5)
        return connection

    monkeypatch.setattr(database, "_connect", connect_small)
    for size in (50_000, 2_000_000):  # in the loop, and in a thread
        with pytest.raises(Refused) as caught:
            await account.append(mailbox, [incoming("$New", octets=raw(text="x" * size))])
        assert caught.value.code is Code.DISKFULL
    assert await account.mailbox("INBOX") == before
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$New"}))
    assert await flags_of(account, mailbox, uids(1, 2)) == {1: {"$New"}, 2: set()}


async def test_a_change_waits_for_another_process_without_stopping_the_loop(account: Account, data: Path) -> None:
    mailbox = await fill(account, 1)
    other = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    other.execute("BEGIN IMMEDIATE; UPDATE account SET modseq = modseq + 1")
    storing = asyncio.create_task(account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Seen"})))
    appending = asyncio.create_task(account.append(mailbox, [incoming()]))
    for _ in range(20):
        await asyncio.sleep(0)
        assert (await account.mailbox("INBOX")).messages == 1  # reading goes on
    assert not storing.done()
    other.execute("COMMIT")
    other.close()
    assert (await storing).changed == uids(1)
    assert (await appending).uids == uids(2)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "FAR_BUSY_MS", 50)


@pytest.mark.usefixtures("impatient")
async def test_a_change_is_refused_while_another_process_writes_for_long(account: Account, data: Path) -> None:
    mailbox = await fill(account, 1)
    other = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Refused) as caught:
        await account.append(mailbox, [incoming()])
    assert caught.value.code is Code.INUSE
    other.close()
    assert (await account.append(mailbox, [incoming()])).uids == uids(2)


async def test_a_search_that_nobody_waits_for_ends_early(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    mailbox = await inbox(account)
    message = incoming(octets=raw(text="some words " * 30_000))
    await account.append(mailbox, [message] * 300)
    loop = asyncio.get_running_loop()
    begun, read = asyncio.Event(), 0

    def counted(octets: Octets, limits: Limits, folding: Callable[[str], str]) -> tuple[str, str]:
        nonlocal read
        read += 1
        loop.call_soon_threadsafe(begun.set)
        return search_text(octets, limits, folding)

    monkeypatch.setattr(message_texts, "search_text", counted)
    search = asyncio.create_task(account.search(mailbox, InBody("nowhere"), EVERYTHING))
    await begun.wait()
    search.cancel()
    with pytest.raises(asyncio.CancelledError):
        await search
    assert read < 300
    assert (await account.mailbox("INBOX")).messages == 300
    assert (await account.search(mailbox, InBody("some words"), uids(1))).uids == uids(1)


async def test_a_search_reads_only_messages_that_nothing_cheaper_excludes(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await fill(account, 50)
    await account.append(mailbox, [incoming("\\Flagged")])
    read: list[int] = []

    def counted(octets: Octets, limits: Limits, folding: Callable[[str], str]) -> tuple[str, str]:
        read.append(len(octets))
        return search_text(octets, limits, folding)

    monkeypatch.setattr(message_texts, "search_text", counted)
    key = And((InBody("eight"), InSubject("dinner"), HasFlag("\\Flagged")))
    assert (await account.search(mailbox, key, EVERYTHING)).uids == uids(51)
    assert len(read) == 1


async def test_the_loop_goes_on_while_much_is_read_and_written(account: Account) -> None:
    mailbox = await inbox(account)
    message = incoming(octets=raw(text="x" * 50_000))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting = asyncio.create_task(count())
    for asking in (
        account.append(mailbox, [message] * 600),
        account.search(mailbox, InBody("nowhere"), EVERYTHING),
        fetched(account, mailbox, EVERYTHING, Column.RAW),
        fetched(account, mailbox, EVERYTHING, Column.ENVELOPE),
        account.store_flags(mailbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Deleted"})),
        account.expunge(mailbox, None),
    ):
        turns = 0
        await asking
        assert turns >= 1
    counting.cancel()


async def test_the_wal_starts_over_under_one_writer_who_never_pauses(account: Account, data: Path) -> None:
    mailbox = await fill(account, 50)
    largest = 0
    wal = file_of(data, account.id).with_suffix(".db-wal")
    for number in range(6000):
        change = FlagChange.ADD if number // 50 % 2 else FlagChange.REMOVE
        await account.store_flags(mailbox, uids(number % 50 + 1), change, frozenset({"\\Flagged"}))
        if number % 100 == 0:
            largest = max(largest, wal.stat().st_size)
    assert largest < 3 * settings.RESTART_PAGES * 4096


async def test_closing_waits_for_what_is_under_way(data: Path) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    account = await store.account(entry)
    mailbox = await inbox(account)
    writing = [asyncio.create_task(account.append(mailbox, [incoming()] * 300)) for _ in range(3)]
    searching = asyncio.create_task(account.search(mailbox, InBody("x"), EVERYTHING))
    await asyncio.sleep(0)
    await store.close()
    outcomes = await asyncio.gather(*writing, searching, return_exceptions=True)
    assert all(not isinstance(outcome, BaseException) or isinstance(outcome, Refused) for outcome in outcomes)
    stored = sum(not isinstance(outcome, BaseException) for outcome in outcomes[:3])
    assert stored >= 1
    assert [path.name for path in data.rglob("*.db-wal")] == []
    store = await open_store(data)
    assert (await (await store.account(entry)).mailbox("INBOX")).messages == stored * 300
    await store.close()
