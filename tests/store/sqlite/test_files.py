"""The data directory: its modes, one file for each account, and few open files."""

from __future__ import annotations

import asyncio
import gc
import shutil
import stat
import sys
import weakref
from asyncio.subprocess import PIPE
from pathlib import Path

import apsw
import pytest

from mektup.store import open_files
from mektup.store.columns import Column
from mektup.store.open_files import OpenFiles
from mektup.store.sqlite import open_store
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from tests.contract.mail import EVERYTHING, entry_of, fetched, fill, incoming, raw, uids
from tests.store.sqlite.conftest import file_of


async def test_nobody_else_can_read_the_files(data: Path, store: SqliteStore) -> None:
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 3)
    found = sorted(data.rglob("*"))
    assert {path.suffix for path in found if path.is_file()} >= {".db", ".db-wal", ".db-shm"}
    for path in (data, *found):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


async def test_no_name_of_a_user_becomes_a_path(data: Path, store: SqliteStore) -> None:
    account = await store.account(await store.directory.add("..", {}))
    await account.create("../../evil")
    assert all(path.name.startswith(("mektup.db", account.id)) for path in data.rglob("*") if path.is_file())


async def test_a_closed_store_leaves_whole_files_and_nothing_beside_them(data: Path) -> None:
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 3)
    await store.close()
    assert {path for path in data.rglob("*") if path.is_file()} == {data / "mektup.db", file_of(data, account.id)}


async def test_processes_that_start_at_once_share_a_new_directory(data: Path) -> None:
    stores = await asyncio.gather(*(open_store(data) for _ in range(4)))
    await stores[0].directory.add("linda", {})
    for store in stores:
        assert await store.directory.find("linda") is not None
        await store.close()
    assert [path.name for path in data.iterdir() if path.is_file()] == ["mektup.db"]


async def test_concurrent_openings_of_an_account_share_one(data: Path) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    await store.close()
    store = await open_store(data)
    opened = await asyncio.gather(*(store.account(entry) for _ in range(5)))
    assert len({id(account) for account in opened}) == 1
    await fill(opened[0], 1)
    await store.close()
    assert list(data.rglob("*-wal")) == []


async def test_an_account_that_opens_while_the_store_closes_is_not_left_open(data: Path) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    await store.close()
    store = await open_store(data)
    opening = asyncio.create_task(store.account(entry))
    await asyncio.sleep(0)
    await store.close()
    with pytest.raises(Refused):
        await (await opening).mailboxes()
    assert list(data.rglob("*-wal")) == []


async def test_a_copied_file_is_a_copied_account(data: Path, tmp_path: Path) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    mailbox = await fill(await store.account(entry), 3, "$Kept")
    await store.close()
    shutil.copytree(data, tmp_path / "copy")
    copied = await open_store(tmp_path / "copy")
    account = await copied.account(entry)
    rows = await fetched(account, mailbox, EVERYTHING, Column.RAW, Column.FLAGS)
    assert [row[1] for row in rows] == [raw(f"number {number}") for number in range(3)]
    assert account.flag_names(rows[0][2]) == ("$Kept",)
    await copied.close()


async def test_a_removed_account_leaves_no_file(data: Path, store: SqliteStore) -> None:
    entry = await store.directory.add("linda", {})
    await fill(await store.account(entry), 1)
    await store.directory.remove("linda")
    assert list(data.rglob(f"{entry.id}*")) == []


async def test_a_missing_or_damaged_file_is_refused_and_others_live_on(data: Path) -> None:
    store = await open_store(data)
    gone, damaged, other, well = [(await store.directory.add(name, {})).id for name in ("a", "b", "c", "d")]
    await store.close()
    file_of(data, gone).unlink()
    file_of(data, damaged).write_bytes(b"not a database, but long enough to be taken for one" * 1000)
    file_of(data, other).unlink()
    apsw.Connection(str(file_of(data, other))).execute("CREATE TABLE another (program)")
    store = await open_store(data)
    for account, code in ((gone, Code.UNAVAILABLE), (damaged, Code.CORRUPTION), (other, Code.CORRUPTION)):
        with pytest.raises(Refused) as caught:
            await store.account(entry_of(account))
        assert caught.value.code is code
    assert not file_of(data, gone).exists()
    assert (await (await store.account(entry_of(well))).mailbox("INBOX")).messages == 0
    await store.close()


async def test_few_files_are_open_however_many_accounts_are_held(
    data: Path, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "_open_files", OpenFiles(3, store._threads))
    accounts = [await store.account(await store.directory.add(f"user{number}", {})) for number in range(10)]
    for _ in range(2):
        for account in accounts:
            mailbox = await fill(account, 1)
            await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Seen"}))
    await store._open_files.settle()
    assert len({path.stem for path in data.rglob("accounts/*/*.db-wal")}) <= 3
    for account in accounts:
        assert (await account.mailbox("INBOX")).messages == 2


