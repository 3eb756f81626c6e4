"""Backups of an account in use, with any engine: what is saved, and how little each later one writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from mektup.backup.manifests import PAGE_UIDS
from mektup.backup.verifying import Verifying
from mektup.store.interface import Account, Store
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import MailboxId
from mektup.terms.quota import Resource
from mektup.terms.rights import RightsChange
from tests.backup.conftest import Backup, linda, state_of
from tests.contract.mail import EVERYTHING, fill, inbox, incoming, raw, uids

OpenStore = Callable[[], Awaitable[Store]]
SEEN = frozenset({"\\Seen"})


async def various(store: Store) -> Account:
    """An account with something of everything."""
    account = await linda(store)
    barney = (await store.directory.add("barney", {})).id
    mailbox = await inbox(account)
    await account.append(
        mailbox,
        [
            incoming("\\Seen", "$Work", internaldate=1_000_000, zone=-90),
            incoming(octets=raw("large", "x" * 700_000)),
            incoming(octets=b""),
            incoming("\\Deleted", octets=b"no header at all"),
        ],
    )
    await account.create("Projekte/Ä & B/deep")
    await account.delete("Archive")
    await account.copy(mailbox, uids(1, 2), "Projekte/Ä & B/deep")
    await account.subscribe("Elsewhere")
    await account.unsubscribe("Drafts")
    await account.access_lists.change("Projekte", barney, RightsChange("", frozenset("lrs")))
    await account.access_lists.change("INBOX", "-anyone", RightsChange("", frozenset("l")))
    await account.metadata.set_entries(mailbox, barney, {"/private/comment": b"barney's", "/shared/comment": b"all"})
    await account.metadata.set_entries(MailboxId(0), account.id, {"/private/vendor/x": b"\x00\xff"})
    await account.quota.set_limits({Resource.MESSAGE: 700, Resource.STORAGE: None})
    await store.server_metadata.set_entries({"/shared/admin": b"root"})
    return account


def files(backup: Backup) -> dict[Path, tuple[int, bytes]]:
    return {
        path: (path.stat().st_mtime_ns, path.read_bytes()) for path in backup.directory.rglob("*") if path.is_file()
    }


async def test_an_account_comes_back_with_all_that_it_had(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    account = await various(store)
    await backup.take(store)
    other = await open_any()
    await other.directory.add("barney", {})
    restored, problems = await backup.restore(other, "linda")
    assert not problems
    assert (restored.added, restored.there) == (6, 0)
    again = await linda(other)
    assert await state_of(again) == await state_of(account)
    assert await again.subscriptions() == await account.subscriptions()
    assert [(each.name, each.special_use, each.selectable) for each in await again.mailboxes()] == [
        (each.name, each.special_use, each.selectable) for each in await account.mailboxes()
    ]
    entry = await other.directory.find("linda")
    assert entry is not None
    assert entry.secrets == {"password": "{PLAIN}x"}
    there = await other.directory.find("barney")
    assert there is not None
    assert await again.access_lists.of("Projekte") == {there.id: frozenset("lrs")}
    assert await again.access_lists.of("INBOX") == {"-anyone": frozenset("l")}
    async with again.snapshot() as moment:
        first = moment.state.mailboxes[0]
        assert first.metadata == {("", "/shared/comment"): b"all", (there.id, "/private/comment"): b"barney's"}
        assert moment.state.metadata == {(again.id, "/private/vendor/x"): b"\x00\xff"}
        assert moment.state.own_limits == {Resource.MESSAGE: 700, Resource.STORAGE: None}


async def test_no_restored_mailbox_has_a_uidvalidity_that_the_account_ever_had(
    open_any: OpenStore, backup: Backup
) -> None:
    store = await open_any()
    account = await linda(store)
    for number in range(30):  # so that UIDVALIDITYs run ahead of the clock
        await account.create(f"new {number}")
    used = {each.uidvalidity for each in await account.mailboxes()}
    await backup.take(store)
    other = await open_any()
    await backup.restore(other, "linda")
    assert not used & {each.uidvalidity for each in await (await linda(other)).mailboxes() if each.name in ("INBOX",)}
    assert min(each.uidvalidity for each in await (await linda(other)).mailboxes()) > max(used)


async def test_the_same_octets_are_stored_once(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    for name in ("linda", "fred"):
        account = await store.account(await store.directory.add(name, {}))
        await account.append(await inbox(account), [incoming(octets=raw("same"))] * 3)
    done = await backup.take(store)
    assert (done.accounts, done.messages, done.octets) == (2, 1, len(raw("same")))


async def test_a_second_backup_of_nothing_new_writes_only_that_it_was_made(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    await various(store)
    await backup.take(store)
    before = files(backup)
    done = await backup.take(store)
    assert (done.accounts, done.changed, done.messages) == (2, 0, 0)
    after = files(backup)
    assert {path: after[path] for path in before} == before
    assert [path.parent.name for path in after.keys() - before.keys()] == ["runs"]


async def test_a_later_backup_writes_what_is_new_and_the_earlier_one_stays(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    account = await various(store)
    await fill(account, 50)
    before = await state_of(account)
    first = await backup.take(store)
    mailbox = await inbox(account)
    await account.store_flags(mailbox, uids(5, 6), FlagChange.ADD, SEEN)
    await account.move(mailbox, uids(7, 8), "Trash")
    await account.remove(mailbox, uids(9))
    await account.append(mailbox, [incoming(octets=raw("new"))])
    after = await state_of(account)
    done = await backup.take(store)
    assert (done.changed, done.messages) == (1, 1)
    for at, state in ((first.stamp, before), (None, after)):
        other = await open_any()
        await backup.restore(other, "linda", at=at)
        assert await state_of(await linda(other)) == state


async def test_only_pages_with_changes_are_written_again(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    account = await linda(store)
    mailbox = await inbox(account)
    same = incoming(octets=b"x")
    for _ in range(2 * PAGE_UIDS // 512):
        await account.append(mailbox, [same] * 512)
    await backup.take(store)
    first = backup.shelf.manifest(account.id, backup.shelf.manifests(account.id)[-1])
    await account.store_flags(mailbox, uids(5), FlagChange.ADD, SEEN)
    await account.remove(mailbox, uids(6))
    await account.append(mailbox, [same])
    await backup.take(store)
    second = backup.shelf.manifest(account.id, backup.shelf.manifests(account.id)[-1])
    pages, later = first.mailboxes[0].pages, second.mailboxes[0].pages
    assert [page.number for page in pages] == [0, 1, 2]
    assert [page == other for page, other in zip(pages, later, strict=True)] == [False, True, False]
    assert sum(page.messages for page in later) == 2 * PAGE_UIDS
    assert not Verifying(backup.shelf).run().problems


async def test_a_mailbox_that_was_emptied_or_made_again_is_read_again(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    account = await linda(store)
    mailbox = await fill(account, 10)
    await account.create("again")
    await account.copy(mailbox, uids(1), "again")
    await backup.take(store)
    await account.remove(mailbox, EVERYTHING)
    await account.delete("again")
    await account.create("again")
    await account.append((await account.mailbox("again")).id, [incoming(octets=raw("other"))])
    await account.rename("Trash", "Bin")
    await backup.take(store)
    other = await open_any()
    await backup.restore(other, "linda")
    assert await state_of(await linda(other)) == await state_of(account)


async def test_a_renewed_account_is_read_again(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    account = await various(store)
    await backup.take(store)
    await account.renew()
    await backup.take(store)
    other = await open_any()
    await backup.restore(other, "linda")
    assert await state_of(await linda(other)) == await state_of(account)


async def test_only_the_named_accounts_are_saved(open_any: OpenStore, backup: Backup) -> None:
    store = await open_any()
    await various(store)
    done = await backup.take(store, "BARNEY")
    run = backup.shelf.run(done.stamp)
    assert [each.name for each in run.accounts] == ["barney"]
    assert not run.whole
