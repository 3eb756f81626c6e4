"""A write whose answer is lost is done once, and the client is told what was done."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account
from mektup.store.postgres import open_store
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.sets import NumberSet
from tests.contract.mail import EVERYTHING, entry_of, fetched, flags_of, incoming, uids
from tests.support.postgres import OWNER, NewDatabase, Postgres
from tests.support.postgres_proxy import PostgresProxy, before_postgres


@dataclass(frozen=True, slots=True)
class Node:
    """A node whose connections a test may cut, and another one without a proxy, which tells what is there."""

    account: Account
    other: Account
    inbox: MailboxId
    archive: MailboxId
    proxy: PostgresProxy

    async def counts(self) -> tuple[int, int]:
        """How many messages are in INBOX and in Archive; their counters are right."""
        found = []
        for mailbox in await self.other.mailboxes():
            rows = await fetched(self.other, mailbox.id, EVERYTHING, Column.RAW)
            assert mailbox.messages == len(rows)
            if mailbox.id in (self.inbox, self.archive):
                found.append(len(rows))
        return found[0], found[1]


@pytest.fixture
async def node(new_database: NewDatabase, postgres: Postgres) -> AsyncIterator[Node]:
    dsn = new_database()
    first = await open_store(dsn, {"a": dsn})
    other = await first.account(await first.directory.add("linda", {}))
    inbox, archive = (await other.mailbox("INBOX")).id, (await other.mailbox("Archive")).id
    await other.append(inbox, [incoming() for _ in range(10)])
    async with before_postgres(postgres.folder) as proxy:
        through = proxy.dsn(OWNER, dsn.rpartition("dbname=")[2])
        store = await open_store(through, {"a": through})
        try:
            yield Node(await store.account(entry_of(other)), other, inbox, archive, proxy)
        finally:
            await store.close()
            await first.close()


Lose = Callable[[PostgresProxy, str], None]
LOSSES: dict[str, Lose] = {
    "after": lambda proxy, function: proxy.drop_answer(lambda statement: function in statement),
    "before": lambda proxy, function: proxy.drop_question(lambda statement: function in statement),
}
lost = pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)


@lost
async def test_append(node: Node, lose: Lose) -> None:
    lose(node.proxy, "add_1")
    appended = await node.account.append(node.inbox, [incoming(), incoming()])
    assert node.proxy.dropped
    assert appended.uids == uids(11, 12)
    assert appended.modseq == await node.other.modseq(node.inbox)
    assert await node.counts() == (12, 0)


@lost
async def test_copy(node: Node, lose: Lose) -> None:
    lose(node.proxy, "copy_1")
    copied = await node.account.copy(node.inbox, uids(2, 4), "Archive")
    assert node.proxy.dropped
    assert (copied.sources, copied.targets) == (uids(2, 4), uids(1, 2))
    assert await node.counts() == (10, 2)


@lost
async def test_move(node: Node, lose: Lose) -> None:
    lose(node.proxy, "copy_1")
    moved = await node.account.move(node.inbox, uids(2, 4), "Archive")
    assert node.proxy.dropped
    assert (moved.sources, moved.targets) == (uids(2, 4), uids(1, 2))
    assert await node.counts() == (8, 2)


@lost
async def test_replace(node: Node, lose: Lose) -> None:
    lose(node.proxy, "add_1")
    replaced = await node.account.replace(node.inbox, Uid(3), node.inbox, incoming())
    assert node.proxy.dropped
    assert replaced.uids == uids(11)
    assert await node.counts() == (10, 0)


Write = Callable[[Account, MailboxId], Awaitable[object]]
AGAIN: dict[str, Write] = {
    "store": lambda account, inbox: account.store_flags(inbox, uids(1, 2), FlagChange.ADD, frozenset({"\\Seen"})),
    "store with a keyword": lambda account, inbox: account.store_flags(
        inbox, EVERYTHING, FlagChange.REPLACE, frozenset({"$A"})
    ),
    "remove": lambda account, inbox: account.remove(inbox, NumberSet.span(1, 4)),
}


@lost
@pytest.mark.parametrize("name", AGAIN)
async def test_what_can_be_worked_out_again(node: Node, lose: Lose, name: str) -> None:
    await AGAIN[name](node.other, node.archive)  # the same on an empty mailbox changes nothing
    lose(node.proxy, "rewrite_1")
    await AGAIN[name](node.account, node.inbox)
    assert node.proxy.dropped
    expected = {
        "store": {uid: {"\\Seen"} if uid < 3 else set() for uid in range(1, 11)},
        "store with a keyword": {uid: {"$A"} for uid in range(1, 11)},
        "remove": {uid: set() for uid in range(5, 11)},
    }
    assert await flags_of(node.other, node.inbox) == expected[name]
    assert await node.counts() == (len(expected[name]), 0)


@lost
async def test_whoever_waits_is_told(node: Node, lose: Lose) -> None:
    watch = node.account.watch(node.inbox)
    lose(node.proxy, "add_1")
    await node.account.append(node.inbox, [incoming()])
    assert watch.fired
