"""Bits that changed on the disk are found in mail that is read."""

from __future__ import annotations

import asyncio
from pathlib import Path

import apsw
import pytest

from mektup.store.columns import Column, Form
from mektup.store.faults import Kind
from mektup.store.sqlite import open_store
from mektup.store.sqlite.tables import audit
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId
from tests.contract.mail import entry_of, fetched, inbox, incoming, raw, uids
from tests.store.sqlite.conftest import Book, file_of

TEXT = "a line of text that is long enough to be worth it\r\n"


async def stored(data: Path, compression: int | None, texts: list[str]) -> AccountId:
    store = await open_store(data, compression=compression)
    account = await store.account(await store.directory.add("linda", {}))
    await account.append(await inbox(account), [incoming(octets=raw(text=text)) for text in texts])
    await store.close()
    return account.id


def flip(data: Path, account: AccountId, content: int) -> None:
    file = apsw.Connection(str(file_of(data, account)))
    chunk, octets = file.execute("SELECT max(id), octets FROM chunks WHERE id >> 12 = ?", (content,)).get
    changed = bytearray(octets)
    changed[len(changed) // 2] ^= 1
    file.execute("UPDATE chunks SET octets = ? WHERE id = ?", (bytes(changed), chunk))
    file.close()


async def until_told(book: Book) -> None:
    async with asyncio.timeout(10):
        while not book.faults:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("size", [3, 20_000])  # a short message, and one that is read in pieces
@pytest.mark.parametrize("by_lines", [False, True])
async def test_a_changed_message_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, by_lines: bool
) -> None:
    monkeypatch.setattr(audit, "ROUND_SECONDS", 0.0)
    identity = await stored(tmp_path, None, [TEXT, TEXT * size, TEXT])
    flip(tmp_path, identity, 2)
    book = Book()
    store = await open_store(tmp_path, faults=book)
    account = await store.account(entry_of(identity))
    mailbox = await inbox(account)
    if by_lines:
        async for _ in account.lines(mailbox, uids(1, 2, 3), Form((Column.RAW,)), int):
            pass
    else:
        await fetched(account, mailbox, uids(1, 2, 3), Column.RAW)
    await until_told(book)
    assert [(fault.kind, fault.account, fault.lasts) for fault in book.faults] == [(Kind.DAMAGED, "linda", True)]
    assert str(book.faults[0].reason).startswith("message 2 of mailbox 1 ")
    assert book.faults[0].file == str(file_of(tmp_path, identity))
    await store.close()


async def test_unchanged_messages_are_not_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "ROUND_SECONDS", 0.0)
    identity = await stored(tmp_path, 3, [TEXT] * 100 + [TEXT * 20_000])
    book = Book()
    store = await open_store(tmp_path, faults=book)
    account = await store.account(entry_of(identity))
    for _ in range(5):
        await fetched(account, await inbox(account), uids(*range(1, 102)), Column.RAW)
        await asyncio.sleep(0)
    await store.close()
    assert book.faults == []


async def test_compressed_messages_are_checked_when_they_are_read(tmp_path: Path) -> None:
    identity = await stored(tmp_path, 3, [TEXT * 50, TEXT * 60])
    flip(tmp_path, identity, 2)
    book = Book()
    store = await open_store(tmp_path, faults=book)
    account = await store.account(entry_of(identity))
    assert len(await fetched(account, await inbox(account), uids(1), Column.RAW)) == 1
    with pytest.raises(Refused) as caught:
        await fetched(account, await inbox(account), uids(2), Column.RAW)
    assert caught.value.code is Code.CORRUPTION
    assert {fault.kind for fault in book.faults} == {Kind.DAMAGED}
    await store.close()
