"""A remembered answer is used without SQLite until any process commits; then the query runs again."""

from __future__ import annotations

import asyncio
import gc
import sys
import weakref
from pathlib import Path

import apsw
import pytest

from mektup.store.interface import Account
from mektup.store.memo import MOST, MemoKind
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import mailboxes
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import Uid
from mektup.terms.search import All, HasFlag
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey
from tests.contract.mail import entry_of, fill, inbox, incoming, uids
from tests.store.sqlite.conftest import file_of


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


async def test_the_state_is_another_after_each_commit_and_the_same_between(account: SqliteAccount) -> None:
    mailbox = await fill(account, 1)
    states = [account.database.state()]
    for flag in ("\\Seen", "\\Flagged", "$Work"):
        await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({flag}))
        states.append(account.database.state())
        await account.mailbox("INBOX")
        assert account.database.state() == states[-1]
    assert len(set(states)) == 4
    assert None not in states


async def test_a_commit_of_another_process_is_seen(account: SqliteAccount, data: Path) -> None:
    await fill(account, 1)
    assert (await account.mailbox("INBOX")).unseen == 1
    other = apsw.Connection(str(file_of(data, account.id)))
    try:
        for count in (17, 18):
            other.execute("UPDATE mailboxes SET unseen = ? WHERE name = 'INBOX'", (count,))
            assert (await account.mailbox("INBOX")).unseen == count
            other.execute("BEGIN IMMEDIATE; UPDATE mailboxes SET unseen = 99 WHERE name = 'INBOX'")
            assert (await account.mailbox("INBOX")).unseen == count
            other.execute("ROLLBACK")
            other.pragma("wal_checkpoint(TRUNCATE)")
            assert (await account.mailbox("INBOX")).unseen == count
    finally:
        other.close()


