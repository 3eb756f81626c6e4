"""Several nodes write to the same mailboxes: nobody's change is lost, and all see the same in the end."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import psycopg
import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account, FlagOrder
from mektup.store.postgres import open_store, writing
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId, MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids
from tests.contract.mail import EVERYTHING, entry_of, fetched, flags_of, incoming, uids
from tests.support.postgres import NewDatabase

NODES = 3
DEVICES = 6
STEPS = 15
FLAGS = ("\\Seen", "\\Deleted", "\\Flagged", "$A", "b")
MANY = 600
"""More messages than the tail of a mailbox keeps."""


@asynccontextmanager
async def nodes(dsn: str, count: int) -> AsyncIterator[list[Account]]:
    """The account linda on so many nodes."""
    async with AsyncExitStack() as stack:
        stores = []
        for _ in range(count):
            stores.append(await open_store(dsn, {"a": dsn}))
            stack.push_async_callback(stores[-1].close)
        entry = await stores[0].directory.find("linda") or await stores[0].directory.add("linda", {})
        yield [await store.account(entry_of(AccountId(entry.id))) for store in stores]


class Device:
    """Changes mail at random, and keeps the modseq of each of its changes."""

    def __init__(self, account: Account, inbox: MailboxId, archive: MailboxId, seed: int) -> None:
        self.account = account
        self.boxes = (inbox, archive)
        self.chance = random.Random(seed)
        self.modseqs: list[ModSeq] = []

    def some(self) -> Uids:
        first = self.chance.randrange(1, 40)
        return NumberSet.span(first, first + self.chance.randrange(8))

    async def step(self) -> None:
        mailbox = self.chance.choice(self.boxes)
        steps: list[Callable[[MailboxId], Awaitable[ModSeq | None]]] = [
            self.append,
            self.store,
            self.store,
            self.store_in_turn,
            self.copy,
            self.move,
            self.expunge,
        ]
        modseq = await self.chance.choice(steps)(mailbox)
        if modseq is not None:
            self.modseqs.append(modseq)

    async def append(self, mailbox: MailboxId) -> ModSeq | None:
        flags = self.chance.sample(FLAGS, 2)
        return (await self.account.append(mailbox, [incoming(*flags)])).modseq

    async def store(self, mailbox: MailboxId) -> ModSeq | None:
        how = self.chance.choice(list(FlagChange))
        flags = frozenset(self.chance.sample(FLAGS, self.chance.randrange(1, 3)))
        stored = await self.account.store_flags(mailbox, self.some(), how, flags)
        return stored.modseq if stored.changed else None

    async def store_in_turn(self, mailbox: MailboxId) -> ModSeq | None:
        orders = [FlagOrder(self.some(), FlagChange.ADD, frozenset({flag})) for flag in self.chance.sample(FLAGS, 2)]
        stored = await self.account.store_flags_in_turn(mailbox, orders)
        self.modseqs += [each.modseq for each in stored if each.changed]
        return None

    async def copy(self, mailbox: MailboxId) -> ModSeq | None:
        copied = await self.account.copy(mailbox, self.some(), "Archive")
        return copied.modseq if copied.sources else None

    async def move(self, mailbox: MailboxId) -> ModSeq | None:
        moved = await self.account.move(mailbox, self.some(), self.chance.choice(["INBOX", "Archive"]))
        return moved.modseq if moved.sources else None

    async def expunge(self, mailbox: MailboxId) -> ModSeq | None:
        gone = await self.account.expunge(mailbox, self.some())
        return gone.modseq if gone.uids else None


async def state(account: Account) -> dict[str, object]:
    """Everything that there is to see."""
    seen: dict[str, object] = {}
    for each in await account.mailboxes():
        rows = await fetched(account, each.id, EVERYTHING, Column.FLAGS, Column.MODSEQ, Column.SIZE, Column.ENVELOPE)
        words = await flags_of(account, each.id)
        seen[each.name] = (each, rows, words, (await account.select(each.name, claim_recent=False)).uids)
    return seen


@pytest.mark.parametrize("seed", range(3))
async def test_writers_on_all_nodes(new_database: NewDatabase, seed: int) -> None:
    dsn = new_database()
    async with nodes(dsn, NODES) as accounts:
        inbox = (await accounts[0].mailbox("INBOX")).id
        archive = (await accounts[0].mailbox("Archive")).id
        await accounts[0].append(inbox, [incoming() for _ in range(20)])
        devices = [Device(accounts[at % NODES], inbox, archive, 100 * seed + at) for at in range(DEVICES)]

        async def work(device: Device) -> None:
            for _ in range(STEPS):
                await device.step()

        await asyncio.gather(*map(work, devices))
        taken = [modseq for device in devices for modseq in device.modseqs]
        assert len(set(taken)) == len(taken), "each change has a modseq of its own"
        states = [await state(account) for account in accounts]
        async with nodes(dsn, 1) as (fresh,):
            states.append(await state(fresh))
        assert all(each == states[0] for each in states)
        for mailbox, rows, words, there in states[0].values():
            assert [row[0] for row in rows] == list(there)
            assert mailbox.messages == len(rows)
            assert mailbox.size == sum(row[3] for row in rows)
            assert mailbox.unseen == sum("\\Seen" not in flags for flags in words.values())
            assert mailbox.deleted == sum("\\Deleted" in flags for flags in words.values())
            assert mailbox.highestmodseq >= max([row[2] for row in rows], default=0)


async def test_a_client_that_follows_the_changes_sees_what_is_there(new_database: NewDatabase) -> None:
    async with nodes(new_database(), 2) as (writer, reader):
        inbox = (await writer.mailbox("INBOX")).id
        archive = (await writer.mailbox("Archive")).id
        device = Device(writer, inbox, archive, 7)
        there: dict[int, int] = {}
        since, uidnext = ModSeq(0), Uid(1)
        for _ in range(40):
            await device.step()
            told = await reader.changes(inbox, since=since, expunged_since=since, uidnext=uidnext, claim_recent=False)
            assert told.flags is not None
            for uid in told.expunged:
                there.pop(uid, None)
            there |= dict(await fetched(reader, inbox, told.arrived, Column.FLAGS))
            there |= {uid: word for uid, word, _ in told.flags}
            since, uidnext = told.modseq, told.uidnext
            assert sorted(there.items()) == await fetched(reader, inbox, EVERYTHING, Column.FLAGS)


async def test_a_long_tail_is_folded_and_nobody_sees_it(new_database: NewDatabase) -> None:
    dsn = new_database()
    async with nodes(dsn, 2) as (one, other):
        inbox = (await one.mailbox("INBOX")).id
        await one.append(inbox, [incoming("\\Seen") for _ in range(MANY)])
        before = await fetched(other, inbox, EVERYTHING, Column.FLAGS, Column.MODSEQ, Column.INTERNALDATE)
        modseq = await other.modseq(inbox)
    with psycopg.connect(dsn) as connection:  # the nodes have ended, so the fold is done
        assert connection.execute("SELECT count(*) FROM tail").fetchone() == (0,)
        assert connection.execute("SELECT tail FROM mailboxes WHERE name = 'INBOX'").fetchone() == (0,)
        assert connection.execute("SELECT count(*), max(modseq) FROM flags").fetchone() == (3, modseq)
    async with nodes(dsn, 1) as (fresh,):
        assert await fresh.modseq(inbox) == modseq
        assert await fetched(fresh, inbox, EVERYTHING, Column.FLAGS, Column.MODSEQ, Column.INTERNALDATE) == before


async def test_a_change_on_what_another_node_has_folded_is_right(new_database: NewDatabase) -> None:
    dsn = new_database()
    async with nodes(dsn, 2) as (one, other):
        inbox = (await one.mailbox("INBOX")).id
        await one.append(inbox, [incoming() for _ in range(MANY - 100)])
        assert len(await fetched(other, inbox, EVERYTHING, Column.FLAGS)) == MANY - 100  # it knows them in the tail
        await one.append(inbox, [incoming() for _ in range(100)])
    async with nodes(dsn, 2) as (one, other):
        stored = await other.store_flags(inbox, uids(1, 300, MANY), FlagChange.ADD, frozenset({"\\Seen"}))
        assert stored.changed == uids(1, 300, MANY)
        assert len([uid for uid, flags in (await flags_of(one, inbox)).items() if "\\Seen" in flags]) == 3


async def test_a_message_that_just_arrived_is_among_those_of_a_store(new_database: NewDatabase) -> None:
    async with nodes(new_database(), 2) as (one, other):
        inbox = (await one.mailbox("INBOX")).id
        await one.append(inbox, [incoming()])
        await other.store_flags(inbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Seen"}))  # now it knows the mailbox
        await one.append(inbox, [incoming()])
        stored = await other.store_flags(inbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Flagged"}))
        assert stored.changed == uids(1, 2)
        await one.append(inbox, [incoming("\\Deleted")])
        assert (await other.expunge(inbox, None)).uids == uids(3)


async def test_many_writers_of_one_message_all_get_through(new_database: NewDatabase) -> None:
    """More than the tries on what a node knows: the last way is to hold the account while it looks."""
    async with nodes(new_database(), NODES) as accounts:
        inbox = (await accounts[0].mailbox("INBOX")).id
        await accounts[0].append(inbox, [incoming()])
        names = [f"k{number}" for number in range(24)]
        stored = await asyncio.gather(
            *(
                accounts[at % NODES].store_flags(inbox, uids(1), FlagChange.ADD, frozenset({name}))
                for at, name in enumerate(names)
            )
        )
        assert all(each.changed for each in stored)
        assert await flags_of(accounts[1], inbox) == {1: set(names)}


async def test_keywords_of_a_change_that_was_refused_name_something(
    new_database: NewDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words of other messages have them afterwards, on nodes that have not seen the refusal, too."""
    monkeypatch.setattr(writing, "TRIES", 0)  # the account is held at once
    dsn, limits = new_database(), replace(DEFAULT_LIMITS, keywords_per_mailbox=1)
    store = await open_store(dsn, {"a": dsn}, limits=limits)
    try:
        account = await store.account(await store.directory.add("linda", {}))
        full, free = (await account.mailbox("INBOX")).id, (await account.create("Work")).id
        await account.append(full, [incoming("first")])
        await account.append(free, [incoming()])
        with pytest.raises(Refused):
            await account.store_flags(full, uids(1), FlagChange.REPLACE, frozenset({"second"}))
        assert (await account.store_flags(free, uids(1), FlagChange.ADD, frozenset({"second"}))).changed
    finally:
        await store.close()
    async with nodes(dsn, 1) as (fresh,):
        assert await flags_of(fresh, free) == {1: {"second"}}
        assert await flags_of(fresh, full) == {1: {"first"}}


async def test_what_is_copied_while_it_goes_is_there_or_not(new_database: NewDatabase) -> None:
    async with nodes(new_database(), 2) as (one, other):
        inbox = (await one.mailbox("INBOX")).id
        await one.append(inbox, [incoming() for _ in range(30)])
        found = await asyncio.gather(
            one.remove(inbox, NumberSet.span(10, 20)),
            other.copy(inbox, NumberSet.span(1, 30), "Archive"),
            one.move(inbox, NumberSet.span(1, 5), "Trash"),
            return_exceptions=True,
        )
        assert not [each for each in found if isinstance(each, Exception) and not isinstance(each, Refused)]
        for name in ("INBOX", "Archive", "Trash"):
            mailbox = await other.mailbox(name)
            assert len(await fetched(other, mailbox.id, EVERYTHING, Column.RAW)) == mailbox.messages
