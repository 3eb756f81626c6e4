"""What an account shares: the index in the directory, and files from before there were access control lists."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from mektup.store.access_lists import ANYONE
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import ModSeq
from mektup.terms.rights import RightsChange
from tests.store.sqlite.conftest import file_of, make_older

LOOK = RightsChange("", frozenset("lr"))
NOTHING = RightsChange("", frozenset())


async def account_of(store: SqliteStore, name: str) -> SqliteAccount:
    return await store.account(await store.directory.find(name) or await store.directory.add(name, {}))


def change(path: Path, sql: str) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute(sql)
    connection.close()


async def test_an_account_puts_its_entries_of_the_index_right_when_it_is_opened(data: Path) -> None:
    store = await open_store(data)
    fred, barney = await account_of(store, "fred"), await account_of(store, "barney")
    await fred.access_lists.change("INBOX", barney.id, LOOK)
    await fred.access_lists.change("INBOX", f"-{ANYONE}", LOOK)
    await store.close()
    change(data / "mektup.db", "DELETE FROM sharing")  # as after an older copy of it was restored
    store = await open_store(data)
    assert await store.directory.sharing_with(barney.id) == {}
    await account_of(store, "fred")
    assert list(await store.directory.sharing_with(barney.id)) == ["fred"]
    await store.close()


async def test_another_process_sees_what_is_shared_at_once(data: Path, store: SqliteStore) -> None:
    fred, barney = await account_of(store, "fred"), await account_of(store, "barney")
    elsewhere = await open_store(data)
    there = await account_of(elsewhere, "fred")
    assert not (await there.access_lists.shared_with(barney.id)).by_name
    await fred.access_lists.change("INBOX", barney.id, LOOK)
    assert list(await elsewhere.directory.sharing_with(barney.id)) == ["fred"]
    assert list((await there.access_lists.shared_with(barney.id)).by_name) == ["INBOX"]
    await there.access_lists.change("INBOX", barney.id, NOTHING)
    assert not (await fred.access_lists.shared_with(barney.id)).by_name
    assert await store.directory.sharing_with(barney.id) == {}
    await elsewhere.close()


async def test_new_mail_does_not_make_the_lists_be_read_again(store: SqliteStore) -> None:
    fred, barney = await account_of(store, "fred"), await account_of(store, "barney")
    await fred.access_lists.change("INBOX", barney.id, LOOK)
    shared = await fred.access_lists.shared_with(barney.id)
    await fred.expunge((await fred.mailbox("INBOX")).id, None)
    assert await fred.access_lists.shared_with(barney.id) is shared


async def test_many_shared_mailboxes_are_read_in_a_thread(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mektup.store.sqlite.access_lists.FEW_LISTED", 2)
    fred, barney = await account_of(store, "fred"), await account_of(store, "barney")
    for name in ("INBOX", "Sent", "Drafts"):
        await fred.access_lists.change(name, barney.id, LOOK)
    assert sorted((await fred.access_lists.shared_with(barney.id)).by_name) == ["Drafts", "INBOX", "Sent"]


async def test_few_accounts_may_share_with_the_same(data: Path) -> None:
    store = await open_store(data, limits=Limits(sharing_accounts=1))
    fred, barney = await account_of(store, "fred"), await account_of(store, "barney")
    await fred.access_lists.change("INBOX", ANYONE, LOOK)
    with pytest.raises(Refused) as refused:
        await barney.access_lists.change("INBOX", ANYONE, LOOK)
    assert refused.value.code is Code.LIMIT
    assert await barney.access_lists.of("INBOX") == {}
    await fred.access_lists.change("INBOX", ANYONE, NOTHING)
    await barney.access_lists.change("INBOX", ANYONE, LOOK)
    await store.close()


async def test_an_older_own_mailbox_leaves_the_namespace_of_others(data: Path) -> None:
    store = await open_store(data)
    fred = await account_of(store, "fred")
    names = ["Other Users 2", "Other", "Other/x%", "Other/x%/y", "Otherwise"]
    for name in names:
        await fred.create(name)
        await fred.subscribe(name)
    await store.close()
    path = file_of(data, fred.id)
    make_older(path, 8)
    for table in ("mailboxes", "subscriptions"):
        change(path, f"UPDATE {table} SET name = 'Other Users' || substr(name, 6) WHERE name LIKE 'Other%' "
               "AND name NOT LIKE 'Other_%' OR name LIKE 'Other/%'")  # fmt: skip
    store = await open_store(data)
    fred = await account_of(store, "fred")
    there = {each.name for each in await fred.mailboxes()} & await fred.subscriptions()
    assert {"Other Users 3", "Other Users 3/x%", "Other Users 3/x%/y", "Other Users 2", "Otherwise"} <= there
    assert not any(name.partition("/")[0] == "Other Users" for name in there)
    assert (await fred.mailbox_changes(ModSeq(1))).whole
    await store.close()
