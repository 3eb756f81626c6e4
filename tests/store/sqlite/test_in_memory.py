"""A store in memory: long work runs in a thread, too, with the only connection of its account."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from mektup.store.searches import Searches, searches_of_all
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId
from mektup.terms.search import InBody
from tests.contract.mail import EVERYTHING, fill, flags_of, uids
from tests.store.sqlite.test_search_threads import ENDLESS


@pytest.fixture
async def store() -> AsyncIterator[SqliteStore]:
    store = await open_store(None)
    yield store
    await store.close()


async def account(store: SqliteStore, name: str) -> SqliteAccount:
    opened = await store.account(await store.directory.add(name, {}))
    assert isinstance(opened, SqliteAccount)
    return opened


async def searching(account: SqliteAccount, seconds: float) -> asyncio.Task[int]:
    """A search that does not end is running."""
    searches = Searches(account.database, searches_of_all(), seconds)
    search = asyncio.create_task(searches.find(lambda cursor: int(cursor.execute(ENDLESS).get)))
    while account.database.state() is not None:
        await asyncio.sleep(0)
    return search


async def found(account: SqliteAccount, mailbox: MailboxId) -> int:
    return len((await account.search(mailbox, InBody("at eight"), EVERYTHING)).uids)


async def test_another_account_is_served_while_one_searches(store: SqliteStore) -> None:
    busy, other = await account(store, "busy"), await account(store, "other")
    search = await searching(busy, 60.0)
    async with asyncio.timeout(10):
        mailbox = await fill(other, 3)
        await other.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"kept"}))
        assert await flags_of(other, mailbox) == {1: set(), 2: {"kept"}, 3: set()}
    assert not search.done()
    search.cancel()
    await asyncio.wait((search,))


async def test_the_same_account_goes_on_after_the_search(store: SqliteStore) -> None:
    busy = await account(store, "busy")
    mailbox = await fill(busy, 3)
    search = await searching(busy, 0.1)
    store_flags = busy.store_flags(mailbox, uids(2), FlagChange.ADD, frozenset({"kept"}))
    async with asyncio.timeout(10):
        await asyncio.gather(store_flags, busy.mailboxes(), fill(busy, 1), found(busy, mailbox))
        assert await flags_of(busy, mailbox) == {1: set(), 2: {"kept"}, 3: set(), 4: set()}
    with pytest.raises(Refused) as refused:
        await search
    assert refused.value.code is Code.LIMIT


async def test_flags_are_spelled_while_it_searches(store: SqliteStore) -> None:
    busy = await account(store, "busy")
    search = await searching(busy, 60.0)
    assert busy.flag_names(1 << 40) == ()
    search.cancel()
    await asyncio.wait((search,))


async def test_a_search_that_waits_for_its_turn_can_be_cancelled(store: SqliteStore) -> None:
    busy = await account(store, "busy")
    mailbox = await fill(busy, 2)
    search = await searching(busy, 60.0)
    waiting = asyncio.create_task(found(busy, mailbox))
    await asyncio.sleep(0)
    waiting.cancel()
    search.cancel()
    async with asyncio.timeout(10):
        await asyncio.wait((search, waiting))
        assert await found(busy, mailbox) == 2
