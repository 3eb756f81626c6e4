"""A moment is let go after a time, so that the WAL of an account that is backed up does not grow without bound."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from mektup.store.interface import Account
from mektup.store.moments import Moment
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.moments import snapshot
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MailboxId
from tests.contract.mail import fill, raw, uids
from tests.contract.test_moments import messages, octets
from tests.store.sqlite.conftest import file_of


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


def can_start_over(data: Path, account: Account) -> bool:
    """Whether nobody needs the WAL as it was."""
    connection = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("PRAGMA user_version").fetchall()  # opens the WAL
    try:
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except apsw.BusyError:
        return False
    finally:
        connection.close()
    return True


async def until_over(moment: Moment, mailbox: MailboxId) -> Refused:
    while True:
        try:
            await messages(moment, mailbox)
        except Refused as refused:
            return refused
        await asyncio.sleep(0)


async def test_rows_are_refused_when_it_is_over_and_the_wal_starts_over(account: SqliteAccount, data: Path) -> None:
    mailbox = await fill(account, 10)
    async with snapshot(account.database, rows_seconds=3600) as moment:
        await fill(account, 1)
        assert not can_start_over(data, account)
    assert can_start_over(data, account)
    async with snapshot(account.database, rows_seconds=0.01) as moment:
        assert (await until_over(moment, mailbox)).code is Code.UNAVAILABLE
        await fill(account, 1)
        assert can_start_over(data, account)


async def test_octets_can_be_read_when_it_is_over_unless_the_message_is_removed(account: SqliteAccount) -> None:
    mailbox = await fill(account, 10)
    async with snapshot(account.database, rows_seconds=3600, contents_seconds=0) as moment:
        there = await messages(moment, mailbox)
        assert await octets(moment, there[9].content) == raw("number 9")
        await until_over(moment, mailbox)
        await account.remove(mailbox, uids(1))
        await account.retention.forget(uids(1))
        assert await octets(moment, there[1].content) == raw("number 1")
        assert [pair async for some in moment.contents([there[2].content]) for pair in some]
        with pytest.raises(Refused) as refused:
            await octets(moment, there[0].content)
        assert refused.value.code is Code.EXPUNGEISSUED
        with pytest.raises(Refused) as refused:
            [some async for some in moment.contents([there[1].content, there[0].content])]
        assert refused.value.code is Code.EXPUNGEISSUED
