"""After a loss of power no UID and no modseq is given twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mektup.store.sqlite import open_store, recovery
from mektup.store.sqlite.recovery import MODSEQ_GAP, UID_GAP
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import Uids
from tests.contract.mail import fill, incoming


async def reopened_after(data: Path, life: str, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    monkeypatch.setattr(recovery, "boot", lambda: life)
    return await open_store(data)


async def test_an_unclosed_file_gets_gaps_on_another_boot(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    account = await store.account(entry.id)
    mailbox = await fill(account, 3)
    before = await account.mailbox("INBOX")
    shutil.copytree(data, tmp_path / "lost")  # as a disk might hold it: the WAL is there still
    await store.close()

    store = await reopened_after(tmp_path / "lost", "another life", monkeypatch)
    account = await store.account(entry.id)
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
    # a client may hold flags that are lost: all are news
    assert [(uid, modseq) for uid, _, modseq in changes.flags] == [(uid, after.highestmodseq) for uid in (1, 2, 3)]
    appended = await account.append(mailbox, [incoming()])
    assert appended.uids == Uids.span(3 + UID_GAP + 1, 3 + UID_GAP + 1)
    assert (await account.select("INBOX", claim_recent=False)).uids == Uids.span(1, 3) | appended.uids
    await store.close()

    # Once in a life of the machine.
    store = await open_store(tmp_path / "lost")
    account = await store.account(entry.id)
    assert (await account.mailbox("INBOX")).uidnext == Uid(before.uidnext + UID_GAP + 1)
    await store.close()


async def test_a_file_that_was_closed_has_lost_nothing(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    await fill(await store.account(entry.id), 3)
    before = await (await store.account(entry.id)).mailbox("INBOX")
    await store.close()
    store = await reopened_after(data, "another life", monkeypatch)
    account = await store.account(entry.id)
    assert await account.mailbox("INBOX") == before
    assert (await account.append(before.id, [incoming()])).modseq == ModSeq(before.highestmodseq + 1)
    await store.close()


async def test_the_same_boot_leaves_no_gap(data: Path, tmp_path: Path) -> None:
    store = await open_store(data)
    entry = await store.directory.add("linda", {})
    await fill(await store.account(entry.id), 3)
    before = await (await store.account(entry.id)).mailbox("INBOX")
    shutil.copytree(data, tmp_path / "killed")  # as a killed process leaves it
    await store.close()
    store = await open_store(tmp_path / "killed")
    assert await (await store.account(entry.id)).mailbox("INBOX") == before
    await store.close()


def test_a_boot_has_a_name_that_stays() -> None:
    assert recovery.boot()
    assert recovery.boot() == recovery.boot()
