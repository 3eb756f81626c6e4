"""A long query that many sessions run at the same time runs once, and no answer is older than its request."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest

from mektup.store.shared_reads import SharedReads
from mektup.store.sqlite import account as engine
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import mailboxes
from mektup.terms.errors import Refused
from tests.contract.mail import fill


class Question:
    """The number of messages in INBOX. Counts how often it runs, and can be delayed after it has read."""

    def __init__(self) -> None:
        self.asked = 0
        self.go_on = Event()
        self.go_on.set()

    def __call__(self, cursor: Cursor) -> int:
        found = mailboxes.mailbox(cursor, "INBOX").messages
        self.asked += 1
        self.go_on.wait()
        return found


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 1)
    return account


async def test_concurrent_equal_reads_share_one_query(account: SqliteAccount) -> None:
    reads, question = SharedReads(account.database), Question()
    assert await asyncio.gather(*(reads.read(question) for _ in range(30))) == [1] * 30
    assert question.asked == 1
    assert not reads.is_asked(question)
    assert await reads.read(question) == 1
    assert question.asked == 2


async def test_a_read_begun_before_a_commit_is_not_shared_after_it(account: SqliteAccount) -> None:
    reads, question = SharedReads(account.database), Question()
    question.go_on.clear()
    first = asyncio.create_task(reads.read(question))
    while not question.asked:
        await asyncio.sleep(0)
    assert reads.is_asked(question)
    await fill(account, 1)
    assert not reads.is_asked(question)
    second = asyncio.create_task(reads.read(question))
    while question.asked < 2:
        await asyncio.sleep(0)
    question.go_on.set()
    assert await asyncio.gather(first, second) == [1, 2]


async def test_a_cancelled_reader_does_not_end_the_shared_query(account: SqliteAccount) -> None:
    reads, question = SharedReads(account.database), Question()
    question.go_on.clear()
    first, second = (asyncio.create_task(reads.read(question)) for _ in range(2))
    while not question.asked:
        await asyncio.sleep(0)
    first.cancel()
    question.go_on.set()
    assert await second == 1
    assert question.asked == 1


async def test_all_readers_get_the_error_of_the_shared_query(account: SqliteAccount) -> None:
    reads = SharedReads(account.database)
    found = await asyncio.gather(*(reads.read(mailboxes.mailbox, "nowhere") for _ in range(3)), return_exceptions=True)
    assert all(isinstance(each, Refused) for each in found)


async def test_many_mailboxes_are_listed_as_few_are(account: SqliteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    few = await account.mailboxes()
    monkeypatch.setattr(engine, "FEW_LISTED", 0)
    assert await asyncio.gather(*(account.mailboxes() for _ in range(3))) == [few] * 3
    await account.create("another")
    assert len(await account.mailboxes()) == len(few) + 1
