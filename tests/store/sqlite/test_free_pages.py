"""The space of deleted mail is returned to the system, and the records of it stay small."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file import free_pages
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.schema import PAGE_BYTES
from mektup.store.sqlite.file.settings import CHECKPOINT_PAGES, USUAL_WAL_BYTES
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import expunged_runs
from mektup.store.sqlite.tables.expunged_runs import KEPT_RUNS, MANY_RUNS
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import Uids
from tests.contract.mail import entry_of, incoming, raw
from tests.store.sqlite.conftest import KEEPS_NOTHING, file_of

LIMITS = KEEPS_NOTHING


FEW_BYTES = (free_pages.SPARE_PAGES + 100) * PAGE_BYTES


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


async def load(account: SqliteAccount) -> MailboxId:
    """Stores some megabytes of mail."""
    mailbox = (await account.mailbox("INBOX")).id
    for _ in range(8):
        await account.append(mailbox, [incoming(octets=raw(text=os.urandom(50_000).hex())) for _ in range(10)])
    return mailbox


async def size(account: SqliteAccount, data: Path) -> int:
    await account.database.release()
    return file_of(data, account.id).stat().st_size


async def test_the_space_of_an_emptied_mailbox_is_returned(account: SqliteAccount, data: Path) -> None:
    mailbox = await load(account)
    full = await size(account, data)
    await account.store_flags(mailbox, Uids.span(1, 80), FlagChange.ADD, frozenset({"\\Deleted"}))
    await account.expunge(mailbox, None)
    await account.indexer.tidy()
    assert full > 8_000_000
    assert await size(account, data) < FEW_BYTES


async def test_free_space_is_returned_in_the_background(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mektup.store.quiet_work.QUIET_SECONDS", 0.01)
    await account.create("Doomed")
    mailbox = await load(account)
    await account.move(mailbox, Uids.span(1, 80), "Doomed")
    await account.delete("Doomed")
    while await account.database.read(lambda cursor: cursor.execute("PRAGMA page_count").get) * PAGE_BYTES > FEW_BYTES:
        await asyncio.sleep(0.01)  # until the timeout of the test


async def test_a_file_keeps_some_room_for_what_comes_next(account: SqliteAccount, data: Path) -> None:
    mailbox = await load(account)
    await account.remove(mailbox, Uids.span(1, 5))
    before = await size(account, data)
    await account.indexer.tidy()
    assert await size(account, data) == before


async def test_a_wal_that_has_grown_too_much_is_made_small_after_load(
    account: SqliteAccount, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mektup.store.sqlite.file.checkpoints.USUAL_WAL_BYTES", CHECKPOINT_PAGES * PAGE_BYTES)
    await load(account)
    wal = file_of(data, account.id).with_suffix(".db-wal")
    assert wal.stat().st_size > CHECKPOINT_PAGES * PAGE_BYTES
    await account.indexer.tidy()
    assert wal.stat().st_size <= CHECKPOINT_PAGES * PAGE_BYTES


async def test_a_wal_of_usual_size_is_not_truncated(account: SqliteAccount, data: Path) -> None:
    await load(account)
    wal = file_of(data, account.id).with_suffix(".db-wal")
    before = wal.stat().st_size
    assert CHECKPOINT_PAGES * PAGE_BYTES < before < USUAL_WAL_BYTES
    await account.indexer.tidy()
    assert wal.stat().st_size == before


async def test_a_file_of_an_older_mektup_gives_room_back_once_it_is_compacted(
    account: SqliteAccount, data: Path, store: SqliteStore
) -> None:
    mailbox = await load(account)
    await store.close()
    connection = apsw.Connection(str(file_of(data, account.id)))
    for statement in (
        "PRAGMA journal_mode = delete",
        "PRAGMA auto_vacuum = none",
        "VACUUM",
        "PRAGMA journal_mode = wal",
    ):
        connection.execute(statement).fetchall()
    connection.close()
    again = await open_store(data, limits=LIMITS)
    old = await again.account(entry_of(account))
    await old.remove(mailbox, Uids.span(1, 40))
    await old.indexer.tidy()
    assert await size(old, data) > 8_000_000
    await old.compact()
    assert await size(old, data) < 5_000_000
    await old.remove(mailbox, Uids.span(41, 80))
    await old.indexer.tidy()
    assert await size(old, data) < FEW_BYTES
    assert (await old.mailbox("INBOX")).messages == 0
    await again.close()


async def test_a_file_is_compacted_while_others_read_it(account: SqliteAccount, store: SqliteStore) -> None:
    mailbox = await load(account)
    reading = account.fetch(mailbox, Uids.span(1, 80), ())
    await anext(reading)
    await account.compact()
    assert (await account.append(mailbox, [incoming()])).uids == Uids.span(81, 81)
    await reading.aclose()


def put_runs(change: Change, mailbox: MailboxId, runs: list[tuple[int, int, int]]) -> None:
    change.cursor.execute("DELETE FROM expunged")
    change.cursor.executemany(
        "INSERT INTO expunged VALUES (?, ?, ?, ?)", [(mailbox, modseq, first, last) for modseq, first, last in runs]
    )


def runs_of(change: Change) -> list[tuple[int, int, int]]:
    return change.cursor.execute("SELECT modseq, first, last FROM expunged ORDER BY modseq, first").fetchall()


async def joined(account: SqliteAccount, runs: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    mailbox = (await account.mailbox("INBOX")).id

    def make(change: Change) -> list[tuple[int, int, int]]:
        put_runs(change, mailbox, runs)
        expunged_runs.join(change, mailbox)
        return runs_of(change)

    return await account.database.write(make, durable=False)


def uids(runs: list[tuple[int, int, int]], since: int) -> Uids:
    return Uids([(first, last) for modseq, first, last in runs if modseq > since])


async def test_old_runs_are_joined_and_the_latest_stay_exact(account: SqliteAccount) -> None:
    # every second UID was expunged, one after the other, from both ends
    gone = [*range(1, 6001, 4), *range(5999, 2, -4)]
    runs = [(modseq, uid, uid) for modseq, uid in enumerate(gone, 10)]
    after = await joined(account, runs)
    newest = runs[-1][0]
    for since in (0, 9, newest - KEPT_RUNS - 1, newest - KEPT_RUNS, newest - 5, newest):
        assert uids(runs, since).runs == (uids(after, since) & uids(runs, since)).runs
    exact = newest - KEPT_RUNS
    assert [run for run in after if run[0] > exact] == [run for run in runs if run[0] > exact]
    assert uids(after, 0) == uids(runs, 0)


@given(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 3)), max_size=60), st.randoms())
@settings(max_examples=50, deadline=None)
def test_joined_runs_touch_no_more_and_are_the_same_uids(gaps: list[tuple[int, int]], random: object) -> None:
    async def check() -> None:
        store = await open_store(None, limits=LIMITS)
        account = await store.account(await store.directory.add("linda", {}))
        spans, at = [], 1
        for gap, length in gaps:
            spans.append((at + gap, at + gap + length - 1))
            at += gap + length
        random.shuffle(spans)  # type: ignore[attr-defined]
        old = [(10 + number, first, last) for number, (first, last) in enumerate(spans)]
        new = [(1000 + number, 100_000 + 2 * number, 100_000 + 2 * number) for number in range(KEPT_RUNS)]
        after = await joined(account, old + new)
        assert after[-KEPT_RUNS:] == new
        assert uids(after[:-KEPT_RUNS], 0) == uids(old, 0)
        assert len(after[:-KEPT_RUNS]) == len(uids(old, 0).runs)
        await store.close()

    asyncio.run(check())


async def test_runs_stay_few_however_often_a_mailbox_is_emptied(account: SqliteAccount) -> None:
    mailbox = (await account.mailbox("INBOX")).id
    await account.database.write(
        lambda change: put_runs(change, mailbox, [(uid, uid, uid) for uid in range(1, MANY_RUNS + 2)]), durable=False
    )
    await account.indexer.tidy()
    assert len(await account.database.write(runs_of, durable=False)) == KEPT_RUNS + 1
