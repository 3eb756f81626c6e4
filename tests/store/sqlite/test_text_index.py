"""The index of texts: a search finds the same with and without it, at any progress of indexing, but reads much less."""

from __future__ import annotations

import asyncio
import base64
import quopri
import re
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.message.text import fold, header_values, search_text
from mektup.store import quiet_work
from mektup.store.arrival import prepare
from mektup.store.interface import Incoming
from mektup.store.rules import text_documents
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import search, text_index
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.search import (
    AddressField,
    And,
    Compared,
    Fuzzy,
    HasFlag,
    InAddress,
    InBody,
    InHeader,
    InSubject,
    InText,
    Not,
    Or,
    SearchKey,
)
from tests.contract.mail import EVERYTHING, fill, inbox, incoming, raw, uids
from tests.contract.test_search import CASES, MESSAGES
from tests.store.sqlite.conftest import KEEPS_NOTHING, file_of, make_older, shape_of, texts_kept

LIMITS = KEEPS_NOTHING


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes searches use the index in small mailboxes, too."""
    monkeypatch.setattr(search, "FEW_READ", 0)


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


@pytest.fixture
def looked_into(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Records the length of each text that a search reads."""
    lengths: list[int] = []
    holds = text_index._holds

    def counted(text: bytes, sought: bytes) -> bool:
        lengths.append(len(text))
        return holds(text, sought)

    monkeypatch.setattr(text_index, "_holds", counted)
    return lengths


# Exact answers answers


