"""Which lines of messages SQLite builds, and how many at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from mektup.store.arrival import prepare
from mektup.store.columns import Column, Form
from mektup.store.interface import Account, Incoming
from mektup.store.sqlite import open_store
from mektup.store.sqlite.tables.fetch import FORM_BYTES, LINES_BYTES, RAW_BYTES
from mektup.store.sqlite.tables.uids import SLICE_ROWS
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, fetched, inbox, incoming, raw, uids


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    store = await open_store(tmp_path)
    yield await store.account(await store.directory.add("linda", {}))
    await store.close()


async def test_a_column_is_part_of_a_line_up_to_a_width(account: Account) -> None:
    mailbox = await inbox(account)
    arrivals = [replace(prepare(raw()), bodystructure=b"x" * size) for size in (FORM_BYTES, FORM_BYTES + 1)]
    await account.append(mailbox, [Incoming(each, frozenset()) for each in arrivals])
    form = Form((Column.BODYSTRUCTURE,))
    assert [lines async for _, lines, _ in account.lines(mailbox, uids(1), form, int)] == [b"x" * FORM_BYTES]
    assert [lines async for _, lines, _ in account.lines(mailbox, uids(1, 2), form, int)] == [None]


@pytest.mark.parametrize("width", [1, LINES_BYTES // 100, LINES_BYTES * 2])
async def test_a_slice_of_lines_is_bounded(account: Account, width: int) -> None:
    mailbox, count = await inbox(account), SLICE_ROWS + 100
    await account.append(mailbox, [incoming()] * count)
    wanted = Uids.span(1, count) if width < LINES_BYTES else Uids.span(1, 5)
    slices = [some async for some, _, _ in account.lines(mailbox, wanted, Form((b"x" * width,)), int)]
    most = max(1, min(SLICE_ROWS, LINES_BYTES // width))
    assert list(map(len, slices))[:-1] == [most] * (len(slices) - 1)


async def test_rows_come_in_slices(account: Account) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming()] * (SLICE_ROWS * 2 + 100))
    slices = [rows async for rows in account.fetch(mailbox, EVERYTHING, (Column.SIZE,))]
    assert list(map(len, slices)) == [SLICE_ROWS, SLICE_ROWS, 100]


async def test_a_message_is_returned_whole_up_to_a_size(account: Account) -> None:
    mailbox = await inbox(account)
    header = b"A: b\r\n\r\n"
    await account.append(
        mailbox, [incoming(octets=header + b"x" * (size - len(header))) for size in (RAW_BYTES, RAW_BYTES + 1)]
    )
    assert [len(row[1]) for row in await fetched(account, mailbox, uids(1), Column.RAW)] == [RAW_BYTES]
    assert await fetched(account, mailbox, uids(2), Column.RAW) == [(2, None)]
