"""Which blocks of header fields are stored, when they are made, and when they are removed."""

from __future__ import annotations

import random
from functools import partial
from pathlib import Path

import apsw
import pytest

from mektup.store.columns import Column, HeaderFields
from mektup.store.rules.header_blocks import BLOCK_BITS, MANY, MOST_CHOICES, MOST_KEPT
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import header_fields
from mektup.store.sqlite.tables.fetch import query_for
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, entry_of, fetched, fill, flags_of, inbox, incoming, raw, uids
from tests.store.sqlite.conftest import file_of, make_older, shape_of

CHOICE = HeaderFields(frozenset({b"subject"}))
SIZE = 1 << BLOCK_BITS


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


def kept(account: SqliteAccount) -> list[int]:
    """The blocks that are stored for each choice of fields."""

    def ask(cursor: Cursor) -> list[int]:
        return [block for (block,) in cursor.execute("SELECT block FROM header_fields ORDER BY block").fetchall()]

    return account.database.read_now(ask)


def subjects(rows: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    return [(uid, fields.split(b"\r\n")[1]) for uid, fields in rows]


async def test_blocks_are_made_for_many_in_which_nothing_can_arrive(account: SqliteAccount) -> None:
    mailbox = await fill(account, 3 * SIZE - 2)
    for few in (uids(SIZE), Uids.span(SIZE, SIZE + MANY - 2), uids(*range(1, 3 * SIZE, 10))):
        await fetched(account, mailbox, few, CHOICE)
    assert kept(account) == []
    await fetched(account, mailbox, Uids.span(SIZE, SIZE + MANY - 1), CHOICE)
    assert kept(account) == [1]
    await fetched(account, mailbox, EVERYTHING, CHOICE)
    assert kept(account) == [0, 1]
    await fill(account, 1)
    await fetched(account, mailbox, EVERYTHING, CHOICE)
    assert kept(account) == [0, 1, 2]


async def test_blocks_are_stored_for_the_next_process(account: SqliteAccount, store: SqliteStore, data: Path) -> None:
    mailbox = await fill(account, 2 * SIZE)
    before = await fetched(account, mailbox, EVERYTHING, CHOICE)
    await store.close()
    connection = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("UPDATE chunks SET octets = CAST('Subject: changed' AS BLOB)")  # to see what is read
    connection.close()
    store = await open_store(data)
    account = await store.account(entry_of(account))
    after = await fetched(account, mailbox, EVERYTHING, CHOICE)
    await store.close()
    assert after[: 2 * SIZE - 1] == before[: 2 * SIZE - 1]
    assert subjects(after[2 * SIZE - 1 :]) == [(2 * SIZE, b"Subject: changed")]


async def test_long_fields_are_not_stored(account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    lengths = [MOST_KEPT - 100, MOST_KEPT] * SIZE
    await account.append(mailbox, [incoming(octets=raw("x" * length)) for length in lengths])
    for _ in range(2):
        rows = await fetched(account, mailbox, EVERYTHING, CHOICE)
        assert [len(subject) for _, subject in subjects(rows)] == [len("Subject: ") + length for length in lengths]
    kept_ones, missing = await account.database.read(header_fields.read, mailbox, uids(SIZE), CHOICE)
    assert list(kept_ones) == list(range(SIZE + 1, 2 * SIZE, 2))
    assert missing == []


async def test_a_block_is_removed_with_any_of_its_messages(account: SqliteAccount) -> None:
    mailbox = await fill(account, 6 * SIZE)
    await account.create("Other")
    await fetched(account, mailbox, EVERYTHING, CHOICE)
    assert kept(account) == [0, 1, 2, 3, 4, 5]
    await account.remove(mailbox, uids(SIZE))
    assert kept(account) == [0, 2, 3, 4, 5]
    await account.move(mailbox, uids(2 * SIZE, 2 * SIZE + 1), "Other")
    assert kept(account) == [0, 3, 4, 5]
    await account.store_flags(mailbox, uids(1, 5 * SIZE), FlagChange.ADD, frozenset({"\\Deleted"}))
    assert kept(account) == [0, 3, 4, 5]
    await account.expunge(mailbox, None)
    assert kept(account) == [3, 4]
    await account.rename("INBOX", "Elsewhere")
    assert kept(account) == []
    elsewhere = (await account.mailbox("Elsewhere")).id
    await fetched(account, elsewhere, EVERYTHING, CHOICE)
    assert kept(account) == [0, 1, 2, 3, 4]
    await account.delete("Elsewhere")
    assert kept(account) == []


async def test_a_block_with_a_message_removed_meanwhile_is_not_stored(account: SqliteAccount) -> None:
    mailbox = await fill(account, 2 * SIZE)
    blocks = await account.database.read_long(header_fields.make, mailbox, [0, 1], query_for((CHOICE,)))
    assert [block.messages for block in blocks] == [SIZE - 1, SIZE]
    await account.remove(mailbox, uids(5))
    put = partial(header_fields.put, mailbox=mailbox, blocks=blocks, choice=CHOICE)
    await account.database.write(put, durable=False)
    assert kept(account) == [1]


async def test_a_message_has_so_many_choices_at_most(account: SqliteAccount) -> None:
    mailbox = await fill(account, SIZE)
    for count in range(1, 2 * MOST_CHOICES + 1):
        choice = HeaderFields(frozenset({b"subject", b"x-%d" % count}))
        for _ in range(2):
            rows = await fetched(account, mailbox, EVERYTHING, choice)
            assert subjects(rows)[6] == (7, b"Subject: number 6")
        assert len(kept(account)) == (count - 1) % MOST_CHOICES + 1


async def test_fields_are_read_even_if_no_block_can_be_stored(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await inbox(account)
    chance = random.Random(1)  # for blocks that do not fit into free pages of the file
    said = [chance.randbytes(60).hex() for _ in range(3 * SIZE)]
    await account.append(mailbox, [incoming(octets=raw(subject)) for subject in said])
    database = account.database
    await database.release()
    connect = database._connect

    def connect_small(busy_ms: int, cache_kib: int) -> apsw.Connection:
        connection: apsw.Connection = connect(busy_ms, cache_kib)
        connection.pragma("max_page_count", connection.pragma("page_count"))
        return connection

    monkeypatch.setattr(database, "_connect", connect_small)
    rows = await fetched(account, mailbox, EVERYTHING, CHOICE)
    assert subjects(rows) == [(uid, f"Subject: {subject}".encode()) for uid, subject in enumerate(said, 1)]
    assert kept(account) == []
    assert await flags_of(account, mailbox, uids(1)) == {1: set()}


async def test_accounts_in_memory_keep_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(None)
    mailboxes: list[tuple[SqliteAccount, MailboxId]] = []
    for name, size in (("linda", 2 * SIZE), ("ali", SIZE)):
        account = await store.account(await store.directory.add(name, {}))
        mailboxes.append((account, await fill(account, size)))
    for _ in range(2):
        for account, mailbox in mailboxes:
            sizes = await fetched(account, mailbox, EVERYTHING, CHOICE, Column.SIZE)
            assert [uid for uid, *_ in sizes] == list(range(1, (await account.mailbox("INBOX")).messages + 1))
    assert [kept(account) for account, _ in mailboxes] == [[0, 1], [0]]
    await store.close()


async def test_a_file_of_the_version_before_gets_the_table(
    account: SqliteAccount, store: SqliteStore, data: Path
) -> None:
    await store.close()
    path = file_of(data, account.id)
    today = shape_of(path)
    make_older(path, 3)
    store = await open_store(data)
    await store.account(entry_of(account))
    await store.close()
    assert shape_of(path) == today
