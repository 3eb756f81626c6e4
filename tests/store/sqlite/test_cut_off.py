"""If a file is removed or replaced while it is in use, no change is acknowledged that would be lost."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import apsw
import pytest

from mektup.store.faults import Fault, Kind
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange, SystemFlag
from mektup.terms.sets import Uids
from tests.contract.mail import fill, incoming
from tests.store.sqlite.conftest import file_of


class Book:
    """Records faults."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def happened(self, fault: Fault) -> None:
        self.faults.append(fault)


async def linda(store: SqliteStore) -> SqliteAccount:
    found = await store.directory.find("linda") or await store.directory.add("linda", {})
    return await store.account(found)


async def append(account: Account, times: int = 1) -> int:
    """The number of acknowledged messages."""
    acknowledged = 0
    for _ in range(times):
        with contextlib.suppress(Refused):
            await account.append((await account.mailbox("INBOX")).id, [incoming()])
            acknowledged += 1
        await asyncio.sleep(0)
    return acknowledged


async def messages_after_a_restart(data: Path) -> int:
    """The messages that a new process finds, as after a kill."""
    copy = data.with_name("after")
    shutil.copytree(data, copy)
    store = await open_store(copy)
    found = (await (await linda(store)).mailbox("INBOX")).messages
    await store.close()
    shutil.rmtree(copy)
    return found


@pytest.mark.parametrize("beside", [["-wal"], ["-shm"], ["-wal", "-shm"]])
async def test_no_acknowledged_change_is_lost_if_the_wal_or_its_index_is_removed(data: Path, beside: list[str]) -> None:
    book = Book()
    store = await open_store(data, faults=book)
    account = await linda(store)
    await fill(account, 3)
    assert await append(account, 5) == 5
    for each in beside:
        os.unlink(f"{file_of(data, account.id)}{each}")
    acknowledged = 8 + await append(account, 10)
    assert [fault.kind for fault in book.faults][:1] == [Kind.CUT_OFF]
    assert "removed" in str(book.faults[0].reason)
    assert await messages_after_a_restart(data) >= acknowledged
    assert (await account.mailbox("INBOX")).messages >= acknowledged
    assert await append(account, 3) == 3  # the account goes on working
    assert await messages_after_a_restart(data) >= acknowledged + 3
    await store.close()


async def test_flags_that_did_not_wait_for_the_disk_are_saved_by_who_looks(data: Path) -> None:
    store = await open_store(data, faults=Book())
    account = await linda(store)
    mailbox = await fill(account, 3)
    await account.store_flags(mailbox, Uids.span(1, 3), FlagChange.ADD, frozenset({"\\Flagged"}))
    path = file_of(data, account.id)
    os.unlink(f"{path}-wal")
    account.database.look()
    copy = data.with_name("copy.db")
    shutil.copyfile(path, copy)
    connection = apsw.Connection(str(copy))
    assert connection.execute("SELECT count(*) FROM messages WHERE flags & ?", (int(SystemFlag.FLAGGED),)).get == 3
    connection.close()
    await store.close()


async def test_a_file_that_is_replaced_while_it_is_in_use_takes_no_more_mail(data: Path) -> None:
    book = Book()
    store = await open_store(data, faults=book)
    account = await linda(store)
    await fill(account, 3)
    before = await account.mailbox("INBOX")
    path = file_of(data, account.id)
    assert await account.database.release()
    shutil.copy2(path, data / "older")
    assert await append(account, 2) == 2
    os.replace(data / "older", path)
    assert await append(account, 3) == 0
    assert book.faults[0].kind is Kind.CUT_OFF
    assert "may be lost" in str(book.faults[0].reason)
    again = await linda(store)
    assert again is not account
    assert (await again.mailbox("INBOX")).messages == 3
    assert (await again.mailbox("INBOX")).uidvalidity > before.uidvalidity
    assert await append(again, 2) == 2
    await store.close()


async def test_a_directory_that_is_moved_away_and_back_is_used_again(data: Path) -> None:
    store = await open_store(data, faults=Book())
    account = await linda(store)
    await fill(account, 3)
    data.rename(data.with_name("away"))
    assert await append(account, 2) == 0
    with pytest.raises(Refused):
        await linda(store)
    data.with_name("away").rename(data)
    again = await linda(store)
    assert (await again.mailbox("INBOX")).messages >= 3
    assert await append(again, 2) == 2
    await store.close()


async def test_an_account_that_another_process_removed_is_no_fault(data: Path) -> None:
    book = Book()
    one, two = await open_store(data), await open_store(data, faults=book)
    await fill(await linda(one), 3)
    account = await linda(two)
    await account.mailbox("INBOX")
    await one.directory.remove("linda")
    account.database.look()
    assert await append_to_nothing(account) is Code.UNAVAILABLE
    assert book.faults == []
    await one.close()
    await two.close()


async def append_to_nothing(account: SqliteAccount) -> Code | None:
    with pytest.raises(Refused) as caught:
        await account.create("New")
    return caught.value.code
