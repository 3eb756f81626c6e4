"""A ROLLBACK that fails (memory is short): the connection is closed, and nothing of the file is mistaken afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from tests.contract.mail import fill, inbox, incoming, uids

QUIET = Limits(text_index=False)


class Statements:
    """Makes statements fail that begin with certain words, on connections that are opened meanwhile."""

    def __init__(self) -> None:
        self.failing: tuple[str, ...] = ()
        self.failures = 0

    def trace(self, cursor: apsw.Cursor, statement: str, bindings: object) -> bool:
        if statement.startswith(self.failing or "nothing"):
            self.failures += 1
            raise apsw.NoMemError("out of memory, says the test")
        return True

    def hook(self, connection: apsw.Connection) -> None:
        connection.exec_trace = self.trace


@pytest.fixture
def statements() -> Iterator[Statements]:
    statements = Statements()
    apsw.connection_hooks.append(statements.hook)
    yield statements
    apsw.connection_hooks.remove(statements.hook)


async def seen_count(account: Account) -> int:
    """The number of messages by the answer that is remembered longest."""
    return next(mailbox.messages for mailbox in await account.mailboxes() if mailbox.name == "INBOX")


async def refused(account: SqliteAccount, statements: Statements) -> None:
    statements.failing = ("INSERT", "ROLLBACK")
    with pytest.raises(Refused):
        await account.append(await inbox(account), [incoming()])
    assert statements.failures == 2
    statements.failing = ()


async def test_later_commits_are_seen(data: Path, statements: Statements) -> None:
    store = await open_store(data, limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 2)
    assert await seen_count(account) == 2
    await refused(account, statements)
    assert await seen_count(account) == 2
    for count in (3, 4):
        await fill(account, 1)
        assert await seen_count(account) == count
    await store.close()


async def test_the_wal_that_is_synced_is_the_one_that_is_written(
    data: Path, statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data, limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 2)
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"\\Flagged"}))  # it is not synced
    await refused(account, statements)
    synced: list[int] = []
    real = os.fdatasync

    def followed(file: int) -> None:
        synced.append(os.fstat(file).st_nlink)
        real(file)

    monkeypatch.setattr(os, "fdatasync", followed)
    await fill(account, 1)
    assert synced
    assert 0 not in synced
    await store.close()


async def test_a_rollback_that_fails_in_a_thread_is_refused_in_words(data: Path, statements: Statements) -> None:
    store = await open_store(data, limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await account.database.release()  # so that the next change is synced by its commit, in a thread
    await refused(account, statements)
    await fill(account, 1)
    assert await seen_count(account) == 1
    await store.close()


async def test_a_commit_whose_connection_stays_careful_is_done(data: Path, statements: Statements) -> None:
    store = await open_store(data, limits=QUIET)
    account = await store.account(await store.directory.add("linda", {}))
    await account.database.release()
    statements.failing = ("pragma \"synchronous\"('normal')",)
    await fill(account, 1)  # the first change after the file was closed properly has its own sync
    assert statements.failures == 1
    statements.failing = ()
    assert await seen_count(account) == 1
    await fill(account, 1)
    await store.close()
