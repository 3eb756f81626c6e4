"""Large messages of accounts on PostgreSQL: their octets are objects, written before the row and removed after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from mektup.store.arrival import prepare
from mektup.store.columns import Column, HeaderColumn
from mektup.store.faults import Fault, Kind
from mektup.store.interface import Account, Incoming, Store
from mektup.store.objects import open_objects
from mektup.store.postgres import open_store
from mektup.store.postgres.object_upkeep import ORPHANS_SECONDS, ObjectUpkeep
from mektup.store.postgres.shard import Shard
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import ContentId, MailboxId
from mektup.terms.quota import Resource
from mektup.terms.sets import NumberSet
from tests.support.object_store import ObjectStore
from tests.support.postgres import NewDatabase
from tests.support.proxies import Proxy, before, to_port

KEPT_OBJECT_SECONDS = 14 * 24 * 3600
HEADER = b"Subject: large\r\nFrom: a@example.org\r\n\r\n"
LARGE = HEADER + b"".join(b"line %d\r\n" % number for number in range(60_000))
SMALL = HEADER + b"small\r\n"
FORGETS = Limits(expunged_seconds=0)


class Book:
    """Records faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def happened(self, fault: Fault) -> None:
        self.faults.append(fault)


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(new_database: NewDatabase) -> str:
    return new_database()


@pytest.fixture
async def proxy(object_store: ObjectStore) -> AsyncIterator[Proxy]:
    async with before(to_port(object_store.port)) as proxy:
        yield proxy


@pytest.fixture
async def store(
    database: str, object_store: ObjectStore, proxy: Proxy, prefix: str, book: Book, clock: Clock
) -> AsyncIterator[Store]:
    quota = {Resource.STORAGE: 10 * len(LARGE)}
    store = await open_store(
        database,
        {"a": database},
        objects=object_store.url(prefix, port=proxy.port),
        limits=FORGETS,
        quota=quota,
        faults=book,
        clock=clock,
    )
    yield store
    await store.close()


@pytest.fixture
async def account(store: Store) -> Account:
    return await store.account(await store.directory.add("linda", {}))


@pytest.fixture
async def inbox(account: Account) -> MailboxId:
    return await account.target("INBOX")


@pytest.fixture
def names(object_store: ObjectStore, prefix: str) -> Callable[[], set[str]]:
    """The objects of the test."""
    return lambda: {each["path"] for some in object_store.store(prefix).list("a") for each in some}


async def append(account: Account, mailbox: MailboxId, *messages: bytes) -> list[int]:
    added = await account.append(mailbox, [Incoming(prepare(each)) for each in messages])
    return list(added.uids)


async def content_of(account: Account, mailbox: MailboxId, uid: int) -> ContentId:
    rows = [row async for rows in account.fetch(mailbox, NumberSet.of([uid]), (Column.CONTENT,)) for row in rows]
    return ContentId(rows[0][1])


async def octets(account: Account, mailbox: MailboxId, uid: int, start: int = 0, stop: int = len(LARGE)) -> bytes:
    content = await content_of(account, mailbox, uid)
    return b"".join([piece async for piece in account.content(content, start, stop)])


Names = Callable[[], set[str]]


async def test_only_large_messages_are_objects(account: Account, inbox: MailboxId, names: Names) -> None:
    small, large = await append(account, inbox, SMALL, LARGE)
    assert len(names()) == 1
    assert await octets(account, inbox, small) == SMALL
    assert await octets(account, inbox, large) == LARGE
    size, header = len(LARGE), len(HEADER)
    for start, stop in ((0, 5), (0, header), (header - 1, header + 1), (size - 3, size), (300_000, 300_010)):
        assert await octets(account, inbox, large, start, stop) == LARGE[start:stop]


async def test_headers_never_touch_the_object_store(account: Account, inbox: MailboxId, proxy: Proxy) -> None:
    (uid,) = await append(account, inbox, LARGE)
    proxy.swallow()
    columns = (Column.HEADER, HeaderColumn.SMALL, Column.ENVELOPE, Column.BODYSTRUCTURE, Column.RAW, Column.SIZE)
    rows = [row async for rows in account.fetch(inbox, NumberSet.of([uid]), columns) for row in rows]
    assert rows[0][1:3] == (HEADER, HEADER)
    assert rows[0][5:] == (None, len(LARGE))
    assert await octets(account, inbox, uid, 0, len(HEADER)) == HEADER


async def test_copies_share_the_object_until_the_last_is_gone(
    account: Account, inbox: MailboxId, names: Names, store: Store, clock: Clock, database: str
) -> None:
    (uid,) = await append(account, inbox, LARGE)
    await account.copy(inbox, NumberSet.of([uid]), "Archive")
    archive = await account.target("Archive")
    await account.remove(inbox, NumberSet.of([uid]))
    assert garbage(database) == []
    assert await octets(account, archive, 1) == LARGE
    await account.remove(archive, NumberSet.of([1]))
    assert garbage(database) == [(*names(), int(clock.now) + KEPT_OBJECT_SECONDS)]