async def test_unchanged_mailboxes_are_not_queried_again(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(account, 1)
    before = await account.mailbox("INBOX"), await account.select("INBOX", claim_recent=False)
    monkeypatch.setattr(mailboxes, "find", None)
    monkeypatch.setattr(mailboxes, "selectable", None)
    assert (await account.mailbox("INBOX"), await account.select("INBOX", claim_recent=False)) == before


async def test_the_mailbox_for_new_mail_is_looked_up_once_while_only_mail_arrives(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox_id = await account.target("INBOX")
    monkeypatch.setattr(mailboxes, "find", None)
    for _ in range(3):
        await account.append(inbox_id, [incoming()])
        with monkeypatch.context() as context:
            context.setattr(account.database, "read", None)
            assert await account.target("INBOX") == inbox_id


async def test_new_mail_follows_a_rename_by_another_process(account: SqliteAccount, data: Path) -> None:
    there = (await account.create("there")).id
    other = apsw.Connection(str(file_of(data, account.id)))
    rename = "UPDATE mailboxes SET name = ? WHERE id = ?"
    try:
        for changes in (1, 2):
            assert await account.target("there") == there
            # between two commits of this process, so that its next commit is not the only one since the name was read
            for _ in range(changes):
                other.execute(rename, ("elsewhere", there))
            await account.append(there, [incoming()])
            with pytest.raises(Refused):
                await account.target("there")
            assert await account.target("elsewhere") == there
            other.execute(rename, ("there", there))
            other.pragma("wal_checkpoint(TRUNCATE)")
    finally:
        other.close()


async def test_however_many_are_asked_about_few_are_kept(account: SqliteAccount) -> None:
    names = [f"m{number:03}" for number in range(MOST + 10)]
    for name in names:
        await account.create(name)
    for _ in range(2):
        assert [(await account.mailbox(name)).name for name in names] == names
    answers = account._recall._memo.peek(None)
    assert answers is not None
    assert len(answers.found) <= MOST


async def test_one_budget_is_for_all_accounts(data: Path) -> None:
    store = await open_store(data, limits=Limits(remembered_bytes=60_000))
    accounts = [await store.account(await store.directory.add(name, {})) for name in ("linda", "ali", "fred")]
    places = [(account, await fill(account, 3)) for account in accounts]
    for turn in range(3):
        for account, mailbox in places:
            # every second message, so that each UID is its own run
            await account.store_flags(mailbox, uids(1 + turn), FlagChange.ADD, frozenset({"\\Seen"}))
            await fill(account, 40)
            await account.remove(mailbox, Uids.of(Uid(number) for number in range(5, 300, 2)))
            for _ in range(2):
                selection = await account.select("INBOX", claim_recent=False)
                found = await account.search(mailbox, HasFlag("\\Seen"), selection.uids)
                assert list(found.uids) == list(range(1, 2 + turn))
                everything = await account.sort(mailbox, All(), selection.uids, [SortCriterion(SortKey.ARRIVAL)])
                assert sorted(everything.uids) == list(selection.uids)
            assert 0 < sum(counts.octets for counts in store.memory.counts().values()) <= 60_000
    counts = dict(store.memory.counts())
    del counts[MemoKind.BLOCKS]  # a file has none
    assert all(each.hits and each.misses for each in counts.values()), counts
    last = accounts[-1]._searching._flags
    assert last.peek(places[-1][1]) is not None
    assert accounts[0]._searching._flags.peek(places[0][1]) is None, "it is the least recently used"
    await store.close()


async def test_the_memory_of_an_account_ends_with_it(store: SqliteStore) -> None:
    added = await store.directory.add("linda", {})
    account = await store.account(added)
    mailbox = await fill(account, 3)
    await account.search(mailbox, HasFlag("\\Seen"), uids(1))
    await account.select("INBOX", claim_recent=False)
    assert store.memory.counts()[MemoKind.FLAGS].octets
    assert store.memory.counts()[MemoKind.UIDS].octets
    await account.database.release()
    await account.indexer.close()
    gone = weakref.ref(account)
    del account
    gc.collect()
    assert gone() is None
    counts = store.memory.counts()
    assert counts[MemoKind.FLAGS].octets == counts[MemoKind.UIDS].octets == 0


async def test_accounts_that_come_and_go_elsewhere_are_seen(store: SqliteStore, data: Path) -> None:
    second = await open_store(data)
    for _ in range(2):
        assert await store.directory.find("ali") is None
    added = await second.directory.add("Ali", {"PLAIN": "one"})
    for _ in range(2):
        assert await store.directory.find("ali") == added
    await second.directory.set_secrets("ali", {"PLAIN": "two"})
    found = await store.directory.find("ali")
    assert found is not None
    assert found.secrets == {"PLAIN": "two"}
    await second.directory.remove("ali")
    assert await store.directory.find("ali") is None
    await second.close()


ASK_FOR_THE_LOCK = """
import fcntl, sys
with open(sys.argv[1], "r+b") as file:
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except OSError:
        print("taken")
"""
"""The octet of the WAL-index on which each connection keeps a lock for as long as it is open."""


async def test_changes_by_others_while_the_file_was_closed_are_seen(account: SqliteAccount, data: Path) -> None:
    await account.database.release()
    await read_twice(account)
    second = await open_store(data)
    elsewhere = await second.account(entry_of(account))
    await account.database.release()
    await elsewhere.create("Elsewhere")
    await second.close()
    for _ in range(2):
        assert "Elsewhere" in {mailbox.name for mailbox in await account.mailboxes()}


async def test_closing_a_file_keeps_the_locks_of_other_users_in_the_process(account: SqliteAccount, data: Path) -> None:
    async def is_locked() -> bool:
        asking = await asyncio.create_subprocess_exec(
            sys.executable, "-c", ASK_FOR_THE_LOCK, f"{file_of(data, account.id)}-shm", stdout=asyncio.subprocess.PIPE
        )
        return b"taken" in (await asking.communicate())[0]

    await read_twice(account)
    second = await open_store(data)
    await read_twice(await second.account(entry_of(account)))
    assert await is_locked()
    await second.close()
    assert await is_locked()
    await account.database.release()
    await read_twice(account)
    assert await is_locked()


async def read_twice(account: Account) -> None:
    for _ in range(2):
        await account.mailboxes()
        await account.modseq(await inbox(account))
