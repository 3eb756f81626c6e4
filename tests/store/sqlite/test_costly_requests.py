"""Short requests that cause much work run in a thread, in bounded memory, or are refused."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from mektup.store.sqlite import account as module
from mektup.store.sqlite import open_store, searching
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import mailboxes, search
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId
from mektup.terms.search import And, HasFlag, InUids, Larger, Not, Or, SearchKey, Smaller
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, entry_of, fill, inbox, uids

LARGE, SMALL = Larger(10_000), Smaller(10_000)


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    opened = await store.account(await store.directory.add("linda", {}))
    assert isinstance(opened, SqliteAccount)
    return opened


async def found(account: SqliteAccount, key: SearchKey) -> Uids:
    return (await account.search(await inbox(account), key, EVERYTHING)).uids


async def put_sets(account: SqliteAccount) -> MailboxId:
    """Five messages, each with its own keyword and a common one."""
    mailbox = await fill(account, 5)
    for number in range(1, 6):
        words = frozenset({f"only{number}", "Shared"})
        await account.store_flags(mailbox, uids(number), FlagChange.REPLACE, words)
    return mailbox


@pytest.fixture
def threads_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The threads in which a search ran."""
    threads: list[int] = []
    searched = search.search

    def recorded(*args: Any, **kwargs: Any) -> Uids:
        threads.append(threading.get_ident())
        return searched(*args, **kwargs)

    monkeypatch.setattr(search, "search", recorded)
    return threads


async def test_a_tree_of_mailboxes_is_renamed_in_a_thread(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[int] = []
    renamed = mailboxes.rename

    def recorded(*args: Any, **kwargs: Any) -> None:
        threads.append(threading.get_ident())
        renamed(*args, **kwargs)

    monkeypatch.setattr(mailboxes, "rename", recorded)
    monkeypatch.setattr(module, "FEW_RENAMED", 2)
    for name in ("few/1/2", "many/1", "many/2", "many/2/3"):
        await account.create(name)
    await account.rename("few", "less")
    await account.rename("many", "more")
    names = [box.name for box in await account.mailboxes() if box.name.startswith(("few", "less", "many", "more"))]
    assert names == ["less", "less/1", "less/1/2", "more", "more/1", "more/2", "more/2/3"]
    assert [thread == threading.get_ident() for thread in threads] == [True, False]


async def test_many_keys_of_many_messages_are_compared_in_a_thread(
    account: SqliteAccount, threads_of: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(account, 10)
    monkeypatch.setattr(searching, "FEW_TESTED", 20)
    within = Uids.span(1, 10)
    mailbox = await inbox(account)
    assert (await account.search(mailbox, Or(LARGE, SMALL), within)).uids == within
    assert (await account.search(mailbox, Or(LARGE, Or(LARGE, SMALL)), within)).uids == within
    here = threading.get_ident()
    assert [thread == here for thread in threads_of] == [True, False]


async def test_keys_for_keywords_of_many_sets_are_compared_in_a_thread(
    account: SqliteAccount, threads_of: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await put_sets(account)
    monkeypatch.setattr(searching, "FEW_TESTED", 10)
    key = And((SMALL, HasFlag("only1"), HasFlag("shared")))
    assert (await account.search(mailbox, key, uids(1))).uids == uids(1)
    assert [thread == threading.get_ident() for thread in threads_of] == [False]


@pytest.mark.parametrize("most", [search.UIDS_LISTED, 20])
async def test_long_lists_of_uids_are_answered_alike_however_long(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    await fill(account, 100)
    monkeypatch.setattr(search, "UIDS_LISTED", most)
    odd, by_three = Uids.of(range(1, 101, 2)), Uids.of(range(1, 101, 3))  # type: ignore[arg-type]
    assert await found(account, Or(InUids(odd), LARGE)) == odd
    assert await found(account, And((SMALL, Or(InUids(odd), InUids(by_three))))) == odd | by_three
    assert await found(account, Or(Not(InUids(odd)), LARGE)) == Uids.span(1, 100) - odd
    assert await found(account, Not(Or(InUids(EVERYTHING), LARGE))) == Uids()


async def test_a_search_for_keywords_of_too_many_sets_is_refused(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_sets(account)
    monkeypatch.setattr(search, "SETS_IN_SEARCH", 6)
    assert await found(account, And((SMALL, HasFlag("SHARED"), HasFlag("only3")))) == uids(3)
    with pytest.raises(Refused) as refused:
        await found(account, And((SMALL, HasFlag("SHARED"), HasFlag("shared"))))
    assert refused.value.code is Code.LIMIT


async def test_keywords_are_found_whatever_their_case_and_after_a_new_start(
    account: SqliteAccount, store: SqliteStore, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await put_sets(account)
    monkeypatch.setattr(searching, "FEW_SETS", 2)  # they are loaded when the account is opened
    await store.close()
    again = await open_store(data)
    try:
        opened = await again.account(entry_of(account))
        assert isinstance(opened, SqliteAccount)
        assert await found(opened, HasFlag("sHARED")) == Uids.span(1, 5)
        assert await found(opened, And((HasFlag("only2"), Not(HasFlag("only3"))))) == uids(2)
        assert await found(opened, And((SMALL, Or(HasFlag("ONLY2"), HasFlag("only4"))))) == uids(2, 4)
    finally:
        await again.close()