def garbage(database: str) -> list[tuple[str, int]]:
    with psycopg.connect(database) as connection:
        return connection.execute("SELECT object, not_before FROM garbage").fetchall()


async def upkeep(database: str, url: str, clock: Clock, book: Book, kept: float = KEPT_OBJECT_SECONDS) -> int:
    """Lets another node look; returns how many objects it removed."""
    shard = Shard("a", database)
    await shard.open()
    work = ObjectUpkeep(open_objects(url, book), {"a": shard}, clock, kept)
    await work.look_after("a")
    await shard.close()
    return work.removed


async def test_an_object_is_removed_when_no_backup_can_need_it(
    account: Account,
    inbox: MailboxId,
    names: Names,
    clock: Clock,
    database: str,
    book: Book,
    object_store: ObjectStore,
    prefix: str,
) -> None:
    kept, uid = await append(account, inbox, LARGE, LARGE + b"\r\n")
    await account.remove(inbox, NumberSet.of([uid]))
    url = object_store.url(prefix)
    clock.now += KEPT_OBJECT_SECONDS - 1
    assert await upkeep(database, url, clock, book) == 0
    clock.now += 3601
    assert await upkeep(database, url, clock, book) == 1
    assert garbage(database) == []
    assert len(names()) == 1
    assert await octets(account, inbox, kept) == LARGE


async def test_the_operator_says_how_long_objects_stay(
    account: Account,
    inbox: MailboxId,
    names: Names,
    clock: Clock,
    database: str,
    book: Book,
    object_store: ObjectStore,
    prefix: str,
) -> None:
    (uid,) = await append(account, inbox, LARGE)
    await account.remove(inbox, NumberSet.of([uid]))
    url = object_store.url(prefix)
    clock.now += 86400 - 1
    assert await upkeep(database, url, clock, book, 86400) == 0
    clock.now += 3601
    assert await upkeep(database, url, clock, book, 86400) == 1
    assert names() == set()


async def test_what_was_never_committed_is_removed(
    account: Account,
    inbox: MailboxId,
    names: Names,
    database: str,
    clock: Clock,
    book: Book,
    object_store: ObjectStore,
    prefix: str,
) -> None:
    await append(account, inbox, LARGE)
    orphan = (await open_objects(object_store.url(prefix), book).put("a", account.id, LARGE)).name
    clock.now += ORPHANS_SECONDS  # all objects are old by this clock
    assert orphan in names()
    assert await upkeep(database, object_store.url(prefix), clock, book) == 1
    assert orphan not in names()
    assert await octets(account, inbox, 1) == LARGE


async def test_a_refused_append_leaves_no_object(
    account: Account, inbox: MailboxId, names: Names, store: Store
) -> None:
    with pytest.raises(Refused) as refused:
        await append(account, inbox, *[LARGE] * 12)
    assert refused.value.code is Code.OVERQUOTA
    await store.close()
    assert names() == set()


async def test_an_object_store_that_refuses_stops_only_large_messages(
    account: Account, inbox: MailboxId, proxy: Proxy, book: Book
) -> None:
    (uid,) = await append(account, inbox, LARGE)
    await proxy.refuse()
    await proxy.cut()
    with pytest.raises(Refused) as refused:
        await append(account, inbox, SMALL, LARGE)
    assert refused.value.code is Code.UNAVAILABLE
    assert not refused.value.uncertain
    with pytest.raises(Refused):
        await octets(account, inbox, uid)
    assert {fault.kind for fault in book.faults} == {Kind.OBJECTS}
    (small,) = await append(account, inbox, SMALL)
    assert await octets(account, inbox, small) == SMALL
    assert (await account.mailbox("INBOX")).messages == 2
    await proxy.start()
    assert await octets(account, inbox, uid) == LARGE


async def test_a_lost_object_is_told(
    account: Account, inbox: MailboxId, names: Names, book: Book, object_store: ObjectStore, prefix: str
) -> None:
    (uid,) = await append(account, inbox, LARGE)
    (name,) = names()
    object_store.store(prefix).delete(name)
    with pytest.raises(Refused) as refused:
        await octets(account, inbox, uid)
    assert refused.value.code is Code.EXPUNGEISSUED
    assert [(fault.kind, fault.file) for fault in book.faults] == [(Kind.LOST, name)]


async def test_a_cancelled_append_is_done_whole(account: Account, inbox: MailboxId, proxy: Proxy) -> None:
    proxy.swallow()
    task = asyncio.create_task(append(account, inbox, LARGE))
    await asyncio.sleep(0)  # it has begun
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    proxy.let_pass()
    async with asyncio.timeout(30):
        while not (await account.mailbox("INBOX")).messages:
            await asyncio.sleep(0)
    assert await octets(account, inbox, 1) == LARGE
