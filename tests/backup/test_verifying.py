"""Damage of a backup: what is lost by it is named, what is not lost comes back, and a new backup mends what it can."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mektup.backup.manifests import seconds_of
from mektup.backup.packs import Kind, Name, digest_of
from mektup.backup.shelf import Objects, index_path
from mektup.backup.verifying import Report, Verifying
from mektup.store.interface import Store
from mektup.terms.errors import Refused
from tests.backup.conftest import Backup, linda, state_of
from tests.contract.mail import fill, inbox, incoming, raw, uids

OpenStore = Callable[[], Awaitable[Store]]


def verified(backup: Backup) -> Report:
    return Verifying(backup.shelf).run()


def texts(report: Report) -> str:
    return "\n".join(map(str, report.problems))


def damage(backup: Backup, octets: bytes, kind: Kind = Kind.MESSAGE) -> Path:
    """Changes an octet of the message *octets* in its pack; returns the pack."""
    pack, offset = Objects(backup.shelf).place(Name(kind, digest_of(octets)))
    return flip(pack, offset + 60)


def flip(path: Path, at: int) -> Path:
    octets = bytearray(path.read_bytes())
    octets[at] ^= 1
    path.write_bytes(octets)
    return path


def page_in(backup: Backup, account: str, mailbox: int = 0) -> tuple[Path, int]:
    manifest = backup.shelf.manifest(account, backup.shelf.manifests(account)[-1])
    digest = manifest.mailboxes[mailbox].pages[0].digest
    return Objects(backup.shelf).place(Name(Kind.PAGE, bytes.fromhex(digest)))


@pytest.fixture
async def store(open_any: OpenStore) -> Store:
    store = await open_any()
    account = await linda(store)
    mailbox = await fill(account, 5)
    await account.copy(mailbox, uids(3), "Trash")
    return store


async def test_a_whole_backup_has_no_problems(store: Store, backup: Backup) -> None:
    await backup.take(store)
    await backup.take(store)
    report = verified(backup)
    assert not report.problems
    assert (report.runs, report.objects) == (2, 5 + 2)


async def test_a_damaged_message_is_named_wherever_it_is(store: Store, backup: Backup, open_any: OpenStore) -> None:
    done = await backup.take(store)
    damage(backup, raw("number 2"))
    report = verified(backup)
    assert len(report.problems) == 3
    assert "octet" in texts(report)
    assert "linda, INBOX, backup of" in texts(report)
    assert "linda, Trash, backup of" in texts(report)
    assert "1 message is lost, UID 3" in texts(report)
    assert seconds_of(done.stamp) == 1_800_000_000
    other = await open_any()
    restored, problems = await backup.restore(other, "linda")
    assert (restored.added, len(problems)) == (4, 2)
    assert "linda, INBOX: 1 message is lost, UID 3" in str(problems[0])
    there = await state_of(await linda(other))
    assert [octets for *_, octets in there["INBOX"]] == [raw(f"number {number}") for number in (0, 1, 3, 4)]


async def test_a_damaged_list_of_messages_is_named(store: Store, backup: Backup, open_any: OpenStore) -> None:
    await backup.take(store)
    pack, offset = page_in(backup, (await linda(store)).id)
    flip(pack, offset + 60)
    report = verified(backup)
    assert "linda, INBOX" in texts(report)
    assert "a list of its messages is lost, with 5 messages from UID 1 on" in texts(report)
    other = await open_any()
    restored, problems = await backup.restore(other, "linda")
    assert restored.added == 1
    assert "a list of its messages is lost" in str(problems[0])


async def test_a_lost_pack_is_noticed_and_a_new_backup_stores_all_again(
    store: Store, backup: Backup, open_any: OpenStore
) -> None:
    await backup.take(store)
    for pack in backup.shelf.packs():
        pack.unlink()
        index_path(pack).unlink()
    assert "it is in none of the packs" in texts(verified(backup))
    await backup.take(store)
    assert not verified(backup).problems, "the pages are missing, so all is read again, for the old backup, too"
    other = await open_any()
    await backup.restore(other, "linda")
    assert await state_of(await linda(other)) == await state_of(await linda(store))


async def test_a_lost_index_loses_nothing(store: Store, backup: Backup, open_any: OpenStore) -> None:
    await backup.take(store)
    for pack in backup.shelf.packs():
        index_path(pack).unlink()
    assert "index" in texts(verified(backup))
    assert (await backup.take(store)).messages == 0
    other = await open_any()
    assert (await backup.restore(other, "linda"))[0].added == 6


async def test_a_damaged_header_in_a_pack_hides_no_message_after_it(store: Store, backup: Backup) -> None:
    await backup.take(store)
    pack, offset = Objects(backup.shelf).place(Name(Kind.MESSAGE, digest_of(raw("number 1"))))
    flip(pack, offset + 5)
    report = verified(backup)
    assert "1 message is lost, UID 2" in texts(report)
    assert report.objects == 6


@pytest.mark.parametrize("which", ["runs", "accounts"])
async def test_a_damaged_file_of_a_backup_leaves_the_earlier_ones(
    store: Store, backup: Backup, open_any: OpenStore, which: str
) -> None:
    await backup.take(store)
    account = await linda(store)
    before = await state_of(account)
    await account.append(await inbox(account), [incoming()])
    done = await backup.take(store)
    path = next(path for path in (backup.directory / which).rglob("*") if path.name.startswith(done.stamp))
    for octets in (path.read_bytes()[:-3], b"", b"nonsense"):
        path.write_bytes(octets)
        assert str(path) in texts(verified(backup))
        with pytest.raises(Refused) as refused:
            await backup.restore(await open_any(), "linda")
        assert str(path) in str(refused.value)
    first = backup.shelf.runs()[0]
    other = await open_any()
    await backup.restore(other, "linda", at=first)
    assert await state_of(await linda(other)) == before
    again = await backup.take(store)
    assert again.changed == (which == "accounts")
    if which == "runs":
        path.unlink()
    assert not [problem for problem in verified(backup).problems if again.stamp in str(problem)]
    other = await open_any()
    await backup.restore(other, "linda")
    assert await state_of(await linda(other)) == await state_of(account)


async def test_what_is_damaged_can_be_forgotten_and_is_then_stored_again(
    store: Store, backup: Backup, open_any: OpenStore
) -> None:
    first = await backup.take(store)
    damage(backup, raw("number 2"))
    pack, offset = page_in(backup, (await linda(store)).id)
    flip(pack, offset + 5)
    assert (await backup.take(store, anew=True)).messages == 0, "the index says that they are there"
    found = len(Verifying(backup.shelf, forget=True).run().problems)
    assert found >= 3
    assert len(verified(backup).problems) >= 1
    assert (await backup.take(store, anew=True)).messages == 1
    assert not verified(backup).problems
    other = await open_any()
    await backup.restore(other, "linda", at=first.stamp)
    assert await state_of(await linda(other)) == await state_of(await linda(store))
