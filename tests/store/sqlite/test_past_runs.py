"""The history of flags stays when the runs of changes are rebuilt, and ends when it is too old or too long."""

from __future__ import annotations

import asyncio
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.store.sqlite import Reserve, check_all, open_store
from mektup.store.sqlite.pasts import Pasts
from mektup.store.sqlite.tables import changed_runs, past, retained
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import DEFAULT_LIMITS, Limits
from tests.contract.mail import EVERYTHING, fill, flags_of, uids
from tests.contract.test_past import moments, observed, operations, travelled
from tests.contract.test_retention import Clock
from tests.store.sqlite.conftest import file_of, make_older
from tests.store.sqlite.test_checking import Quiet

FLAGGED = frozenset({"\\Flagged"})


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(moments, operations), max_size=25))
def test_the_state_at_any_moment_stays_when_runs_are_rebuilt(steps: list[tuple[int, Any]]) -> None:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setattr(changed_runs, "are_many", lambda runs, messages: True)
        asyncio.run(travelled(lambda clock: open_store(Path(directory) / "data", clock=clock), steps))


async def test_what_is_too_old_is_removed_in_steps(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retained, "FORGOTTEN_AT_ONCE", 2)
    monkeypatch.setattr(past, "FORGOTTEN_AT_ONCE", 2)
    clock = Clock()
    store = await open_store(data, clock=clock, limits=Limits(expunged_seconds=100))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 7)
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, FLAGGED)
    await account.database.write(lambda change: changed_runs.rebuild(change.cursor, mailbox))
    await account.create("Work")
    await account.rename("Work", "Old")
    await account.remove(mailbox, uids(1, 2, 3))
    await account.retention.restore(uids(1))
    clock.now += 50
    await account.remove(mailbox, uids(4))
    clock.now += 51
    await account.indexer.tidy()
    assert (await account.retention.kept()).messages == 1
    for table in ("past_flags", "past_names", "late_arrivals", "past_sets"):
        assert (
            await account.database.read(lambda cursor, table=table: cursor.execute(f"SELECT 1 FROM {table}").get)
            is None
        )
    clock.now += 50
    await account.indexer.tidy()
    assert (await account.retention.kept()).messages == 0
    count = "SELECT count(*) FROM contents"
    assert await account.database.read(lambda cursor: cursor.execute(count).get) == 4
    await store.close()


async def test_more_than_the_limit_is_not_kept_and_the_history_begins_later(data: Path) -> None:
    clock = Clock()
    store = await open_store(data, clock=clock, limits=Limits(expunged_bytes=2000))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 20)
    begun = clock.now
    for uid in range(1, 11):
        clock.now += 10
        await account.remove(mailbox, uids(uid))
    clock.now += 10
    await account.at(begun)
    await account.indexer.tidy()
    kept = [each.uid async for some in account.retention.messages() for each in some]
    assert 1 < len(kept) < 8
    assert kept == list(range(11 - len(kept), 11))
    with pytest.raises(Refused):
        await account.at(begun)
    earliest = await observed(await account.at(begun + 10 * (10 - len(kept))))
    assert [row[0] for row in earliest["INBOX"][3]] == list(range(11 - len(kept), 21))
    await store.close()


async def test_a_history_of_flags_that_is_too_long_begins_later(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(past, "MOST_RUNS", 4)
    clock = Clock()
    store = await open_store(data, clock=clock)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 2)
    states = {}
    for step in range(10):
        clock.now += 1
        await account.store_flags(mailbox, EVERYTHING, (FlagChange.ADD, FlagChange.REMOVE)[step % 2], FLAGGED)
        states[clock.now] = await observed(account)
        await account.database.write(lambda change: changed_runs.rebuild(change.cursor, mailbox))
    await account.indexer.tidy()
    known = []
    for moment, state in states.items():
        clock.now = moment + 1
        try:
            account_then = await account.at(moment)
        except Refused:
            continue
        assert await observed(account_then) == state
        known.append(moment)
    assert known == list(states)[-5:]
    await store.close()


