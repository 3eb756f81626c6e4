"""A content is stored as long as a message refers to it, and freed with the last one, after any changes."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.sqlite import open_store
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.sets import Uids
from tests.contract.mail import fetched, incoming, raw
from tests.store.sqlite.conftest import file_of

NAMES = ("INBOX", "Archive", "Trash")


def assert_nothing_is_lost_or_left(path: Path) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    held = "(SELECT content FROM messages UNION ALL SELECT content FROM retained WHERE NOT moved)"
    referred = dict(connection.execute(f"SELECT content, count(*) FROM {held} GROUP BY content"))
    assert dict(connection.execute("SELECT content, copies + 1 FROM shared")) == {
        content: count for content, count in referred.items() if count > 1
    }
    for table, column in (("contents", "id"), ("structures", "content"), ("texts", "content")):
        assert {row[0] for row in connection.execute(f"SELECT {column} FROM {table}")} == set(referred)
    assert {row[0] for row in connection.execute("SELECT DISTINCT id >> 12 FROM chunks")} == set(referred)
    for mailbox, uidnext in connection.execute("SELECT id, uidnext FROM mailboxes").fetchall():
        there = {row[0] for row in connection.execute("SELECT uid FROM messages WHERE mailbox = ?", (mailbox,))}
        gone = Uids(connection.execute("SELECT first, last FROM expunged WHERE mailbox = ?", (mailbox,)).fetchall())
        assert there == set(range(1, uidnext)) - set(gone)
    connection.close()


@pytest.mark.parametrize("seconds", [0, 1000])
@pytest.mark.parametrize("seed", range(5))
async def test_every_way_to_copy_and_remove(data: Path, seed: int, seconds: int) -> None:
    store = await open_store(data, limits=Limits(expunged_seconds=seconds))
    chance = random.Random(seed)
    account: Account = await store.account(await store.directory.add("linda", {}))
    for step in range(60):
        name = chance.choice(NAMES)
        box = await account.mailbox(name)
        some = Uids.of(chance.sample(range(1, 40), 8))  # type: ignore[type-var]
        match chance.randrange(7):
            case 0 | 1:
                sizes = [chance.choice((10, 300_000)) for _ in range(3)]
                await account.append(box.id, [incoming(octets=raw(f"{step}", "x" * size)) for size in sizes])
            case 2:
                await account.copy(box.id, some, chance.choice(NAMES))
            case 3:
                await account.move(box.id, some, chance.choice(NAMES))
            case 4:
                await account.store_flags(box.id, some, FlagChange.ADD, frozenset({"\\Deleted"}))
                await account.expunge(box.id, None)
            case 5:
                await account.remove(box.id, some)
            case _:
                if name != "INBOX":
                    await account.delete(name)
                    await account.create(name)
    assert_nothing_is_lost_or_left(file_of(data, account.id))
    for name in NAMES:
        box = await account.mailbox(name)
        for _, size, content in await fetched(account, box.id, Uids.span(1, 1000), Column.SIZE, Column.CONTENT):
            assert sum([len(piece) async for piece in account.content(content, 0, 2**40)]) == size
    await account.remove((await account.mailbox("INBOX")).id, Uids.span(1, 1000))
    await account.delete("Archive")
    await account.delete("Trash")
    assert_nothing_is_lost_or_left(file_of(data, account.id))
    await store.close()


async def test_a_store_without_effect_adds_no_set_of_keywords(data: Path, store: SqliteStore) -> None:
    account = await store.account(await store.directory.add("linda", {}))
    box = await account.mailbox("INBOX")
    await account.append(box.id, [incoming("$Kept")])
    for change in FlagChange:
        await account.store_flags(box.id, Uids.span(7, 9), change, frozenset({f"$None{change.name}"}))
    await account.store_flags(box.id, Uids.span(1, 1), FlagChange.REMOVE, frozenset({"$NotThere"}))
    connection = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    assert connection.execute("SELECT names FROM keyword_sets").fetchall() == [("$Kept",)]
    connection.close()
