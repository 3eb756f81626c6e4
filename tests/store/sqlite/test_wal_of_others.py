"""A WAL that another process left or still writes: what is lost is reported, and nothing else; locks stay in place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from mektup.store.faults import Kind
from mektup.store.interface import AccountEntry
from mektup.store.sqlite import open_store
from mektup.store.sqlite import store as store_module
from mektup.store.sqlite.file.wal_index import WalIndex
from mektup.store.sqlite.file.wal_rewrite import FRAME_HEADER_BYTES, lost_commits
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from tests.contract.mail import entry_of, fill, incoming
from tests.store.sqlite.conftest import Book, file_of

QUIET = Limits(text_index=False)
"""Without the index only the test itself causes writes."""


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_a_damaged_wal_is_reported(tmp_path: Path, is_damaged: bool) -> None:
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    for _ in range(3):
        await fill(account, 1)
    # as a killed process leaves it
    shutil.copytree(tmp_path / "data", tmp_path / "copy", ignore=shutil.ignore_patterns("*-shm", "run"))
    await store.close()
    wal = Path(f"{file_of(tmp_path / 'copy', account.id)}-wal")
    octets = bytearray(wal.read_bytes())
    if is_damaged:
        octets[len(octets) // 2] ^= 1
        wal.write_bytes(octets)
    book = Book()
    store = await open_store(tmp_path / "copy", limits=QUIET, faults=book)
    account = await store.account(entry_of(account))
    assert (await account.mailbox("INBOX")).messages == (3 if not is_damaged else 1)
    assert [fault.kind for fault in book.faults] == [Kind.DAMAGED] * is_damaged
    await store.close()


_LAST_TO_LEAVE = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
try:
    fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)  # SQLite's "dead man switch", held by all who have it open
except OSError:
    print("held")
"""


async def test_looking_at_a_wal_and_writing_it_again_leaves_the_locks_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 1)
    shm = f"{file_of(tmp_path / 'data', account.id)}-shm"

    def is_held() -> bool:
        done = subprocess.run([sys.executable, "-c", _LAST_TO_LEAVE, shm], capture_output=True, check=True)
        return done.stdout == b"held\n"

    assert is_held()
    other = await open_store(tmp_path / "data", limits=QUIET)
    await other.account(entry_of(account))  # checks the WAL
    assert is_held()
    await other.close()
    assert is_held()
    await account.append(mailbox, [incoming()])  # SQLite itself syncs the first change after a proper close

    def failing(file: int) -> None:
        raise OSError(5, os.strerror(5))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", failing)
        with pytest.raises(Refused):
            await account.append(mailbox, [incoming()])
    await account.append(mailbox, [incoming()])
    assert is_held()
    await store.close()


async def left_by_a_killed_process(data: Path) -> AccountEntry:
    """Makes *data*, with an account whose WAL has a commit, as a killed process leaves it."""
    store = await open_store(data, limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 1)
    path = file_of(data, account.id)
    files = {each: each.read_bytes() for each in (path, Path(f"{path}-wal"))}
    await store.close()
    for each, octets in files.items():
        each.write_bytes(octets)
    return entry_of(account)


@pytest.mark.parametrize("is_damaged", [False, True])
async def test_a_commit_that_a_killed_process_did_not_name_is_not_lost(tmp_path: Path, is_damaged: bool) -> None:
    entry = await left_by_a_killed_process(tmp_path / "data")
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(entry)
    path = file_of(tmp_path / "data", entry.id)
    index = WalIndex(path)
    before = index.header()
    wal = Path(f"{path}-wal")
    start = wal.stat().st_size
    await fill(account, 1)
    await fill(account, 1)
    if is_damaged:
        octets = bytearray(wal.read_bytes())
        octets[start + FRAME_HEADER_BYTES + 5] ^= 1
        wal.write_bytes(octets)
    assert lost_commits(path, lambda: before) == 2 * is_damaged
    await store.close()
    index.close()


async def test_the_rest_of_an_overwritten_commit_is_not_lost(tmp_path: Path) -> None:
    entry = await left_by_a_killed_process(tmp_path / "data")
    store = await open_store(tmp_path / "data", limits=QUIET)
    account = await store.account(entry)
    path = file_of(tmp_path / "data", entry.id)
    await fill(account, 1)
    # the end of a commit that a killed process had written and not named; other commits are in place of its beginning
    wal = Path(f"{path}-wal")
    octets = wal.read_bytes()
    index = WalIndex(path)
    step = FRAME_HEADER_BYTES + int.from_bytes(index.header()[14:16], sys.byteorder)
    wal.write_bytes(octets + octets[-step:])
    assert not lost_commits(path, index.header)
    await store.close()
    index.close()


async def test_the_rest_of_a_commit_in_a_wal_that_all_have_left_is_not_lost(tmp_path: Path) -> None:
    """One process was killed before it named a commit; another one had overwritten its first frames, and was killed."""
    entry = await left_by_a_killed_process(tmp_path / "data")
    wal = Path(f"{file_of(tmp_path / 'data', entry.id)}-wal")
    octets = wal.read_bytes()
    page_bytes = int.from_bytes(octets[8:12])
    wal.write_bytes(octets + octets[-FRAME_HEADER_BYTES - page_bytes :])
    book = Book()
    store = await open_store(tmp_path / "data", limits=QUIET, faults=book)
    assert await store.account(entry)
    assert not book.faults
    await store.close()


@pytest.mark.parametrize("completes", [True, False])
async def test_a_commit_at_the_end_of_the_wal_is_lost_unless_another_process_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, completes: bool
) -> None:
    data, book = tmp_path / "data", Book()
    account = await left_by_a_killed_process(data)
    running = await open_store(data, limits=QUIET)
    await running.account(account)
    path = file_of(data, account.id)
    wal = path.with_suffix(".db-wal")
    whole = wal.read_bytes()
    committing = apsw.Connection(str(path))
    page_bytes = int(committing.pragma("page_size"))
    frame = FRAME_HEADER_BYTES + page_bytes
    assert whole[-frame:][4:8] != bytes(4), "the last frame completes a commit"
    # another process has written the frames of two commits, and not named them in the WAL-index yet
    wal.write_bytes(whole + 2 * whole[-frame:])
    if completes:
        committing.execute("BEGIN IMMEDIATE")

        def seen_then_completed(database: Path, header: Callable[[], bytes]) -> int:
            found = lost_commits(database, header)
            if committing.in_transaction:
                os.truncate(wal, len(whole))
                committing.execute("ROLLBACK")
                assert found == 2
            return found

        monkeypatch.setattr(store_module, "lost_commits", seen_then_completed)
    opening = await open_store(data, limits=QUIET, faults=book)
    assert await opening.account(account)
    assert [(fault.kind, fault.lasts) for fault in book.faults] == ([] if completes else [(Kind.DAMAGED, True)])
    committing.close()
    await opening.close()
    await running.close()
