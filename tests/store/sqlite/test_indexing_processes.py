"""Several processes index the same account; some are killed meanwhile."""

from __future__ import annotations

import sys
from asyncio import gather
from asyncio.subprocess import PIPE, Process, create_subprocess_exec
from pathlib import Path

import apsw
import pytest

from mektup.store.columns import Column
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.tables import search
from mektup.store.sqlite.tables.chunk_compression import AGAINST_TEXT
from mektup.terms.search import InText
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, fetched, fill, inbox, incoming, raw, uids
from tests.store.sqlite.conftest import KEEPS_NOTHING, file_of, texts_kept

LIMITS = KEEPS_NOTHING


MESSAGES = 400


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes searches use the index in small mailboxes, too."""
    monkeypatch.setattr(search, "FEW_READ", 0)


async def begin(data: Path) -> Process:
    """Starts a process that indexes."""
    return await create_subprocess_exec(
        sys.executable, "-m", "tests.store.sqlite.indexing_process", str(data), "linda", stdout=PIPE
    )


async def said(process: Process) -> int | None:
    """The number of messages that it has indexed in one transaction; None at its end."""
    assert process.stdout is not None
    line = await process.stdout.readline()
    return int(line) if line.endswith(b"\n") else None


@pytest.fixture
async def path(data: Path) -> Path:
    """The file of an account with messages that are not indexed."""
    store = await open_store(data, compression=3, limits=LIMITS)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, MESSAGES)
    await store.close()
    return file_of(data, account.id)


async def check(account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    for number in (0, 7, 123, MESSAGES - 1):
        assert number + 1 in (await account.search(mailbox, InText(f"subject: number {number}"), EVERYTHING)).uids
    assert len((await account.search(mailbox, InText("subject: number"), EVERYTHING)).uids) >= MESSAGES
    assert not (await account.search(mailbox, InText("subject: number 1000"), EVERYTHING)).uids
    await check_octets(account)


async def check_octets(account: SqliteAccount) -> None:
    rows = await fetched(account, await inbox(account), Uids.span(1, MESSAGES), Column.RAW)
    assert len(rows) >= MESSAGES - 1
    assert all(octets == raw(f"number {uid - 1}") for uid, octets in rows)


@pytest.mark.parametrize("transactions", [0, 1, 4, 9])
async def test_a_process_that_dies_leaves_what_it_had_indexed(data: Path, path: Path, transactions: int) -> None:
    process = await begin(data)
    done = [await said(process) for _ in range(transactions)]
    process.kill()
    while (count := await said(process)) is not None:
        done.append(count)
    await process.wait()
    store = await open_store(data, compression=3, limits=LIMITS)
    account = await store.account((await store.directory.entries("", 1))[0])
    # The last transaction may be committed but not printed, or printed but not committed.
    indexed = (await account.search_status()).indexed
    assert indexed >= sum(count or 0 for count in done[:-1])
    await check(account)
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=raw("number 7 again"))])
    assert (await account.search(mailbox, InText("number 7 again"), EVERYTHING)).uids == uids(MESSAGES + 1)
    await account.indexer.finish()
    assert (await account.search_status()).indexed == MESSAGES + 1
    await check(account)
    await store.close()
    check_file(path)


async def test_processes_that_index_the_same(data: Path, path: Path) -> None:
    processes = [await begin(data) for _ in range(2)]
    counts = await gather(*(until_end(process) for process in processes))
    # not earlier, because an account that is open here would index, too
    store = await open_store(data, compression=3, limits=LIMITS)
    account = await store.account((await store.directory.entries("", 1))[0])
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=raw("number 9999"))])
    await account.remove(mailbox, uids(100))
    await account.indexer.finish()
    assert sum(counts) == MESSAGES
    assert (await account.search_status()).indexed == MESSAGES
    assert (await account.search(mailbox, InText("number 9999"), EVERYTHING)).uids == uids(MESSAGES + 1)
    await check_octets(account)
    await store.close()
    check_file(path)


async def until_end(process: Process) -> int:
    total = 0
    while (count := await said(process)) is not None:
        total += count
    assert await process.wait() == 0
    return total


def check_file(path: Path) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    assert connection.pragma("integrity_check") == "ok"
    connection.execute("INSERT INTO trigrams (trigrams) VALUES ('integrity-check')")
    contents = connection.execute("SELECT id FROM contents ORDER BY id").fetchall()
    assert texts_kept(connection) == {number for (number,) in contents}
    documents = connection.execute("SELECT id FROM trigrams_docsize ORDER BY id").fetchall()
    assert connection.execute("SELECT count(*) FROM chunks WHERE packed = ?", (AGAINST_TEXT,)).get == len(contents)
    assert documents == sorted({(number // 2,) for (number,) in contents})
    connection.close()