CHARACTERS = "abcABC iİıIßẞéüÜ漢字かな😀\"'*()^:+-\0\n\t=?_<>&;,@.\\%"
TEXT = st.text(st.sampled_from(CHARACTERS) | st.characters(exclude_categories=["Cs"]), max_size=24)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message with drawn texts, in some charset and encoding, or with the name of a wrong charset."""
    subject, body = draw(TEXT), draw(TEXT)
    encoded = base64.b64encode(subject.encode())
    header = draw(
        st.sampled_from(
            (
                b"Subject: " + subject.replace("\n", "\n ").encode(),
                b"Subject: =?utf-8?b?%b?=\r\nFrom: =?utf-8?b?%b?= <a@b.example>" % (encoded, encoded),
                b"X-Folded:\t" + subject.encode().replace(b" ", b"\r\n\t"),
                b"Subject: =?utf-7?q?+2D3-?= =?utf-7?q?+3gA-?= abc\r\nTo: " + subject.encode("latin-1", "replace"),
                b"no field\r\nsubject : " + subject.encode("utf-16"),
            )
        )
    )
    charset = draw(st.sampled_from(("utf-8", "utf-16", "latin-1", "utf-7", "gb18030", "x-unknown")))
    octets = body.encode(charset if charset != "x-unknown" else "utf-8", "replace")
    encoding, content = draw(
        st.sampled_from(
            (
                (b"8bit", octets),
                (b"base64", base64.encodebytes(octets)),
                (b"base64", octets),
                (b"quoted-printable", quopri.encodestring(octets)),
                (b"x-unknown", octets),
            )
        )
    )
    kind = draw(st.sampled_from((b"text/plain", b"text/html", b"message/rfc822", b"image/png")))
    message = b"%b\r\nContent-Type: %b; charset=%b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b\r\n" % (
        header,
        kind,
        charset.encode(),
        encoding,
        content,
    )
    # as a Spool stores it
    return re.sub(rb"(?<!\r)\n", b"\r\n", message)


def matches(octets: bytes, key: SearchKey) -> bool:
    """Whether the message matches, by the definitions in ``terms.search``."""
    arrival = prepare(octets)
    headers, body = search_text(octets)
    match key:
        case InBody(text):
            return fold(text) in body
        case InText(text):
            return fold(text) in headers or fold(text) in body
        case InSubject(text):
            return fold(text) in arrival.subject
        case InAddress(_, text):
            return fold(text) in arrival.from_
        case InHeader(name, text):
            return any(fold(text) in value for value in header_values(octets[: arrival.header_size], name))
        case Not(part):
            return not matches(octets, part)
        case Or(one, other):
            return matches(octets, one) or matches(octets, other)
        case And(keys):
            return all(matches(octets, part) for part in keys)
        case _:
            raise AssertionError(key)


NAMES = ("subject", "x-folded", "sub", "no field")


def values_of(octets: bytes) -> Iterator[str]:
    """The fields that other keys than TEXT search."""
    arrival = prepare(octets)
    yield from (arrival.subject, arrival.from_)
    for name in NAMES:
        yield from header_values(octets[: arrival.header_size], name)


def keys_for(text: str) -> Iterator[SearchKey]:
    yield from (InBody(text), InText(text), InSubject(text), InAddress(AddressField.FROM, text))
    yield from (InHeader(name, text) for name in NAMES)
    yield Not(InText(text))
    yield Or(InBody(text), InSubject("abc"))
    yield And((Not(InSubject(text)), Or(InText(text), InBody("b")), InBody(text)))


async def check(octets: list[bytes], indexed: int, sought: list[str]) -> None:
    store = await open_store(None, limits=LIMITS)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await inbox(account)
    await account.append(mailbox, [Incoming(prepare(each)) for each in octets[:indexed]])
    await account.indexer.finish()
    await account.append(mailbox, [Incoming(prepare(each)) for each in octets[indexed:]])
    assert (await account.search_status()).indexed == indexed
    for text in sought:
        for key in keys_for(text):
            expected = [uid for uid, each in enumerate(octets, 1) if matches(each, key)]
            assert list((await account.search(mailbox, key, EVERYTHING)).uids) == expected, key
    await store.close()


@settings(max_examples=30)
@given(octets=st.lists(messages(), min_size=1, max_size=5), data=st.data())
def test_the_answer_is_what_the_messages_say(octets: list[bytes], data: st.DataObject) -> None:
    texts = "\n".join(text for each in octets for text in (*search_text(each), *values_of(each)))
    start = data.draw(st.integers(0, len(texts)), "start of a text that is there")
    there = texts[start : start + data.draw(st.integers(0, 8), "its length")]
    sought = [text for text in (there, data.draw(TEXT)) if text.isprintable() or text.isascii()]
    indexed = data.draw(st.integers(0, len(octets)), "how many are indexed")
    asyncio.run(check(octets, indexed, sought))


OF_TEXTS = [
    case for case in CASES if isinstance(case[0], InBody | InText | InSubject | InAddress | InHeader | Fuzzy | Compared)
]


@pytest.mark.parametrize(("key", "expected"), OF_TEXTS, ids=str)
async def test_every_key_by_the_index(account: SqliteAccount, key: SearchKey, expected: list[int]) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming(octets=each.encode()) for each in MESSAGES])
    await account.indexer.finish()
    assert list((await account.search(mailbox, key, EVERYTHING)).uids) == expected


@pytest.mark.parametrize(
    ("header", "name", "value"),
    [
        (b"X-Tabs: one\r\n\t\ttwo", "x-tabs", "one two"),
        (b"X-Space: one \t  two", "x-space", "one two"),
        (b"X-Break: =?utf-8?q?one=0D=0Atwo?=", "x-break", "one two"),
        (b"X-Nul: one\0two", "x-nul", "one\N{REPLACEMENT CHARACTER}two"),
        (b"X-Cr: one\rtwo", "x-cr", "onetwo"),
        # an encoded word without an end on its line takes nothing of the next line
        (b"X-First: =?utf-8?b?YWJj\r\nX-Second: last?=", "x-second", "last?="),
        (b"X-First: =?utf-8?b?YWJj\r\nX Third : last?=", "x third", "last?="),
        (b"Subject: =?utf-8?b?YWJj\r\nTo: a?=", "to", "a?="),
    ],
)
async def test_a_field_is_found_as_it_reads_by_itself(
    account: SqliteAccount, header: bytes, name: str, value: str
) -> None:
    mailbox = await inbox(account)
    octets = header + b"\r\n\r\nbody\r\n"
    assert f"{name}: {value}" in search_text(octets)[0].replace(" : ", ": "), "TEXT finds what HEADER finds"
    assert header_values(octets, name) == [value]
    await account.append(mailbox, [incoming(octets=octets), incoming()])
    await account.indexer.finish()
    assert (await account.search(mailbox, InHeader(name, value), EVERYTHING)).uids == uids(1)
    assert 1 in (await account.search(mailbox, InHeader(name, ""), EVERYTHING)).uids


async def test_programs_of_any_width(account: SqliteAccount) -> None:
    mailbox = await fill(account, 5)
    await account.indexer.finish()
    wide: SearchKey = InText("number 2")
    for number in range(1000):
        wide = Or(InText(f"no such {number}"), wide)
    assert (await account.search(mailbox, wide, EVERYTHING)).uids == uids(3)
    narrow = And(tuple(InText("number 2"[:length]) for length in range(1, 9)) * 100)
    assert (await account.search(mailbox, narrow, EVERYTHING)).uids == uids(3)


# Less reading


async def test_only_what_is_proposed_is_looked_into(account: SqliteAccount, looked_into: list[int]) -> None:
    mailbox = await inbox(account)
    texts = [f"dinner at {number} o'clock" for number in range(200)]
    await account.append(mailbox, [incoming(octets=raw(text=text)) for text in texts])
    assert (await account.search(mailbox, InBody("at 77 o'"), EVERYTHING)).uids == uids(78)
    assert len(looked_into) == 200
    await account.indexer.finish()
    looked_into.clear()
    for key in (
        InBody("at 77 o'"),
        And((HasFlag("\\Seen"), InBody("dinner"))),
        Or(InBody("at 77 o'"), InBody("at 78 o'")),
        Not(Not(InBody("at 77 o'"))),
    ):
        await account.search(mailbox, key, EVERYTHING)
    assert len(looked_into) <= 2 * (1 + 0 + 2 + 1)
    await account.append(mailbox, [incoming(octets=raw(text="at 77 o'clock again"))])
    looked_into.clear()
    assert (await account.search(mailbox, InBody("at 77 o'"), EVERYTHING)).uids == uids(78, 201)
    assert len(looked_into) <= 3


async def test_few_messages_are_looked_into_at_once(
    account: SqliteAccount, looked_into: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "FEW_READ", 10)
    mailbox = await fill(account, 20)
    await account.indexer.finish()
    assert not (await account.search(mailbox, InBody("nowhere"), uids(*range(1, 11)))).uids
    assert len(looked_into) == 10
    looked_into.clear()
    assert not (await account.search(mailbox, InBody("nowhere"), EVERYTHING)).uids
    assert not looked_into


async def test_a_long_text_is_looked_into_always_and_found_wherever_it_stands(
    account: SqliteAccount, looked_into: list[int]
) -> None:
    mailbox = await inbox(account)
    most = text_index.LOOKED_INTO_AT_ONCE
    long = "x" * (most - 3) + "\r\nneedle" + "y" * text_documents.LONGEST_DOCUMENT + "haystack"
    await account.append(mailbox, [incoming(octets=raw(text=long)), incoming()])
    many = "".join(f"x: {number}\r\n" for number in range(text_documents.MOST_FIELDS))
    await account.append(mailbox, [incoming(octets=raw(more=many))])
    await account.indexer.finish()
    for text in ("needle", "haystack", "\r\nneedleyyy"):
        looked_into.clear()
        assert (await account.search(mailbox, InBody(text), EVERYTHING)).uids == uids(1)
        assert max(looked_into) > text_documents.LONGEST_DOCUMENT
        assert len(looked_into) <= 3
    assert (await account.search(mailbox, InHeader("x", "987"), EVERYTHING)).uids == uids(3)


# Updates


async def test_arrivals_are_indexed_in_the_background(account: SqliteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.001)
    await fill(account, 300)
    async with asyncio.timeout(30):
        while (await account.search_status()).indexed < 300:
            await asyncio.sleep(0)
        await fill(account, 1)
        while (await account.search_status()).indexed < 301:
            await asyncio.sleep(0)


async def test_messages_that_an_earlier_process_did_not_index_are_indexed(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data, limits=LIMITS)
    entry = await store.directory.add("linda", {})
    await fill(await store.account(entry), 10)
    await store.close()
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.001)
    store = await open_store(data, limits=LIMITS)
    account = await store.account(entry)
    async with asyncio.timeout(30):
        while (await account.search_status()).indexed < 10:
            await asyncio.sleep(0)
    await store.close()


async def test_indexing_waits_for_a_quiet_moment_but_not_for_ever(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 3600.0)
    monkeypatch.setattr(quiet_work, "PATIENCE_SECONDS", 0.05)
    mailbox = await fill(account, 1)
    async with asyncio.timeout(30):
        while (await account.search_status()).indexed == 0:
            await account.append(mailbox, [incoming()])


async def test_the_index_can_be_switched_off(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.0)
    store = await open_store(data, limits=Limits(text_index=False, expunged_seconds=0))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    assert (await account.search(mailbox, InText("number 2"), EVERYTHING)).uids == uids(3)
    assert (await account.search_status()).indexed == 0
    await store.close()


async def test_the_store_closes_while_much_is_being_indexed(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.0)
    store = await open_store(data, limits=LIMITS)
    entry = await store.directory.add("linda", {})
    account = await store.account(entry)
    mailbox = await fill(account, 500)
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()
    next_batch = text_index.next_batch

    def noticed(*arguments: object) -> object:
        loop.call_soon_threadsafe(begun.set)
        return next_batch(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(text_index, "next_batch", noticed)
    account.indexer.wake()
    await begun.wait()
    await store.close()
    with pytest.raises(Refused):
        await account.indexer.finish()
    monkeypatch.undo()
    store = await open_store(data, limits=LIMITS)
    account = await store.account(entry)
    assert (await account.search(mailbox, InText("number 499"), EVERYTHING)).uids == uids(500)
    await account.indexer.finish()
    assert (await account.search_status()).indexed == 500
    await store.close()


# Removed messages


def state_of(path: Path) -> tuple[set[int], set[int], set[int]]:
    """The stored contents, those with stored texts, and the documents of the index."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        contents = {number for (number,) in connection.execute("SELECT id FROM contents")}
        documents = {number for (number,) in connection.execute("SELECT id FROM trigrams_docsize")}
        return contents, texts_kept(connection), documents
    finally:
        connection.close()


