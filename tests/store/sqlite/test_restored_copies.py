"""After an older copy was restored, no UID and no modseq is used again that a client may have seen."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mektup.store.interface import Mailbox
from mektup.store.rules.gaps import OLD_UID_GAP
from mektup.store.sqlite import open_store
from mektup.store.sqlite.account import SqliteAccount
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.sets import Uids
from tests.contract.mail import fill, incoming


async def linda(store: SqliteStore) -> SqliteAccount:
    found = await store.directory.find("linda") or await store.directory.add("linda", {})
    return await store.account(found)


async def boxes(data: Path) -> dict[str, Mailbox]:
    store = await open_store(data)
    found = {box.name: box for box in await (await linda(store)).mailboxes()}
    await store.close()
    return found


@pytest.fixture
async def backup(data: Path, tmp_path: Path) -> Path:
    """A copy of the data with three messages in INBOX; since then more messages arrived, and one was expunged."""
    store = await open_store(data)
    await fill(await linda(store), 3)
    await store.close()
    shutil.copytree(data, tmp_path / "backup")
    store = await open_store(data)
    account = await linda(store)
    inbox = await account.mailbox("INBOX")
    await account.append(inbox.id, [incoming(), incoming()])
    await account.remove(inbox.id, Uids.span(2, 2))
    await account.store_flags(inbox.id, Uids.span(1, 1), FlagChange.ADD, frozenset({"\\Flagged"}))
    await store.close()
    return tmp_path / "backup"


def over_the_file(data: Path, backup: Path) -> None:
    for path in backup.rglob("accounts/*/*.db"):
        shutil.copy2(path, data / path.relative_to(backup))


def in_the_files_place(data: Path, backup: Path) -> None:
    for path in backup.rglob("accounts/*/*.db"):
        (data / path.relative_to(backup)).unlink()
    over_the_file(data, backup)


@pytest.mark.parametrize("put_back", [over_the_file, in_the_files_place])
async def test_a_certainly_older_copy_gets_a_new_uidvalidity(
    data: Path, backup: Path, put_back: Callable[[Path, Path], None]
) -> None:
    newest = await boxes(data)
    put_back(data, backup)
    after = await boxes(data)
    assert after.keys() == newest.keys()
    for name, box in after.items():
        assert box.uidvalidity > max(each.uidvalidity for each in newest.values())
        assert box.highestmodseq > max(each.highestmodseq for each in newest.values())
        assert box.id not in {each.id for each in newest.values()}
        assert box.mailboxid != newest[name].mailboxid
    assert len({box.uidvalidity for box in after.values()}) == len(after)
    assert (after["INBOX"].messages, after["INBOX"].uidnext) == (3, 4)
    assert await boxes(data) == after  # only once


async def test_a_certainly_older_copy_has_all_its_messages(data: Path, backup: Path) -> None:
    over_the_file(data, backup)
    store = await open_store(data)
    account = await linda(store)
    inbox = await account.mailbox("INBOX")
    assert (await account.select("INBOX", claim_recent=False)).uids == Uids.span(1, 3)
    changes = await account.changes(inbox.id, since=0, expunged_since=0, uidnext=inbox.uidnext, claim_recent=False)
    assert [uid for uid, _, _ in changes.flags or ()] == [1, 2, 3]
    appended = await account.append(inbox.id, [incoming()])
    assert appended.uids == Uids.span(4, 4)
    assert (await account.create("New")).uidvalidity > inbox.uidvalidity
    await store.close()


async def test_a_directory_that_was_replaced_gets_wide_gaps(data: Path, backup: Path) -> None:
    newest = await boxes(data)
    shutil.rmtree(data)
    shutil.copytree(backup, data)
    after = await boxes(data)
    for name, box in after.items():
        assert box.uidvalidity == newest[name].uidvalidity
        assert box.uidnext > newest[name].uidnext
        assert box.highestmodseq > newest[name].highestmodseq
    assert after["INBOX"].uidnext == 4 + OLD_UID_GAP
    assert await boxes(data) == after


async def test_a_renamed_directory_keeps_all_numbers(data: Path, backup: Path) -> None:
    before = await boxes(data)
    data.rename(data.with_name("elsewhere"))
    assert await boxes(data.with_name("elsewhere")) == before


def use_uids_up(change: Change) -> None:
    change.cursor.execute("UPDATE mailboxes SET uidnext = 4294960000 WHERE name = 'INBOX'")


async def test_a_file_with_no_uids_to_spare_gets_a_new_uidvalidity(data: Path, backup: Path) -> None:
    for _ in range(2):
        store = await open_store(data)
        account = await linda(store)
        await account.database.write(use_uids_up)
        await store.close()
        before = await boxes(data)
        shutil.copytree(data, data.with_name("copy"))
        shutil.rmtree(data)
        shutil.copytree(data.with_name("copy"), data)
        shutil.rmtree(data.with_name("copy"))
        assert (await boxes(data))["INBOX"].uidvalidity > before["INBOX"].uidvalidity


@pytest.mark.parametrize("put_back", [over_the_file, in_the_files_place])
async def test_a_copy_restored_while_the_file_is_closed_is_noticed(
    data: Path, backup: Path, put_back: Callable[[Path, Path], None]
) -> None:
    store = await open_store(data)
    account = await linda(store)
    newest = await account.mailbox("INBOX")
    assert await account.database.release()
    put_back(data, backup)
    with pytest.raises(Refused) as caught:
        await account.mailbox("INBOX")
    assert caught.value.code is Code.UNAVAILABLE
    again = await linda(store)
    assert again is not account
    assert (await again.mailbox("INBOX")).uidvalidity > newest.uidvalidity
    await store.close()


async def test_sessions_lose_a_renewed_mailbox(data: Path, backup: Path) -> None:
    before = (await boxes(data))["INBOX"]
    over_the_file(data, backup)
    store = await open_store(data)
    with pytest.raises(Refused) as caught:
        await (await linda(store)).modseq(before.id)
    assert caught.value.code is Code.NONEXISTENT
    await store.close()


async def test_a_reused_inode_is_not_mistaken_for_the_same_file(data: Path, backup: Path) -> None:
    (path,) = data.rglob("accounts/*/*.db")
    inode = os.stat(path).st_ino
    newest = await boxes(data)
    for number in range(50):  # a file system often reuses a free inode
        shutil.rmtree(data)
        shutil.copytree(backup, data)
        if os.stat(path).st_ino == inode:
            break
        (data / str(number)).touch()
    assert (await boxes(data))["INBOX"].uidnext > newest["INBOX"].uidnext
