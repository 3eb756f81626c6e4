"""The runs of touched messages are right after any changes, and stay few."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import changed_runs, messages
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.sets import Uids
from tests.contract.mail import EVERYTHING, fill, incoming, uids
from tests.contract.test_model import StoreMachine
from tests.store.sqlite.conftest import file_of, make_older, shape_of

ADD, REMOVE = FlagChange.ADD, FlagChange.REMOVE
FLAGGED = frozenset({"\\Flagged"})

Runs = list[tuple[int, int, int]]
"""Modseq, first and last UID."""


def runs_of(cursor: Cursor, mailbox: MailboxId) -> Runs:
    return cursor.execute("SELECT modseq, first, last FROM touched WHERE mailbox = ?", (mailbox,)).fetchall()


def check(cursor: Cursor) -> None:
    """Each message is in a run of its modseq, and in no later run; the number of runs is right."""
    boxes = cursor.execute("SELECT id, runs FROM mailboxes").fetchall()
    assert {row[0] for row in cursor.execute("SELECT mailbox FROM touched").fetchall()} <= {box for box, _ in boxes}
    for box, count in boxes:
        runs = runs_of(cursor, box)
        assert count == len(runs)
        for uid, modseq in cursor.execute("SELECT uid, modseq FROM messages WHERE mailbox = ?", (box,)).fetchall():
            assert max(of for of, first, last in runs if first <= uid <= last) == modseq


class RunsMachine(StoreMachine):
    """The machine of the contract tests, with a check of the runs after each step."""

    engine = "sqlite in memory"
    new_place = staticmethod(lambda: "")

    @invariant()
    def runs_hold(self) -> None:
        if hasattr(self, "store"):
            assert isinstance(self.account, SqliteAccount)
            self.account.database.read_now(check)


@pytest.mark.parametrize(("spare", "few"), [(-20, 64), (5, 2)])
def test_each_message_stands_in_a_run_of_its_modseq(monkeypatch: pytest.MonkeyPatch, spare: int, few: int) -> None:
    monkeypatch.setattr(changed_runs, "SPARE_RUNS", spare)
    monkeypatch.setattr(messages, "FEW_SHOWN", few)
    monkeypatch.setattr(messages, "LONG_RUN", 4)
    monkeypatch.setattr(messages, "LISTED_UIDS", 2)
    monkeypatch.setattr(messages, "CASES", 2)
    run_state_machine_as_test(
        RunsMachine,
        settings=settings(
            max_examples=15, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.fixture
async def account(store: SqliteStore) -> SqliteAccount:
    return await store.account(await store.directory.add("linda", {}))


async def toggle(account: SqliteAccount, mailbox: MailboxId, times: range) -> None:
    for number in times:
        await account.store_flags(mailbox, uids(1 + number % 7), (ADD, REMOVE)[number // 7 % 2], FLAGGED)


async def upkeep(account: SqliteAccount) -> None:
    """Waits for the follow-up work of a change."""
    while account.database._upkeep is not None:
        await asyncio.wait((account.database._upkeep,))


async def test_flags_that_go_to_and_fro_leave_few_runs(account: SqliteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_runs, "SPARE_RUNS", 20)
    mailbox = await fill(account, 10)
    before = await account.modseq(mailbox)
    await toggle(account, mailbox, range(39))
    assert len(account.database.read_now(lambda cursor: runs_of(cursor, mailbox))) == 40
    for start in range(39, 200, 7):
        await toggle(account, mailbox, range(start, start + 7))
        await upkeep(account)
        account.database.read_now(check)
        assert len(account.database.read_now(lambda cursor: runs_of(cursor, mailbox))) <= 40
        assert (await account.touched(mailbox, before)).changed == Uids.span(1, 7)
    assert await account.modseq(mailbox) >= before + 200


async def test_messages_that_go_take_their_runs_along(account: SqliteAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_runs, "SPARE_RUNS", 0)
    mailbox = await fill(account, 1)
    for _ in range(9):
        await account.append(mailbox, [incoming()])
    await account.remove(mailbox, Uids.span(2, 9))
    await upkeep(account)
    runs = account.database.read_now(lambda cursor: runs_of(cursor, mailbox))
    assert [(first, last) for _, first, last in runs] == [(1, 1), (10, 10)]


async def test_upkeep_fires_no_watch_and_takes_no_modseq(
    account: SqliteAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = await fill(account, 10)
    monkeypatch.setattr(changed_runs, "SPARE_RUNS", -20)
    await account.store_flags(mailbox, uids(1), ADD, FLAGGED)
    with_runs, watch = await account.modseq(mailbox), account.watch(mailbox)
    await upkeep(account)
    assert (watch.fired, await account.modseq(mailbox)) == (False, with_runs)
    watch.close()


async def test_a_store_can_close_before_its_upkeep(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changed_runs, "SPARE_RUNS", -20)
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 2)
    await store.close()
    store = await open_store(data)
    account = await store.account((await store.directory.entries("", 1))[0])
    account.database.read_now(check)
    assert (await account.touched(mailbox, ModSeq(0))).changed == Uids.span(1, 2)
    await store.close()


async def test_an_older_file_gets_runs(data: Path) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    account = await store.account(entry)
    mailbox = await fill(account, 20)
    states = [await account.modseq(mailbox)]
    for wanted in (uids(1, 2, 3, 7), uids(7, 8, 20), EVERYTHING, uids(4, 5)):
        change = REMOVE if wanted is EVERYTHING else ADD
        await account.store_flags(mailbox, wanted, change, FLAGGED)
        states.append(await account.modseq(mailbox))
    await account.remove(mailbox, uids(2, 5))
    await account.copy(mailbox, uids(1, 8), "Sent")
    found = [await account.touched(mailbox, state) for state in states]
    await store.close()
    path = file_of(data, entry.id)
    today = shape_of(path)
    make_older(path, 2)
    assert shape_of(path) != today

    store = await open_store(data)
    account = await store.account(entry)
    account.database.read_now(check)
    assert [await account.touched(mailbox, state) for state in states] == found
    await store.close()
    assert path.with_name(f"{path.name}.v2").exists()
    assert shape_of(path) == today
