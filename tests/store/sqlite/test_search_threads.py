"""Searches occupy only the threads of their own account, and for a limited time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mektup.store.arrival import prepare
from mektup.store.interface import Account, Incoming
from mektup.store.searches import SEARCHES, SHARE_OF_SEARCHES, Searches, searches_of_all
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.search import InBody

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = await open_store(tmp_path, limits=Limits(search_seconds=0.2, text_index=False))
    yield store
    await store.close()


async def account(store: SqliteStore, name: str) -> SqliteAccount:
    entry = await store.directory.add(name, {})
    opened = await store.account(entry)
    assert isinstance(opened, SqliteAccount)
    inbox = await opened.mailbox("INBOX")
    await opened.append(inbox.id, [Incoming(prepare(b"Subject: x\r\n\r\nfound\r\n"))])
    return opened


async def found(account: Account) -> int:
    selection = await account.select("INBOX", claim_recent=False)
    return len((await account.search(selection.mailbox.id, InBody("found"), selection.uids)).uids)


async def test_searches_of_one_account_leave_threads_to_others(store: SqliteStore) -> None:
    busy, other = await account(store, "busy"), await account(store, "other")
    searches = Searches(busy.database, searches_of_all(), 60.0)
    endless = [
        asyncio.create_task(searches.find(lambda cursor: cursor.execute(ENDLESS).get)) for _ in range(SEARCHES + 1)
    ]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await found(other) == 1
    assert SHARE_OF_SEARCHES < SEARCHES
    assert not any(task.done() for task in endless)
    for task in endless:
        task.cancel()
    await asyncio.wait(endless)
    assert await found(busy) == 1


async def test_a_search_that_takes_too_long_is_refused(store: SqliteStore) -> None:
    opened = await account(store, "busy")
    with pytest.raises(Refused) as refused:
        await Searches(opened.database, searches_of_all(), 0.05).find(lambda cursor: cursor.execute(ENDLESS).get)
    assert refused.value.code is Code.LIMIT
    assert await found(opened) == 1
