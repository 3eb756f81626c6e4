"""Sets of keywords that no message uses are removed, and no set is mistaken for another."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from mektup.store import quiet_work
from mektup.store.arrival import prepare
from mektup.store.columns import Column
from mektup.store.interface import FlagChange, Incoming
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables.keyword_upkeep import FEW_SETS
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId
from mektup.terms.search import HasFlag
from mektup.terms.sets import Uids
from tests.contract.mail import entry_of, fetched, inbox, uids
from tests.store.sqlite.conftest import KEEPS_NOTHING, file_of

LIMITS = KEEPS_NOTHING


ONE: Uids = Uids.span(1, 1)
ALL: Uids = Uids.span(1, 2**32 - 1)
MANY = FEW_SETS + 20


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = (await account.mailbox("INBOX")).id
    await account.append(mailbox, [Incoming(prepare(b"Subject: x\r\n\r\n"))])
    return account


async def replace(account: SqliteAccount, *keywords: str) -> MailboxId:
    mailbox = (await account.mailbox("INBOX")).id
    await account.store_flags(mailbox, ONE, FlagChange.REPLACE, frozenset(keywords))
    return mailbox


async def replace_in_turn(account: SqliteAccount, count: int) -> None:
    for number in range(count):
        await replace(account, f"k{number}")


def sets(path: Path) -> dict[int, str]:
    connection = apsw.Connection(str(path))
    try:
        return dict(connection.execute("SELECT id, names FROM keyword_sets"))
    finally:
        connection.close()


async def until_left(path: Path, count: int) -> None:
    async with asyncio.timeout(30):
        while len(sets(path)) > count:
            await asyncio.sleep(0.01)


async def flags(account: SqliteAccount) -> list[str]:
    mailbox = (await account.mailbox("INBOX")).id
    return [name for name in ("kept", "k7", "new") if (await account.search(mailbox, HasFlag(name), ALL)).uids]


async def test_unused_sets_are_removed(account: SqliteAccount, data: Path) -> None:
    for number in range(MANY):
        await replace(account, f"k{number}")
    await replace(account, "kept")
    await replace(account, "last")
    await replace(account, "kept")
    await account.indexer.tidy()
    # the highest set stays, so that its number is not used again
    assert sorted(sets(file_of(data, account.id)).values()) == ["kept", "last"]
    assert await flags(account) == ["kept"]


async def test_two_thousand_unused_sets_are_removed_in_the_background(
    account: SqliteAccount, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.01)
    for number in range(1, 2001):
        await replace(account, *[f"bit{bit}" for bit in range(11) if number >> bit & 1])
    # in the background, without a call of ``tidy``
    await until_left(file_of(data, account.id), 1)
    assert list(sets(file_of(data, account.id)).values()) == ["bit10 bit4 bit6 bit7 bit8 bit9"]
    assert len(account._keyword_sets) == 2, "the set without keywords counts"


@pytest.mark.parametrize("how", ["expunge", "move", "delete", "replace"])
async def test_sets_that_messages_leave_go_although_none_was_added_since(
    account: SqliteAccount, data: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    mailbox = await replace(account, "k0")
    await account.append(mailbox, [Incoming(prepare(b""), frozenset({f"k{number}"})) for number in range(MANY)])
    await account.indexer.tidy()
    assert len(sets(file_of(data, account.id))) == MANY
    monkeypatch.setattr(quiet_work, "QUIET_SECONDS", 0.01)
    match how:
        case "expunge":
            await account.remove(mailbox, ALL)
        case "move":
            await account.move(mailbox, ALL, "Trash")
            await account.delete("Trash")
        case "delete":
            await account.rename("INBOX", "old")
            await account.delete("old")
        case "replace":
            await account.store_flags(mailbox, ALL, FlagChange.REPLACE, frozenset({"\\Seen"}))
    await until_left(file_of(data, account.id), 1)


async def test_a_word_that_was_handed_out_is_known_when_its_set_has_gone(account: SqliteAccount) -> None:
    words = []
    for number in range(MANY):
        await replace(account, f"k{number}")
        ((_, word),) = await fetched(account, await inbox(account), uids(1), Column.FLAGS)
        words.append(word)
    await account.indexer.tidy()
    assert [account.flag_names(word) for word in words] == [(f"k{number}",) for number in range(MANY)]
    await replace(account, "k7", "new")
    assert await flags(account) == ["k7", "new"]


async def test_another_process_does_not_give_a_message_a_set_that_has_gone(account: SqliteAccount, data: Path) -> None:
    elsewhere = await open_store(data, limits=LIMITS)
    try:
        other = await elsewhere.account(entry_of(account))
        for number in range(MANY):
            await replace(other, f"k{number}")
        before = sets(file_of(data, account.id))
        await replace(account, "kept")
        await account.indexer.tidy()
        assert list(sets(file_of(data, account.id)).values()) == ["kept"]
        await replace(other, "k7")
        after = sets(file_of(data, account.id))
        assert [number for number in after if number not in before] == [MANY + 1, MANY + 2]
        assert after[MANY + 2] == "k7", "a number is never given twice"
        assert await flags(account) == await flags(other) == ["k7"]
    finally:
        await elsewhere.close()


async def test_a_change_that_is_undone_leaves_nothing_behind(account: SqliteAccount, data: Path) -> None:
    for number in range(MANY):
        await replace(account, f"k{number}")
    await account.indexer.tidy()
    with pytest.raises(Refused):
        await replace(account, "new", *[f"x{number}" for number in range(2000)])
    await replace(account, "new")
    assert await flags(account) == ["new"]
    assert list(sets(file_of(data, account.id)).values()).count("new") == 1


async def test_removed_sets_no_longer_count_for_the_limit(tmp_path: Path) -> None:
    store = await open_store(tmp_path, limits=Limits(keyword_sets_bytes=20_000, expunged_seconds=0))
    try:
        account = await store.account(await store.directory.add("linda", {}))
        mailbox = (await account.mailbox("INBOX")).id
        await account.append(mailbox, [Incoming(prepare(b"Subject: x\r\n\r\n"))])
        with pytest.raises(Refused) as caught:
            await replace_in_turn(account, 1000)
        assert caught.value.code is Code.LIMIT
        await account.indexer.tidy()
        for number in range(100):
            await replace(account, f"again{number}")
    finally:
        await store.close()
