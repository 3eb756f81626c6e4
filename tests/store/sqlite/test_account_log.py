"""The log of an account in this engine: its size, older files, other processes, and events of files."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mektup.store.interface import Account
from mektup.store.rules import account_log
from mektup.store.sqlite import back_up_all, open_store, restore_all
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import recovery
from mektup.terms.flags import NEW_ACCOUNT_MAILBOXES, FlagChange
from mektup.terms.numbers import ModSeq
from tests.contract.mail import START, fill, incoming
from tests.store.sqlite.conftest import file_of, make_older
from tests.store.sqlite.power_loss import Power


async def linda(store: SqliteStore) -> SqliteAccount:
    found = await store.directory.find("linda") or await store.directory.add("linda", {})
    return await store.account(found)


async def now(account: Account) -> ModSeq:
    return (await account.mailbox_changes(START)).modseq


async def is_whole(account: Account, since: ModSeq) -> bool:
    return (await account.mailbox_changes(since)).whole


async def tombstones(account: SqliteAccount) -> int:
    return await account.database.read(lambda cursor: int(cursor.execute("SELECT count(*) FROM tombstones").get))


@pytest.fixture
def power(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Power]:
    power = Power(data, monkeypatch)
    yield power
    power.close()


# Size


@pytest.fixture
async def in_memory() -> AsyncIterator[SqliteAccount]:
    store = await open_store(None)
    yield await linda(store)
    await store.close()


async def test_tombstones_do_not_grow_without_end(in_memory: SqliteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account_log, "KEPT_TOMBSTONES", 10)
    monkeypatch.setattr(account_log, "SPARE_TOMBSTONES", 5)
    states, most = [await now(in_memory)], 0
    for number in range(100):
        if number % 3:
            await in_memory.create(f"box {number}")
            states.append(await now(in_memory))
            await in_memory.delete(f"box {number}")
        else:
            await in_memory.subscribe(f"name {number}")
            states.append(await now(in_memory))
            await in_memory.unsubscribe(f"name {number}")
        states.append(await now(in_memory))
        most = max(most, await tombstones(in_memory))
    assert most == 15
    assert 10 <= await tombstones(in_memory) <= 15
    reach = [not await is_whole(in_memory, since) for since in states]
    assert reach == sorted(reach), "the log reaches back to some moment, and has no holes after it"
    assert 20 <= sum(reach) <= 31


async def test_repeated_changes_leave_at_most_one_tombstone(in_memory: SqliteAccount) -> None:
    await in_memory.create("one")
    for _ in range(20):
        await in_memory.rename("one", "other")
        await in_memory.rename("other", "one")
        await in_memory.subscribe("one")
        await in_memory.unsubscribe("one")
    assert await tombstones(in_memory) == 1
    await in_memory.subscribe("one")
    assert await tombstones(in_memory) == 0


async def test_many_mailboxes_are_read_in_a_thread(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.store.sqlite.account.FEW_LISTED", 3)
    account = await linda(store)
    for name in ("a", "b", "c", "d"):
        since = await now(account)
        await account.create(name)
    everything = await account.mailbox_changes(START)
    assert len(everything.mailboxes) == len(NEW_ACCOUNT_MAILBOXES) + 4
    assert [each.name for each in (await account.mailbox_changes(since)).mailboxes] == ["d"]


# Cost for other commands


def pages_of(path: Path) -> list[int]:
    """The pages in a WAL, in the order in which they were written."""
    octets = path.with_name(f"{path.name}-wal").read_bytes()
    frame = 24 + int.from_bytes(octets[8:12], "big")
    return [int.from_bytes(octets[at : at + 4], "big") for at in range(32, len(octets), frame)]


async def test_changes_of_messages_write_no_page_of_the_log(data: Path, store: SqliteStore) -> None:
    account = await linda(store)
    mailbox = (await account.create("work")).id
    await account.delete("Junk")
    await fill(account, 1)
    path = file_of(data, account.id)
    roots = (
        "SELECT rootpage FROM sqlite_schema "
        "WHERE name IN ('tombstones', 'mailboxes_by_change', 'subscriptions_by_change')"
    )
    of_the_log = {page for (page,) in await account.database.read(lambda cursor: cursor.execute(roots).fetchall())}
    assert len(of_the_log) == 3
    before = len(pages_of(path))
    appended = await account.append(mailbox, [incoming(), incoming()])
    await account.store_flags(mailbox, appended.uids, FlagChange.ADD, frozenset({"\\Deleted"}))
    await account.copy(mailbox, appended.uids, "INBOX")
    await account.expunge(mailbox, None)
    written = pages_of(path)[before:]
    assert written
    assert not of_the_log & set(written)
    await account.create("new")
    assert of_the_log & set(pages_of(path)[before:])


# Older files


@pytest.mark.parametrize("version", range(1, 7))
async def test_the_log_of_an_older_file_begins_with_its_upgrade(data: Path, version: int) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 2)
    await account.delete("Junk")
    before = (await account.mailbox("INBOX")).highestmodseq
    path = file_of(data, account.id)
    await store.close()
    make_older(path, version)
    store = await open_store(data)
    account = await linda(store)
    since = await now(account)
    assert await is_whole(account, before)
    assert not await is_whole(account, since)
    made = await account.create("work")
    await account.rename("Sent", "Gesendet")
    await account.delete("Trash")
    await account.unsubscribe("Trash")
    changes = await account.mailbox_changes(since)
    assert [(each.name, each.created) for each in changes.mailboxes] == [("work", made.highestmodseq), ("Gesendet", 0)]
    assert [(each.name, each.created) for each in changes.gone] == [("Trash", 0)]
    assert [(each.name, each.subscribed) for each in changes.subscriptions] == [("Trash", False)]
    await store.close()


# Other processes


async def test_another_process_sees_it_at_once(data: Path, store: SqliteStore) -> None:
    here = await linda(store)
    elsewhere = await open_store(data)  # it shares only the files with the first
    there = await linda(elsewhere)
    since = await now(there)
    for name in ("a", "b"):
        await here.create(name)
        await here.subscribe(name)
        await here.delete("a")
        changes = await there.mailbox_changes(since)
        assert changes == await here.mailbox_changes(since)
        assert len(changes.subscriptions) == 1
        since = changes.modseq
        await there.create("a")
    await elsewhere.close()


# Events of files


async def test_after_a_loss_of_power_everybody_gets_everything(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 1)
    disk = power.disk()
    await account.create("seen by somebody")
    since = await now(account)
    await store.close()
    power.restore(disk)

    monkeypatch.setattr(recovery, "boot", lambda: "another life")
    store = await open_store(data)
    account = await linda(store)
    await account.create("another")
    changes = await account.mailbox_changes(since)
    assert changes.whole
    assert "seen by somebody" not in {each.name for each in changes.mailboxes}
    await store.close()


async def test_a_file_that_was_closed_keeps_its_log(data: Path) -> None:
    store = await open_store(data)
    account = await linda(store)
    since = await now(account)
    await account.delete("Junk")
    before = await account.mailbox_changes(since)
    await store.close()
    store = await open_store(data)
    assert await (await linda(store)).mailbox_changes(since) == before
    await store.close()


async def test_an_older_copy_that_was_put_back_is_told_whole(data: Path, tmp_path: Path) -> None:
    store = await open_store(data)
    path = file_of(data, (await linda(store)).id)
    await store.close()
    shutil.copy(path, tmp_path / "older.db")
    store = await open_store(data)
    account = await linda(store)
    await account.create("lost")
    since = await now(account)
    await store.close()
    shutil.copy(tmp_path / "older.db", path)
    store = await open_store(data)
    account = await linda(store)
    await account.append((await account.mailbox("INBOX")).id, [incoming()])
    assert await is_whole(account, since)
    await store.close()


async def test_a_backup_has_the_log_and_a_restored_one_is_told_whole(data: Path, tmp_path: Path) -> None:
    store = await open_store(data)
    account = await linda(store)
    since = await now(account)
    await account.delete("Junk")
    before = await account.mailbox_changes(since)
    await asyncio.to_thread(back_up_all, data, tmp_path / "backup")
    await store.close()

    shutil.copytree(tmp_path / "backup", tmp_path / "served")
    copied = await open_store(tmp_path / "served")
    assert await is_whole(await linda(copied), since), "it is at another place, and may be of any age"
    await copied.close()

    restore_all(tmp_path / "backup", tmp_path / "restored")
    restored = await open_store(tmp_path / "restored")
    account = await linda(restored)
    assert await is_whole(account, before.modseq)
    assert {each.name for each in (await account.mailbox_changes(START)).mailboxes} == {
        name for name, _ in NEW_ACCOUNT_MAILBOXES if name != "Junk"
    }
    await restored.close()
