"""After a loss of power, no UID and no modseq that a client saw is used for something else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import apsw
import pytest

from mektup.store.rules.gaps import MODSEQ_GAP, UID_GAP
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.store import SqliteStore
from mektup.store.sqlite.tables import recovery
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import Uids
from tests.contract.mail import fill, incoming
from tests.store.sqlite.conftest import file_of
from tests.store.sqlite.power_loss import Power


@pytest.fixture
def power(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Power]:
    power = Power(data, monkeypatch)
    yield power
    power.close()


async def reopened_after(data: Path, life: str, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    monkeypatch.setattr(recovery, "boot", lambda: life)
    return await open_store(data)


async def linda(store: SqliteStore) -> SqliteAccount:
    found = await store.directory.find("linda") or await store.directory.add("linda", {})
    return await store.account(found)


async def flag(account: SqliteAccount) -> ModSeq:
    box = await account.mailbox("INBOX")
    stored = await account.store_flags(box.id, Uids.span(1, 3), FlagChange.ADD, frozenset({"\\Flagged"}))
    return stored.modseq


async def test_an_unclosed_file_gets_gaps_on_another_boot(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await linda(store)
    mailbox = await fill(account, 3)
    before = await account.mailbox("INBOX")
    assert await flag(account) > before.highestmodseq  # told to a client, but not on disk
    disk = power.disk()
    await store.close()
    power.restore(disk)

    store = await reopened_after(data, "another life", monkeypatch)
    account = await linda(store)
    after = await account.mailbox("INBOX")
    assert (after.uidnext, after.messages) == (before.uidnext + UID_GAP, 3)
    assert after.highestmodseq > before.highestmodseq + MODSEQ_GAP
    selection = await account.select("INBOX", claim_recent=False)
    assert selection.uids == Uids.span(1, 3)
    changes = await account.changes(
        mailbox,
        since=before.highestmodseq,
        expunged_since=before.highestmodseq,
        uidnext=before.uidnext,
        claim_recent=False,
    )
    assert changes.arrived == Uids()
    # a client may know flags that are lost, so every message counts as changed
    assert [(uid, modseq) for uid, _, modseq in changes.flags or ()] == [
        (uid, after.highestmodseq) for uid in (1, 2, 3)
    ]
    appended = await account.append(mailbox, [incoming()])
    assert appended.uids == Uids.span(3 + UID_GAP + 1, 3 + UID_GAP + 1)
    assert (await account.select("INBOX", claim_recent=False)).uids == Uids.span(1, 3) | appended.uids
    after = await account.mailbox("INBOX")
    await store.close()

    # Once in each boot of the machine.
    store = await open_store(data)
    assert await (await linda(store)).mailbox("INBOX") == after
    await store.close()


async def test_gaps_are_left_whoever_opens_the_file_first(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 3)
    told = await flag(account)
    disk = power.disk()
    await store.close()
    power.restore(disk)

    # the last program that closes a database removes its WAL
    backup_tool = apsw.Connection(str(file_of(data, account.id)), flags=apsw.SQLITE_OPEN_READWRITE)
    assert backup_tool.execute("PRAGMA integrity_check").get == "ok"
    backup_tool.close()
    assert not file_of(data, account.id).with_suffix(".db-wal").exists()
    store = await reopened_after(data, "another life", monkeypatch)
    assert (await (await linda(store)).mailbox("INBOX")).highestmodseq > told
    await store.close()


async def test_a_file_that_was_closed_has_lost_nothing(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 3)
    await flag(account)
    before = await account.mailbox("INBOX")
    await store.close()
    power.restore(power.disk())
    for life in ("another life", "a third"):  # the second one opened the file and changed nothing
        store = await reopened_after(data, life, monkeypatch)
        account = await linda(store)
        assert await account.mailbox("INBOX") == before
        await store.close()
        power.restore(power.disk())
    store = await reopened_after(data, "a fourth", monkeypatch)
    account = await linda(store)
    assert (await account.append(before.id, [incoming()])).modseq == ModSeq(before.highestmodseq + 1)
    await store.close()


async def test_a_file_that_rests_is_closed_well_and_its_next_change_takes_that_back(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 3)
    assert await account.database.release()
    resting = power.disk()
    told = await flag(account)
    changed = power.disk()
    await store.close()

    for disk, gap in ((resting, 0), (changed, MODSEQ_GAP)):
        power.restore(disk)
        store = await reopened_after(data, f"life after {gap}", monkeypatch)
        highest = (await (await linda(store)).mailbox("INBOX")).highestmodseq
        assert highest == told - 1 if not gap else highest > told + gap - 1
        await store.close()


async def test_the_first_change_after_a_proper_close_is_on_disk_before_anybody_sees_it(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    mailbox = await fill(await linda(store), 3)
    changes: list[Callable[[SqliteAccount], Awaitable[object]]] = [
        flag,
        lambda account: account.append(mailbox, [incoming()]),
        lambda account: account.create("New"),
    ]
    for number, change in enumerate(changes):
        account = await linda(store)
        path = file_of(data, account.id)
        await account.database.release()
        seen: list[int] = []
        disks: list[dict[Path, bytes]] = []

        def look(path: Path = path, seen: list[int] = seen, disks: list[dict[Path, bytes]] = disks) -> None:
            other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs="unix")
            seen.append(other.execute("SELECT modseq FROM account").get)
            disks.append(power.disk())
            other.close()

        power.at_sync = look
        await change(account)
        power.at_sync = lambda: None
        await store.close()
        end = power.disk()
        assert seen
        for modseq, disk in zip(seen, disks, strict=True):
            power.restore(disk)
            store = await reopened_after(data, f"life {number} after {modseq}", monkeypatch)
            again = await linda(store)
            assert await again.database.read(lambda cursor: cursor.execute("SELECT modseq FROM account").get) >= modseq
            await store.close()
        power.restore(end)
        store = await reopened_after(data, f"life {number}", monkeypatch)
    await store.close()


def seen_at_syncs(power: Power, path: Path) -> list[int]:
    """The modseqs that another process sees at each sync from now on."""
    seen: list[int] = []

    def look() -> None:
        other = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE, vfs="unix")
        seen.append(other.execute("SELECT modseq FROM account").get)
        other.close()

    power.at_sync = look
    return seen


async def test_a_renewal_is_on_disk_before_anybody_sees_it(data: Path, power: Power) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 3)
    seen = seen_at_syncs(power, file_of(data, account.id))
    await account.renew()
    power.at_sync = lambda: None
    assert seen
    assert max(seen) < 1000
    await store.close()


async def test_a_gap_is_on_disk_before_anybody_sees_it(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 3)
    path, disk = file_of(data, account.id), power.disk()
    await store.close()
    power.restore(disk)
    store = await reopened_after(data, "another life", monkeypatch)
    seen = seen_at_syncs(power, path)
    again = await linda(store)
    power.at_sync = lambda: None
    assert await again.database.read(lambda cursor: cursor.execute("SELECT modseq FROM account").get) > 1_000_000
    assert seen
    assert max(seen) < 1000
    await store.close()


async def test_a_process_that_closes_the_file_does_not_hide_changes_of_another(
    data: Path, power: Power, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = await open_store(data), await open_store(data)
    await fill(await linda(one), 3)
    ours, theirs = await linda(one), await linda(two)
    await flag(theirs)
    await one.close()
    closed = power.disk()
    box = await theirs.mailbox("INBOX")
    removed = await theirs.store_flags(box.id, Uids.span(1, 3), FlagChange.REMOVE, frozenset({"\\Flagged"}))
    disk = power.disk()
    await two.close()

    power.restore(closed)  # the mark was written; it may be on disk or not, and both are harmless
    store = await reopened_after(data, "one life", monkeypatch)
    assert (await (await linda(store)).mailbox("INBOX")).highestmodseq >= box.highestmodseq
    await store.close()
    power.restore(disk)
    store = await reopened_after(data, "another life", monkeypatch)
    assert (await (await linda(store)).mailbox("INBOX")).highestmodseq > removed.modseq
    await store.close()
    assert ours.database.has_ended


async def test_the_same_boot_leaves_no_gap(data: Path, power: Power) -> None:
    store = await open_store(data)
    account = await linda(store)
    await fill(account, 3)
    await flag(account)
    before = await account.mailbox("INBOX")
    killed = {path: path.read_bytes() for path in data.rglob("*.db*") if not path.name.endswith("-shm")}
    await store.close()
    power.restore(killed)  # as a killed process leaves it: everything that was written exists
    store = await open_store(data)
    assert await (await linda(store)).mailbox("INBOX") == before
    await store.close()


async def test_the_first_change_after_a_proper_close_takes_one_sync(data: Path, power: Power) -> None:
    store = await open_store(data)
    account = await linda(store)
    mailbox = await fill(account, 3)
    await account.database.release()
    await account.mailbox("INBOX")
    for expected in (2, 1, 1):  # a new WAL has a header, which SQLite syncs by itself
        power.syncs.clear()
        await account.append(mailbox, [incoming()])
        assert power.syncs == [f"{account.id}.db-wal"] * expected
    power.syncs.clear()
    await flag(account)
    assert power.syncs == []
    await store.close()


def test_a_boot_has_a_name_that_stays() -> None:
    assert recovery.boot()
    assert recovery.boot() == recovery.boot()
