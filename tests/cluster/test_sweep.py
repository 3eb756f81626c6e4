"""A sweep finds what no notice told of, on a real shard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import psycopg
import pytest

from mektup.store.postgres import sweep as sweep_module
from mektup.store.postgres.parts import SHARD
from mektup.store.postgres.shard import Shard
from mektup.store.postgres.sweep import Sweep
from mektup.store.watch import WatchHub
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from tests.support.postgres import NewDatabase

ONE, TWO = MailboxId(1), MailboxId(2)


def account(number: int) -> AccountId:
    return AccountId(UUID(int=number).hex)


LINDA, FRED = account(1), account(2)


class Mail:
    """A shard with accounts that have two mailboxes, and what a process watches of it."""

    def __init__(self, dsn: str, shard: Shard) -> None:
        self.dsn = dsn
        self.shard = shard
        self.hub = WatchHub()
        self.sweep = Sweep(self.hub, lambda account: shard)

    def run(self, statement: str, *values: object) -> None:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            connection.execute(statement.encode(), values)

    def add(self, *accounts: AccountId) -> None:
        self.run("INSERT INTO accounts (account, name, modseq) SELECT a, '', 5 FROM unnest(%s::uuid[]) a", [*accounts])
        self.run(
            """
            INSERT INTO mailboxes (account, id, name, uidvalidity, highestmodseq, mailboxid)
            SELECT a, m, m::text, 1, 3, m::text FROM unnest(%s::uuid[]) a, generate_series(1, 2) m
            """,
            [*accounts],
        )

    def change(self, account: AccountId, mailbox: MailboxId, modseq: int) -> None:
        self.run("UPDATE accounts SET modseq = %s WHERE account = %s", modseq, account)
        self.run("UPDATE mailboxes SET highestmodseq = %s WHERE account = %s AND id = %s", modseq, account, mailbox)


@pytest.fixture
async def mail(new_database: NewDatabase) -> AsyncIterator[Mail]:
    dsn = new_database()
    shard = Shard("a", dsn)
    await shard.open(SHARD)
    found = Mail(dsn, shard)
    found.add(LINDA, FRED)
    yield found
    await found.sweep.close()
    await shard.close()


async def test_only_what_changed_wakes_its_waiters(mail: Mail) -> None:
    changed, beside, other = mail.hub.watch(LINDA, ONE), mail.hub.watch(LINDA, TWO), mail.hub.watch(FRED, ONE)
    for each in (changed, beside, other):
        each.knows(ModSeq(3))
    assert await mail.sweep.sweep()
    assert not changed.fired
    assert not beside.fired
    assert not other.fired
    mail.change(LINDA, ONE, 6)
    await mail.sweep.sweep()
    assert changed.fired
    assert not beside.fired
    assert not other.fired
    changed.rearm()
    changed.knows(ModSeq(6))
    await mail.sweep.sweep()
    assert not changed.fired


async def test_a_change_before_the_first_sweep_is_found(mail: Mail) -> None:
    watch = mail.hub.watch(LINDA, ONE)
    watch.knows(ModSeq(3))
    mail.change(LINDA, ONE, 6)
    await mail.sweep.sweep()
    assert watch.fired


async def test_a_notice_does_not_hide_an_older_change(mail: Mail) -> None:
    """The notice of modseq 7 came; the one of 6, in another mailbox, did not."""
    one, two = mail.hub.watch(LINDA, ONE), mail.hub.watch(LINDA, TWO)
    for each in (one, two):
        each.knows(ModSeq(3))
    await mail.sweep.sweep()
    mail.change(LINDA, ONE, 6)
    mail.change(LINDA, TWO, 7)
    mail.hub.changed(LINDA, TWO, ModSeq(7))
    two.knows(ModSeq(7))
    await mail.sweep.sweep()
    assert one.fired
    assert not two.fired


async def test_a_change_of_the_account_wakes_who_watches_all_of_it(mail: Mail) -> None:
    everything, one = mail.hub.watch_account(LINDA), mail.hub.watch(LINDA, ONE)
    one.knows(ModSeq(3))
    await mail.sweep.sweep()
    everything.take()
    await mail.sweep.sweep()
    assert not everything.fired
    mail.run("UPDATE accounts SET modseq = 6 WHERE account = %s", LINDA)
    await mail.sweep.sweep()
    assert everything.fired
    assert everything.take() is None, "it may be any mailbox"
    assert not one.fired


async def test_who_waits_for_a_deleted_mailbox_wakes(mail: Mail) -> None:
    watch = mail.hub.watch(LINDA, ONE)
    watch.knows(ModSeq(3))
    await mail.sweep.sweep()
    mail.run("DELETE FROM mailboxes WHERE id = 1")
    mail.run("UPDATE accounts SET modseq = 6")
    await mail.sweep.sweep()
    assert watch.fired


@pytest.mark.parametrize(
    "gone", ["UPDATE accounts SET state = 2", "WITH gone AS (DELETE FROM mailboxes) DELETE FROM accounts"]
)
async def test_who_waits_for_an_account_that_is_gone_or_elsewhere_wakes_once(mail: Mail, gone: str) -> None:
    watch, everything = mail.hub.watch(LINDA, ONE), mail.hub.watch_account(LINDA)
    watch.knows(ModSeq(3))
    await mail.sweep.sweep()
    everything.rearm()
    mail.run(gone)
    await mail.sweep.sweep()
    assert watch.fired
    assert everything.fired
    watch.rearm()
    everything.rearm()
    await mail.sweep.sweep()
    assert not watch.fired
    assert not everything.fired


async def test_more_accounts_than_a_question_has_are_all_found(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "ACCOUNTS_PER_QUESTION", 7)
    monkeypatch.setattr(sweep_module, "GROUPED_AT_ONCE", 10)
    many = [account(number) for number in range(100, 150)]
    mail.add(*many)
    watches = [mail.hub.watch(each, ONE) for each in many]
    for watch in watches:
        watch.knows(ModSeq(3))
    await mail.sweep.sweep()
    for each in many[::2]:
        mail.change(each, ONE, 6)
    await mail.sweep.sweep()
    assert [watch.fired for watch in watches] == [True, False] * 25


async def test_a_shard_that_is_down_does_not_hide_the_others(mail: Mail) -> None:
    down = Shard("down", "host=127.0.0.1 port=9", patience=0.1)
    await down._pool.open()
    sweep = Sweep(mail.hub, {LINDA: mail.shard, FRED: down}.get)
    watch, unknown = mail.hub.watch(LINDA, ONE), mail.hub.watch(FRED, ONE)
    mail.change(LINDA, ONE, 6)
    assert not await sweep.sweep()
    assert watch.fired
    assert not unknown.fired
    await down.close()


async def test_an_account_that_is_closed_is_left_out(mail: Mail) -> None:
    sweep = Sweep(mail.hub, lambda account: None)
    watch = mail.hub.watch(LINDA, ONE)
    assert await sweep.sweep()
    assert not watch.fired


async def test_it_sweeps_at_once_where_notices_were_missed(mail: Mail) -> None:
    watch, woken = mail.hub.watch(LINDA, ONE), asyncio.Event()
    watch.knows(ModSeq(3))
    watch.on_fire = woken.set
    mail.change(LINDA, ONE, 6)
    mail.sweep.start()
    mail.sweep.soon()
    async with asyncio.timeout(20):
        await woken.wait()


async def test_it_sweeps_by_itself(mail: Mail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_module, "SWEEP_SECONDS", 0.01)
    monkeypatch.setattr(sweep_module, "LEAST_SECONDS", 0.0)
    watch, woken = mail.hub.watch(LINDA, ONE), asyncio.Event()
    watch.knows(ModSeq(3))
    watch.on_fire = woken.set
    mail.sweep.start()
    mail.change(LINDA, ONE, 6)
    async with asyncio.timeout(20):
        await woken.wait()
