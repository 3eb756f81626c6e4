"""Many devices of three nodes change one mailbox without pause: nothing is lost, doubled or counted wrong.

The acknowledged changes are put in the order of their modseqs and carried out on a mailbox of dictionaries. That, and
nothing else, is what every node and a reader who comes later must see.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mektup.server.bus import Bus
from mektup.store.columns import Column
from mektup.store.interface import Account, AccountEntry, Store
from mektup.store.postgres import open_store
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, ModSeq, Uid
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, fetched, fill, inbox, incoming
from tests.support.postgres import NewDatabase

NODES = 3
DEVICES = 4
"""On each node."""
CHANGES = 25
"""Of each device."""
FLAGS = ("\\Seen", "\\Flagged", "\\Deleted", "urgent", "later")


@dataclass(slots=True)
class Mail:
    """A mailbox as the changes make it: of each UID, its flags and the modseq of its last change."""

    flags: dict[Uid, frozenset[str]] = field(default_factory=dict)
    modseqs: dict[Uid, ModSeq] = field(default_factory=dict)

    def add(self, uid: Uid, flags: frozenset[str], modseq: ModSeq) -> None:
        assert uid not in self.flags
        self.flags[uid], self.modseqs[uid] = flags, modseq

    def change(self, uid: Uid, change: FlagChange, flags: frozenset[str], modseq: ModSeq) -> None:
        before = self.flags[uid]
        after = {
            FlagChange.ADD: before | flags,
            FlagChange.REMOVE: before - flags,
            FlagChange.REPLACE: flags,
        }[change]
        assert after != before, "a message that stays as it is keeps its modseq"
        self.flags[uid], self.modseqs[uid] = after, modseq

    def expunge(self, uid: Uid) -> None:
        assert "\\Deleted" in self.flags[uid]
        del self.flags[uid], self.modseqs[uid]


@dataclass(frozen=True, slots=True)
class Added:
    uids: Uids
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stored:
    uids: Uids
    change: FlagChange
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class Removed:
    uids: Uids


Log = list[tuple[ModSeq, Added | Stored | Removed]]


@pytest.fixture
async def stores(new_database: NewDatabase, tmp_path: Path) -> AsyncIterator[list[Store]]:
    """Three stores on one database, which hear of each other, and a fourth that hears of nothing."""
    database = new_database()
    async with AsyncExitStack() as ending:
        made: list[Store] = []
        for number in range(NODES + 1):
            bus = Bus(tmp_path) if number < NODES else None
            store = await open_store(database, {"a": database}, bus=bus)
            ending.push_async_callback(store.close)
            if bus is not None:
                bus.start(store.changed_elsewhere, store.missed_notices)
                ending.callback(bus.close)
            made.append(store)
        yield made


async def device(account: Account, mailbox: MailboxId, chance: random.Random, log: Log) -> None:
    """Changes the mailbox, on what it knows, and logs what was acknowledged."""
    for _ in range(CHANGES):
        kind = chance.choice(("append", "expunge", "store", "store", "store", "store"))
        some = Uids.of(Uid(chance.randrange(1, 60)) for _ in range(chance.choice((1, 3, 30))))
        flags = frozenset(chance.sample(FLAGS, chance.randrange(1, 3)))
        if kind == "append":
            appended = await account.append(mailbox, [incoming(*flags) for _ in range(chance.randrange(1, 3))])
            log.append((appended.modseq, Added(appended.uids, flags)))
        elif kind == "expunge":
            expunged = await account.expunge(mailbox, some)
            if expunged.uids:
                log.append((expunged.modseq, Removed(expunged.uids)))
        else:
            change = chance.choice(list(FlagChange))
            stored = await account.store_flags(mailbox, some, change, flags)
            if stored.changed:
                log.append((stored.modseq, Stored(stored.changed, change, flags)))


def replayed(mail: Mail, log: Log) -> None:
    for modseq, change in sorted(log, key=lambda entry: entry[0]):
        for uid in change.uids:
            match change:
                case Added(_, flags):
                    mail.add(uid, flags, modseq)
                case Stored(_, how, flags):
                    mail.change(uid, how, flags, modseq)
                case Removed():
                    mail.expunge(uid)


async def state(account: Account, mailbox: MailboxId) -> Mail:
    rows = await fetched(account, mailbox, EVERYTHING, Column.FLAGS, Column.MODSEQ)
    return Mail(
        {uid: frozenset(account.flag_names(word)) for uid, word, _ in rows},
        {uid: ModSeq(modseq) for uid, _, modseq in rows},
    )


@pytest.mark.parametrize("seed", range(3))
async def test_the_state_is_what_was_acknowledged(stores: list[Store], seed: int) -> None:
    entry: AccountEntry = await stores[0].directory.add("linda", {})
    accounts = [await store.account(entry) for store in stores[:NODES]]
    mailbox = await fill(accounts[0], 40)
    mail, log = await state(accounts[0], mailbox), Log()
    chance = random.Random(seed)
    await asyncio.gather(
        *(device(account, mailbox, random.Random(chance.random()), log) for account in accounts for _ in range(DEVICES))
    )
    modseqs = [modseq for modseq, _ in log]
    assert len(set(modseqs)) == len(modseqs)
    replayed(mail, log)
    for store in stores:
        account = await store.account(entry)
        assert await inbox(account) == mailbox
        assert await state(account, mailbox) == mail
        counted = await account.mailbox("INBOX")
        assert counted.messages == len(mail.flags)
        assert counted.unseen == sum("\\Seen" not in flags for flags in mail.flags.values())
        assert counted.deleted == sum("\\Deleted" in flags for flags in mail.flags.values())
        assert counted.highestmodseq == max(modseqs)