async def test_a_store_of_many_messages_writes_no_run_more_for_its_history(data: Path) -> None:
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 200)
    await account.store_flags(mailbox, EVERYTHING, FlagChange.ADD, frozenset({"\\Seen"}))
    asked = "SELECT count(*) FROM touched WHERE mailbox = ? AND flipped <> 0"
    assert await account.database.read(lambda cursor: cursor.execute(asked, (mailbox,)).get) == 1
    assert await account.database.read(lambda cursor: cursor.execute("SELECT count(*) FROM past_flags").get) == 0
    await store.close()


async def test_what_is_forgotten_goes_from_where_it_was_moved(data: Path) -> None:
    clock = Clock()
    store = await open_store(data, clock=clock)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    begun = clock.now
    clock.now += 10
    await account.move(mailbox, uids(1, 2), "Archive")
    clock.now += 10
    await account.remove((await account.mailbox("Archive")).id, uids(1))
    clock.now += 10
    assert (await (await account.at(begun + 1)).mailbox("INBOX")).messages == 3
    assert await account.retention.forget(EVERYTHING) == 1
    assert (await (await account.at(begun + 2)).mailbox("INBOX")).messages == 2
    await store.close()
    (report,) = check_all(data, ("linda",), DEFAULT_LIMITS, Quiet())
    assert report.findings == ()


async def test_a_take_back_and_a_retention_of_zero_leave_nothing(data: Path) -> None:
    store = await open_store(data, limits=Limits(expunged_seconds=0))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    await account.remove(mailbox, uids(1))
    await account.indexer.tidy()
    with pytest.raises(Refused):
        await account.at(0)
    rows = partial(lambda cursor: cursor.execute("SELECT count(*), (SELECT retained FROM account) FROM retained").get)
    assert await account.database.read(rows) == (0, 0)
    await store.close()


async def test_an_older_own_mailbox_leaves_the_namespace_of_the_past(data: Path) -> None:
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {}))
    await account.create("Mine/Old")
    path = file_of(data, account.id)
    await store.close()
    make_older(path, 12)
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.execute("UPDATE mailboxes SET name = replace(name, 'Mine', 'Undelete')")
    connection.close()
    store = await open_store(data)
    entry = await store.directory.find("linda")
    assert entry is not None
    account = await store.account(entry)
    assert [each.name for each in await account.mailboxes()][-2:] == ["Undelete 2", "Undelete 2/Old"]
    with pytest.raises(Refused):
        await account.at(int(time.time()) - 60)
    await store.close()


async def test_what_is_open_of_the_past_is_closed_and_opened_again(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    store = await open_store(data, clock=clock)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    clock.now += 1
    await account.remove(mailbox, uids(2))
    clock.now += 1
    past_account = await account.at(clock.now - 2)
    then = await past_account.mailbox("INBOX")
    assert account.database.in_flight
    assert not await account.database.release()
    pasts = account.pasts
    assert isinstance(pasts, Pasts)
    with monkeypatch.context() as patch:
        patch.setattr("mektup.store.sqlite.pasts.IDLE_SECONDS", -1.0)
        pasts.close_idle()
    while account.database.in_flight:
        await asyncio.sleep(0)
    assert await account.database.release()
    assert await flags_of(past_account, then.id) == {1: set(), 2: set(), 3: set()}
    for seconds in range(10):
        clock.now += 1
        assert (await (await account.at(clock.now - 1)).mailbox("INBOX")).messages == 2, seconds
    await store.close()


async def test_a_full_disk_keeps_nothing(data: Path) -> None:
    class Full(Reserve):
        is_whole = property(lambda self: False)
        is_short = property(lambda self: True)

    clock = Clock()
    store = await open_store(data, clock=clock)
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 3)
    await account.remove(mailbox, uids(1))
    clock.now += 10
    store._reserve = account.database.reserve = Full(None)
    await account.remove(mailbox, uids(2))
    await account.indexer.tidy()
    assert (await account.retention.kept()).messages == 0
    clock.now += 10
    with pytest.raises(Refused):
        await account.at(clock.now - 20)
    assert (await (await account.at(clock.now - 10)).mailbox("INBOX")).messages == 1
    await store.close()