async def test_few_idle_files_stay_open_and_each_is_reopened_when_used(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_files, "REST_SECONDS", 0.0)
    monkeypatch.setattr(open_files, "FEW_AT_REST", 2)
    monkeypatch.setattr(open_files, "SYNCED_REST_SECONDS", 0.0)
    accounts = [await store.account(await store.directory.add(f"user{number}", {})) for number in range(6)]
    for count in (1, 2):
        for account in accounts:
            await fill(account, 1)
        async with asyncio.timeout(20):
            # a read in a thread keeps a second connection, which is counted separately
            while sum(account.database._near is not None for account in accounts) > 2:
                await asyncio.sleep(0)
        assert len(store._open_files) <= 2
        assert [(await account.mailbox("INBOX")).messages for account in accounts] == [count] * 6


async def test_a_file_with_a_durable_change_is_closed_later(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_files, "REST_SECONDS", 0.0)
    monkeypatch.setattr(open_files, "FEW_AT_REST", 1)
    accounts = [await store.account(await store.directory.add(f"user{number}", {})) for number in range(6)]
    for account in accounts:
        await account.database.release()
    read, synced = accounts[:3], accounts[3:]
    for account in read:
        await account.mailbox("INBOX")
    for account in synced:
        await account.create("Travel")
    async with asyncio.timeout(20):
        while any(account.database._near for account in read):
            await asyncio.sleep(0)
    assert all(account.database._near for account in synced)


async def test_an_account_that_nobody_uses_goes_when_its_file_is_closed(store: SqliteStore) -> None:
    identity = (await store.directory.add("linda", {})).id
    account = weakref.ref(await store.account(entry_of(identity)))
    gc.collect()
    first = account()
    assert first is not None
    assert await store.account(entry_of(identity)) is first  # because its file is open
    gc.disable()
    try:
        await first.database.release()
        del first
        assert account() is None
    finally:
        gc.enable()
    assert (await (await store.account(entry_of(identity))).mailbox("INBOX")).messages == 0


ANOTHER = """
import fcntl, sys, apsw
connection = apsw.Connection(sys.argv[1])
connection.execute("SELECT count(*) FROM mailboxes").fetchall()
print("open", flush=True)
sys.stdin.readline()
connection.close()
with open(sys.argv[1] + "-shm", "r+b") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)  # the "dead man's switch" of SQLite's unixShmLock
        print("nobody has it open")
    except BlockingIOError:
        print("somebody has it open")
"""


async def test_a_file_that_is_used_again_while_it_is_closed_keeps_its_locks(data: Path, store: SqliteStore) -> None:
    account = await store.account(await store.directory.add("linda", {}))
    path = str(file_of(data, account.id))
    assert (await account.mailbox("INBOX")).messages == 0
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", ANOTHER, path, stdin=PIPE, stdout=PIPE)
    assert other.stdin is not None
    assert other.stdout is not None
    assert await other.stdout.readline() == b"open\n"
    releasing = asyncio.create_task(account.database.release())
    await asyncio.sleep(0)
    assert (await account.mailbox("INBOX")).messages == 0
    assert await releasing
    answer, _ = await other.communicate(b"\n")
    assert answer == b"somebody has it open\n"


async def test_compressed_messages_are_smaller_and_come_back(tmp_path: Path) -> None:
    octets = raw("compressed", "the same words again and again. " * 20_000)
    small = raw("small", "x")
    sizes = {}
    for name, compression in (("plain", None), ("packed", 3)):
        store = await open_store(tmp_path / name, compression=compression)
        entry = await store.directory.add("linda", {})
        account = await store.account(entry)
        mailbox = (await account.mailbox("INBOX")).id
        await account.append(
            mailbox, [incoming(octets=octets), incoming(octets=small), incoming(octets=octets[:200_000])]
        )
        await store.close()
        sizes[name] = file_of(tmp_path / name, entry.id).stat().st_size
        store = await open_store(tmp_path / name)  # compressed messages are readable with any setting
        account = await store.account(entry)
        rows = await fetched(account, mailbox, EVERYTHING, Column.CONTENT, Column.RAW, Column.HEADER)
        assert [row[2] for row in rows] == [None, small, octets[:200_000]]
        assert b"".join([piece async for piece in account.content(rows[0][1], 0, 2**40)]) == octets
        assert rows[0][3] == octets[: octets.index(b"\r\n\r\n") + 4]
        await store.close()
    assert sizes["packed"] < sizes["plain"] / 3
