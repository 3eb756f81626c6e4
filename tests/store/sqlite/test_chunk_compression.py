"""Compressed messages are smaller on arrival, and still smaller after indexing; their octets are always the same."""

from __future__ import annotations

import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.mail import generate
from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file.schema import back_up
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables.chunk_compression import AGAINST_TEXT, ALONE, AS_IT_IS, MOST_TEXT_BYTES, Packing, equip
from mektup.store.sqlite.tables.schema import CHUNK_BYTES
from mektup.store.sqlite.tables.text_blocks import KeptTexts
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MailboxId
from mektup.terms.search import InBody, InHeader
from tests.contract.mail import EVERYTHING, entry_of, fetched, inbox, incoming, raw, uids
from tests.store.sqlite.conftest import file_of

ODD = random.Random(7).randbytes(CHUNK_BYTES)
PROSE = "And so the letters went, one by one, to whoever was still awake at that hour. "
MAIL = [
    *[mail.raw for mail in generate(40)],
    raw(text=""),
    b"Subject: a header alone\r\n\r\n",
    b"no header, and no end of line",
    raw(text=PROSE * 40),
    raw(text=PROSE * 4000),
    raw(text=PROSE * 20, more="".join(f"X-Long-{number}: {PROSE}\r\n" for number in range(CHUNK_BYTES // 60))),
    raw(text=PROSE * 20 + "\r\n" + base64.encodebytes(ODD).decode(), more="Content-Type: text/plain\r\n"),
    raw(text=base64.encodebytes(PROSE.encode() * 9).decode(), more="Content-Transfer-Encoding: base64\r\n"),
    raw(more="Content-Type: image/png\r\n").replace(b"at eight", ODD[: CHUNK_BYTES + 1]),
]
"""Messages of every shape that matters here."""


@pytest.fixture
async def store(data: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(data, compression=3)
    yield store
    await store.close()


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    account = await store.account(await store.directory.add("linda", {}))
    await account.append(await inbox(account), [incoming(octets=octets) for octets in MAIL])
    return account


def ways_of(path: Path) -> dict[int, int]:
    """The number of chunks in an account's file, by the way in which they are compressed."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return dict(connection.execute("SELECT packed, count(*) FROM chunks GROUP BY packed").fetchall())
    finally:
        connection.close()


def octets_in(path: Path) -> int:
    """The octets that all chunks of an account take."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        return int(connection.execute("SELECT sum(length(octets)) FROM chunks").get)
    finally:
        connection.close()


async def assert_same(account: Account, mailbox: MailboxId, expected: dict[int, bytes]) -> None:
    """Asserts that the messages are the expected ones, by UID, for every way to read them."""
    rows = await fetched(account, mailbox, EVERYTHING, Column.CONTENT, Column.HEADER, Column.RAW)
    assert [row[0] for row in rows] == sorted(expected)
    chance = random.Random(3)
    for uid, content, header, octets in rows:
        message = expected[uid]
        assert octets is None or octets == message
        assert message.startswith(header)
        start = chance.randrange(len(message))
        for first, last in ((0, len(message)), (start, start + 2048), (len(header), len(header) + 100)):
            read = b"".join([piece async for piece in account.content(content, first, last)])
            assert read == message[first:last]


EXPECTED = dict(enumerate(MAIL, 1))


async def test_messages_compressed_with_their_text_are_smaller_and_equal(data: Path, account: SqliteAccount) -> None:
    path, mailbox = file_of(data, account.id), await inbox(account)
    await assert_same(account, mailbox, EXPECTED)
    before, arrived = octets_in(path), ways_of(path)
    assert AGAINST_TEXT not in arrived
    await account.indexer.finish()
    assert ways_of(path)[AGAINST_TEXT] > len(MAIL)
    assert sum(ways_of(path).values()) == sum(arrived.values())
    assert octets_in(path) < before - 40_000
    await assert_same(account, mailbox, EXPECTED)


async def test_an_open_file_reads_what_another_process_compressed(data: Path, account: SqliteAccount) -> None:
    elsewhere = await open_store(data)  # as another process: only the file is shared
    other = await elsewhere.account(entry_of(account))
    mailbox = await inbox(other)
    await assert_same(other, mailbox, EXPECTED)
    await account.indexer.finish()
    await assert_same(other, mailbox, EXPECTED)
    later = [raw(f"later {number}", PROSE * 5) for number in range(30)]
    await account.append(mailbox, [incoming(octets=octets) for octets in later])
    await account.indexer.finish()
    await assert_same(other, mailbox, dict(enumerate([*MAIL, *later], 1)))
    await elsewhere.close()


async def test_a_backup_holds_all_that_is_needed(data: Path, store: SqliteStore, account: SqliteAccount) -> None:
    await account.indexer.finish()
    path = file_of(data, account.id)
    back_up(path, path.with_name("backup"))
    await store.close()
    path.with_name("backup").rename(path)
    again = await open_store(data)
    restored = await again.account(entry_of(account))
    await assert_same(restored, await inbox(restored), EXPECTED)
    await again.close()


async def test_messages_can_be_read_after_their_neighbours_are_removed(data: Path, account: SqliteAccount) -> None:
    await account.indexer.finish()
    mailbox = await inbox(account)
    await account.create("Copies")
    await account.copy(mailbox, uids(3, 4), "Copies")
    kept = {uid: octets for uid, octets in EXPECTED.items() if uid % 3 == 1}
    await account.remove(mailbox, uids(*(EXPECTED.keys() - kept.keys())))
    await account.indexer.finish()
    await assert_same(account, mailbox, kept)
    await assert_same(account, (await account.mailbox("Copies")).id, {1: MAIL[2], 2: MAIL[3]})


async def test_searches_find_the_same(account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    keys = [InBody("still awake"), InHeader("x-long-7", "whoever"), InHeader("subject", "dinner")]
    before = [(await account.search(mailbox, key, EVERYTHING)).uids for key in keys]
    await account.indexer.finish()
    assert [(await account.search(mailbox, key, EVERYTHING)).uids for key in keys] == before
    assert all(before)


async def test_mail_that_came_before_compression_is_packed_if_it_was_not_indexed(data: Path) -> None:
    store = await open_store(data)
    linda = (await store.directory.add("linda", {})).id
    await append_all(await store.account(entry_of(linda)), MAIL[:10])
    await (await store.account(entry_of(linda))).indexer.finish()
    await append_all(await store.account(entry_of(linda)), MAIL[10:])
    await store.close()
    assert ways_of(file_of(data, linda)).keys() == {AS_IT_IS}
    store = await open_store(data, compression=3)
    account = await store.account(entry_of(linda))
    await account.indexer.finish()
    assert ways_of(file_of(data, linda)).keys() == {AS_IT_IS, AGAINST_TEXT}
    await assert_same(account, await inbox(account), EXPECTED)
    await store.close()


async def test_without_compression_nothing_is_packed(data: Path) -> None:
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    await append_all(account, MAIL)
    await account.indexer.finish()
    await store.close()
    assert ways_of(file_of(data, account.id)).keys() == {AS_IT_IS}


async def append_all(account: SqliteAccount, mail: list[bytes]) -> None:
    await account.append(await inbox(account), [incoming(octets=octets) for octets in mail])


async def test_a_text_that_is_missing_is_a_damage_and_no_other_octets(data: Path, account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    await account.indexer.finish()
    connection = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("DELETE FROM search_texts")
    connection.close()
    with pytest.raises(Refused) as caught:
        await fetched(account, mailbox, uids(1), Column.RAW)
    assert caught.value.code is Code.CORRUPTION


class OneText(KeptTexts):
    """A stand-in that gives every message the same text."""

    def __init__(self, connection: apsw.Connection, text: bytes) -> None:
        super().__init__(connection)
        self._text = text

    def body(self, content: int) -> bytes:
        return self._text


@settings(max_examples=100, deadline=None)
@given(text=st.binary(max_size=300), octets=st.binary(max_size=2000), repeated=st.integers(0, 8))
def test_octets_packed_against_any_text_come_back(text: bytes, octets: bytes, repeated: int) -> None:
    octets += text * repeated
    smaller = Packing(3).against(text, octets, 2 * len(octets) + 100)
    connection = apsw.Connection(":memory:")
    equip(connection, OneText(connection, text))
    if len(text) < 64:
        assert smaller is None
    else:
        assert connection.execute("SELECT unpack_against_text(?, 1)", (smaller,)).get == octets


def test_chunks_are_compressed_again_only_if_that_saves_enough() -> None:
    text = PROSE.encode() * 4
    smaller = Packing(3).against(text, text, len(text))
    assert smaller is not None
    assert Packing(3).against(text, ODD[:1000], 1000) is None
    assert Packing(3).against(text, text, len(smaller)) is None
    assert Packing(3).against(text * (MOST_TEXT_BYTES // len(text) + 1), text, len(text)) is None
    assert Packing(None).against(text, text, len(text)) is None
    assert Packing(3).packed(text)[1] == ALONE
