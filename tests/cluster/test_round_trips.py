"""How many round trips a command on messages costs: a budget for each verb."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from mektup.store.columns import Column, Form
from mektup.store.interface import Account
from mektup.store.postgres import open_store
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ContentId, MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids
from tests.contract.mail import EVERYTHING, entry_of, fetched, incoming, uids
from tests.support.postgres import OWNER, NewDatabase, Postgres
from tests.support.postgres_proxy import PostgresProxy, before_postgres

SEEN = frozenset({"\\Seen"})
SOME: Uids = NumberSet.span(1, 20)


@dataclass(frozen=True, slots=True)
class Node:
    """A node behind a proxy that counts; another one has filled the mailbox."""

    account: Account
    inbox: MailboxId
    proxy: PostgresProxy

    async def trips(self, verb: Callable[[Account, MailboxId], Awaitable[object]]) -> int:
        """The round trips of *verb*, without those that prepare its statement."""
        self.proxy.trips.clear()
        await verb(self.account, self.inbox)
        return len(self.proxy.trips)


@pytest.fixture
async def node(new_database: NewDatabase, postgres: Postgres) -> AsyncIterator[Node]:
    dsn = new_database()
    name = dsn.rpartition("dbname=")[2]
    first = await open_store(dsn, {"a": dsn})
    try:
        there = await first.account(await first.directory.add("linda", {}))
        inbox = (await there.mailbox("INBOX")).id
        await there.append(inbox, [incoming("\\Deleted") for _ in range(40)])
    finally:
        await first.close()
    async with before_postgres(postgres.folder) as proxy:
        store = await open_store(proxy.dsn(OWNER, name), {"a": proxy.dsn(OWNER, name)})
        try:
            yield Node(await store.account(entry_of(there)), inbox, proxy)
        finally:
            await store.close()


async def lines(account: Account, inbox: MailboxId) -> list[object]:
    form = Form((b"x", Column.UID, Column.ENVELOPE))
    return [each async for each in account.lines(inbox, SOME, form, int)]


async def content(account: Account, inbox: MailboxId) -> list[object]:
    return [each async for each in account.content(ContentId(1), 0, 10_000)]


READS: dict[str, tuple[int, Callable[[Account, MailboxId], Awaitable[object]]]] = {
    "modseq": (1, lambda account, inbox: account.modseq(inbox)),
    "select": (1, lambda account, inbox: account.select("INBOX", claim_recent=True)),
    "changes": (
        1,
        lambda account, inbox: account.changes(
            inbox, since=ModSeq(0), expunged_since=ModSeq(0), uidnext=Uid(1), claim_recent=True
        ),
    ),
    "touched": (1, lambda account, inbox: account.touched(inbox, ModSeq(0))),
    "flags": (1, lambda account, inbox: fetched(account, inbox, EVERYTHING, Column.FLAGS)),
    "sizes": (1, lambda account, inbox: fetched(account, inbox, EVERYTHING, Column.SIZE)),
    "envelopes": (2, lambda account, inbox: fetched(account, inbox, EVERYTHING, Column.ENVELOPE)),
    "whole messages": (2, lambda account, inbox: fetched(account, inbox, SOME, Column.RAW)),
    "lines": (2, lines),
    "content": (1, content),
}
"""The round trips of each read on a node that knows nothing."""


@pytest.mark.parametrize("name", READS)
async def test_reads_on_a_node_that_knows_nothing(node: Node, name: str) -> None:
    most, read = READS[name]
    assert await node.trips(read) == most


@pytest.mark.parametrize("name", READS)
async def test_reads_on_a_node_that_knows_the_mailbox(node: Node, name: str) -> None:
    _, read = READS[name]
    await node.trips(read)
    assert await node.trips(read) == 1


WRITES: dict[str, tuple[int, Callable[[Account, MailboxId], Awaitable[object]]]] = {
    "append": (1, lambda account, inbox: account.append(inbox, [incoming()])),
    "store": (2, lambda account, inbox: account.store_flags(inbox, uids(1, 2), FlagChange.ADD, SEEN)),
    "store of many": (2, lambda account, inbox: account.store_flags(inbox, EVERYTHING, FlagChange.ADD, SEEN)),
    "copy": (2, lambda account, inbox: account.copy(inbox, SOME, "Archive")),
    "move": (2, lambda account, inbox: account.move(inbox, SOME, "Archive")),
    "expunge": (2, lambda account, inbox: account.expunge(inbox, None)),
    "remove": (2, lambda account, inbox: account.remove(inbox, SOME)),
}
"""The round trips of each write on a node that knows nothing."""


@pytest.mark.parametrize("name", WRITES)
async def test_writes_on_a_node_that_knows_nothing(node: Node, name: str) -> None:
    most, write = WRITES[name]
    assert await node.trips(write) == most


@pytest.mark.parametrize("name", WRITES)
async def test_writes_on_a_node_that_knows_the_messages(node: Node, name: str) -> None:
    _, write = WRITES[name]
    await fetched(node.account, node.inbox, EVERYTHING, Column.FLAGS, Column.SIZE)
    assert await node.trips(write) == 1