async def test_removed_messages_leave_the_index(data: Path, account: SqliteAccount) -> None:
    mailbox = await fill(account, 30)
    await account.copy(mailbox, uids(5), "Archive")
    await account.indexer.finish()
    path = file_of(data, account.id)
    await account.remove(mailbox, uids(*range(5, 21), 30))
    left = {*range(1, 6), *range(21, 30)}
    assert state_of(path) == (left, {*range(1, 31)}, {*range(16)})
    assert (await account.search(mailbox, InText("number"), EVERYTHING)).uids == uids(*range(1, 5), *range(21, 30))
    archive = (await account.mailbox("Archive")).id
    assert (await account.search(archive, InText("number 4"), EVERYTHING)).uids == uids(1)
    await account.indexer.finish()
    assert state_of(path) == (left, left, {number // 2 for number in left})
    await account.append(mailbox, [incoming(octets=raw("number 99"))])
    assert (await account.search(mailbox, InText("number 99"), EVERYTHING)).uids == uids(31)
    await account.delete("Archive")
    await account.indexer.finish()
    contents, texts, documents = state_of(path)
    assert contents == texts
    assert documents == {number // 2 for number in contents}
    assert len(contents) == 14


async def test_no_more_than_one_long_text_is_held_at_a_time(account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    texts = [incoming(octets=raw(text="word " * 100_000)) for _ in range(3)]
    await account.append(mailbox, [*texts, *[incoming()] * 10])
    batch = await account.database.read_long(text_index.next_batch, Limits(), Packing(None))
    assert len(batch.entries) == 1
    await account.indexer.finish()
    assert (await account.search_status()).indexed == 13


async def test_messages_removed_while_they_are_indexed_are_left_out(data: Path, account: SqliteAccount) -> None:
    mailbox = await fill(account, 5)
    batch = await account.database.read_long(text_index.next_batch, Limits(), Packing(None))
    await account.remove(mailbox, uids(2, 5))
    assert await account.database.write(lambda change: text_index.put(change, batch))
    await account.indexer.finish()
    assert state_of(file_of(data, account.id)) == ({1, 3, 4}, {1, 3, 4}, {0, 1, 2})
    assert (await account.search(mailbox, InText("number"), EVERYTHING)).uids == uids(1, 3, 4)


async def test_only_the_first_of_two_equal_batches_is_stored(account: SqliteAccount) -> None:
    mailbox = await fill(account, 5)
    batch = await account.database.read_long(text_index.next_batch, Limits(), Packing(None))
    assert await account.database.write(lambda change: text_index.put(change, batch))
    assert not await account.database.write(lambda change: text_index.put(change, batch))
    assert (await account.search_status()).indexed == 5
    assert (await account.search(mailbox, InText("number 3"), EVERYTHING)).uids == uids(4)


# Cost


async def test_the_status_tells_how_far_it_is_and_what_it_takes(account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    words = [f"{chr(97 + number % 26)}ord{number * 7919 % 1000}" for number in range(3000)]
    texts = [" ".join(words[number * 13 % 2000 :][:300]) for number in range(200)]
    await account.append(mailbox, [incoming(octets=raw(text=text)) for text in texts])
    before = await account.search_status()
    assert (before.messages, before.indexed, before.text_bytes, before.packed_bytes) == (200, 0, 0, 0)
    await account.indexer.finish()
    after = await account.search_status()
    assert (after.messages, after.indexed) == (200, 200)
    assert after.text_bytes == sum(len(text.encode()) for each in texts for text in search_text(raw(text=each)))
    assert 0 < after.index_bytes + after.packed_bytes < after.text_bytes


# Messages that share a block


async def test_messages_indexed_one_by_one_share_documents(data: Path, account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    for number in range(7):
        await account.append(mailbox, [incoming(octets=raw(text=f"at {number}{number}{number}"))])
        await account.indexer.finish()
    contents, texts, documents = state_of(file_of(data, account.id))
    assert contents == texts == {*range(1, 8)}
    assert documents == {0, 1, 2, 3}
    for number in range(7):
        assert (await account.search(mailbox, InBody(f"{number}" * 3), EVERYTHING)).uids == uids(number + 1)


async def test_a_document_is_removed_with_the_last_of_its_messages(data: Path, account: SqliteAccount) -> None:
    path, mailbox = file_of(data, account.id), await fill(account, 3)
    await account.indexer.finish()
    await account.remove(mailbox, uids(2))
    await account.indexer.finish()
    assert state_of(path)[2] == {0, 1}
    assert (await account.search(mailbox, InText("number 2"), EVERYTHING)).uids == uids(3)
    await account.remove(mailbox, uids(3))
    await account.indexer.finish()
    assert state_of(path)[2] == {0}


async def test_a_document_goes_whose_other_message_was_never_indexed(data: Path, account: SqliteAccount) -> None:
    mailbox = await fill(account, 4)
    await account.indexer.finish()
    await fill(account, 1)
    await account.remove(mailbox, uids(4))
    assert await account.database.write(text_index.tidy)
    assert state_of(file_of(data, account.id))[2] == {0, 1, 2}
    await account.remove(mailbox, uids(5))
    await account.indexer.finish()
    assert state_of(file_of(data, account.id))[2] == {0, 1}


# Older files


@pytest.mark.parametrize("version", [1, 3])
async def test_a_file_with_no_index_or_another_gets_one(data: Path, version: int) -> None:
    store = await open_store(data, limits=LIMITS)
    entry = await store.directory.add("linda", {})
    mailbox = await fill(await store.account(entry), 4)
    await (await store.account(entry)).indexer.finish()
    await store.close()
    path = file_of(data, entry.id)
    today = shape_of(path)
    make_older(path, version)

    store = await open_store(data, limits=LIMITS)
    account = await store.account(entry)
    assert (await account.search(mailbox, InText("number 2"), EVERYTHING)).uids == uids(3)
    await account.indexer.finish()
    assert (await account.search(mailbox, InText("number 2"), EVERYTHING)).uids == uids(3)
    assert (await account.search_status()).indexed == 4
    await store.close()
    assert path.with_name(f"{path.name}.v{version}").exists()
    assert shape_of(path) == today


async def test_indexing_holds_the_long_subjects_of_few_messages_at_a_time(account: SqliteAccount) -> None:
    mailbox = await inbox(account)
    subject = b"s" * 200_000
    await account.append(
        mailbox,
        [Incoming(prepare(b"Subject: %d%b\r\n\r\n" % (number, subject)), frozenset(), None) for number in range(100)],
    )
    tracemalloc.start()
    try:
        await account.indexer.finish()
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 15_000_000
