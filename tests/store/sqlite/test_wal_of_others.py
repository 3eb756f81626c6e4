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
from mektup.store.sqlite import open_store
from mektup.store.sqlite import store as store_module
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


@pytest.mark.parametrize("completes", [True, False])
async def test_a_commit_at_the_end_of_the_wal_is_lost_unless_another_process_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, completes: bool
) -> None:
    data, book = tmp_path / "data", Book()
    running = await open_store(data, limits=QUIET)
    account = await running.account(await running.directory.add("linda", {}))
    await fill(account, 1)
    path = file_of(data, account.id)
    wal = path.with_suffix(".db-wal")
    whole = wal.read_bytes()
    committing = apsw.Connection(str(path))
    page_bytes = int(committing.pragma("page_size"))
    frame = FRAME_HEADER_BYTES + page_bytes
    assert whole[-frame:][4:8] != bytes(4), "the last frame completes a commit"
    # another process has written the frame of a commit, and not named it in the WAL-index yet
    wal.write_bytes(whole + whole[-frame:])
    if completes:
        committing.execute("BEGIN IMMEDIATE")

        def seen_then_completed(database: Path, header: Callable[[], bytes]) -> int:
            found = lost_commits(database, header)
            if committing.in_transaction:
                os.truncate(wal, len(whole))
                committing.execute("ROLLBACK")
                assert found == 1
            return found

        monkeypatch.setattr(store_module, "lost_commits", seen_then_completed)
    opening = await open_store(data, limits=QUIET, faults=book)
    assert await opening.account(entry_of(account))
    assert [(fault.kind, fault.lasts) for fault in book.faults] == ([] if completes else [(Kind.DAMAGED, True)])
    committing.close()
    await opening.close()
    await running.close()
