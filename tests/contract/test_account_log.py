"""The log of an account: a caller with the modseq of an earlier answer learns which mailboxes and names changed."""

from __future__ import annotations

import pytest

from mektup.store.interface import Account, Store
from mektup.store.mailbox_changes import MailboxChanges
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import NEW_ACCOUNT_MAILBOXES, FlagChange
from mektup.terms.numbers import ACCOUNT_ITSELF, ModSeq
from tests.contract.conftest import RecordingBus
from tests.contract.mail import START, fill, inbox, incoming, uids


async def now(account: Account) -> ModSeq:
    return (await account.mailbox_changes(START)).modseq


def names(changes: MailboxChanges) -> list[str]:
    return [each.name for each in changes.mailboxes]


def subscriptions(changes: MailboxChanges) -> list[tuple[str, bool]]:
    return [(each.name, each.subscribed) for each in changes.subscriptions]


async def test_modseq_0_gets_everything(account: Account) -> None:
    await account.create("work/old")
    await account.delete("Junk")
    await account.subscribe("nowhere")
    await account.unsubscribe("Trash")
    everything = await account.mailbox_changes(START)
    assert everything.whole
    assert not everything.gone
    there = await account.mailboxes()
    assert {(each.id, each.name, each.uidvalidity, each.mailboxid) for each in everything.mailboxes} == {
        (each.id, each.name, each.uidvalidity, each.mailboxid) for each in there
    }
    assert {(each.name, each.special_use, each.selectable) for each in everything.mailboxes} == {
        (each.name, each.special_use, each.selectable) for each in there
    }
    assert all(each.subscribed for each in everything.subscriptions)
    assert {each.name for each in everything.subscriptions} == await account.subscriptions()


async def test_nothing_changed_since_now(account: Account) -> None:
    since = await now(account)
    assert await account.mailbox_changes(since) == MailboxChanges(since, False, (), (), ())


async def test_a_created_mailbox_and_the_levels_above_it_are_new(account: Account) -> None:
    since = await now(account)
    made = await account.create("a/b/c", special_use="\\All")
    changes = await account.mailbox_changes(since)
    assert names(changes) == ["a", "a/b", "a/b/c"]
    assert not changes.whole
    assert not changes.gone
    assert not changes.subscriptions
    assert {(each.created, each.changed) for each in changes.mailboxes} == {(changes.modseq, changes.modseq)}
    last = changes.mailboxes[-1]
    assert (last.id, last.uidvalidity, last.mailboxid) == (made.id, made.uidvalidity, made.mailboxid)
    assert (last.special_use, last.selectable) == ("\\All", True)
    assert changes.modseq > since


async def test_a_renamed_mailbox_keeps_its_creation_and_takes_its_inferiors_along(account: Account) -> None:
    made = await account.create("a/b")
    since = await now(account)
    await account.rename("a", "x/y")
    changes = await account.mailbox_changes(since)
    created = {each.name: each.created > since for each in changes.mailboxes}
    assert created == {"x": True, "x/y": False, "x/y/b": False}
    assert {each.id for each in changes.mailboxes if each.name == "x/y/b"} == {made.id}
    assert {each.changed for each in changes.mailboxes} == {changes.modseq}
    assert not changes.gone


async def test_rename_of_inbox_creates_a_mailbox_and_changes_no_other(account: Account) -> None:
    await fill(account, 2)
    since = await now(account)
    await account.rename("INBOX", "old")
    changes = await account.mailbox_changes(since)
    assert names(changes) == ["old"]
    assert not changes.gone


async def test_a_deleted_mailbox_leaves_its_id_and_its_last_name(account: Account) -> None:
    made = await account.create("work")
    await account.rename("work", "done")
    since = await now(account)
    await account.delete("done")
    changes = await account.mailbox_changes(since)
    ((gone),) = changes.gone
    assert (gone.id, gone.name, gone.mailboxid) == (made.id, "done", made.mailboxid)
    assert gone.created < since < gone.gone == changes.modseq
    assert not changes.mailboxes


async def test_a_deleted_mailbox_with_inferiors_becomes_another_one(account: Account) -> None:
    await account.create("a/b")
    since = await now(account)
    await account.delete("a")
    changes = await account.mailbox_changes(since)
    assert [(each.name, each.selectable) for each in changes.mailboxes] == [("a", False)]
    assert [each.name for each in changes.gone] == ["a"]
    assert changes.mailboxes[0].id != changes.gone[0].id
    since = changes.modseq
    again = await account.create("a")
    changes = await account.mailbox_changes(since)
    assert [(each.id, each.selectable) for each in changes.mailboxes] == [(again.id, True)]
    assert [each.name for each in changes.gone] == ["a"]


async def test_a_name_used_again_is_gone_and_new(account: Account) -> None:
    before = await account.create("work")
    since = await now(account)
    await account.delete("work")
    after = await account.create("work")
    changes = await account.mailbox_changes(since)
    assert [each.id for each in changes.gone] == [before.id]
    assert [each.id for each in changes.mailboxes] == [after.id]


async def test_mailboxes_created_and_deleted_in_between_are_not_listed(account: Account) -> None:
    since = await now(account)
    await account.create("short")
    between = await now(account)
    await account.delete("short")
    changes = await account.mailbox_changes(since)
    assert not changes.mailboxes
    assert not changes.gone
    assert [each.name for each in (await account.mailbox_changes(between)).gone] == ["short"]


async def test_subscriptions_are_told_by_name(account: Account) -> None:
    since = await now(account)
    await account.subscribe("nowhere")
    await account.unsubscribe("inbox")
    changes = await account.mailbox_changes(since)
    assert subscriptions(changes) == [("nowhere", True), ("INBOX", False)]
    assert not changes.mailboxes
    await account.unsubscribe("nowhere")
    await account.subscribe("INBOX")
    assert subscriptions(await account.mailbox_changes(changes.modseq)) == [("nowhere", False), ("INBOX", True)]
    # a subscription that began and ended in between may be listed, as ended
    assert ("INBOX", True) in subscriptions(await account.mailbox_changes(since))
    assert ("nowhere", True) not in subscriptions(await account.mailbox_changes(since))


async def test_commands_that_change_nothing_take_no_modseq(account: Account) -> None:
    await account.subscribe("work")
    since = await now(account)
    watch = account.watch(None)
    await account.subscribe("work")
    await account.unsubscribe("nowhere")
    with pytest.raises(Refused):
        await account.create("INBOX")
    assert await now(account) == since
    assert not watch.fired


async def test_changes_of_messages_are_not_part_of_it(account: Account) -> None:
    since = await now(account)
    mailbox = await fill(account, 3, "\\Deleted")
    await account.store_flags(mailbox, uids(1), FlagChange.ADD, frozenset({"$New"}))
    await account.move(mailbox, uids(1), "Archive")
    await account.expunge(mailbox, None)
    changes = await account.mailbox_changes(since)
    assert changes.modseq == (await account.mailbox("INBOX")).highestmodseq
    assert (*changes.mailboxes, *changes.gone, *changes.subscriptions) == ()


async def test_the_answer_ascends_by_modseq(account: Account) -> None:
    """So that it can be sent in parts."""
    for name in ("b", "c", "a"):
        await account.create(name)
    since = await now(account)
    await account.rename("c", "z")
    await account.delete("b")
    await account.delete("a")
    await account.create("m")
    for name in ("z", "y", "x"):
        await account.subscribe(name)
    changes = await account.mailbox_changes(since)
    assert names(changes) == ["z", "m"]
    assert [each.name for each in changes.gone] == ["b", "a"]
    assert [each.name for each in changes.subscriptions] == ["z", "y", "x"]
    modseqs = [each.changed for each in (*changes.mailboxes, *changes.subscriptions)] + [
        each.gone for each in changes.gone
    ]
    assert sorted(modseqs) == list(range(since + 1, changes.modseq + 1))


async def test_a_modseq_above_the_highest_gets_everything(account: Account) -> None:
    changes = await account.mailbox_changes(ModSeq(await now(account) + 1))
    assert changes.whole
    assert set(names(changes)) == {name for name, _ in NEW_ACCOUNT_MAILBOXES}


async def test_after_renew_everybody_gets_everything(account: Account) -> None:
    await account.unsubscribe("Junk")
    await account.delete("Junk")
    since = await now(account)
    await account.renew()
    changes = await account.mailbox_changes(since)
    assert changes.whole
    assert not changes.gone
    assert {(each.id, each.mailboxid) for each in changes.mailboxes} == {
        (each.id, each.mailboxid) for each in await account.mailboxes()
    }
    again = await account.mailbox_changes(changes.modseq)
    assert not again.whole
    assert not again.mailboxes


async def test_compact_leaves_the_log(account: Account) -> None:
    await account.create("work")
    since = await now(account)
    await account.delete("work")
    await account.unsubscribe("INBOX")
    before = await account.mailbox_changes(since)
    await account.compact()
    assert await account.mailbox_changes(since) == before


async def test_a_watch_of_the_account_fires_at_each_of_them(account: Account, bus: RecordingBus) -> None:
    mailbox = await inbox(account)
    one, every = account.watch(mailbox), account.watch(None)

    async def fires(asking: object) -> bool:
        one.rearm()
        every.rearm()
        bus.told.clear()
        await asking  # type: ignore[misc]
        assert every.fired == bool(bus.told)
        assert not one.fired
        return every.fired

    assert await fires(account.create("a/b"))
    assert await fires(account.delete("a"))
    assert await fires(account.create("a"))
    assert await fires(account.rename("a", "c"))
    assert await fires(account.subscribe("c"))
    assert bus.told == [(account.id, ACCOUNT_ITSELF)]
    assert not await fires(account.subscribe("c"))
    assert await fires(account.unsubscribe("c"))
    assert not await fires(account.unsubscribe("c"))
    assert await fires(account.delete("c/b"))


async def test_a_change_of_another_process_fires_the_watches_of_the_account(store: Store, account: Account) -> None:
    one, every = account.watch(await inbox(account)), account.watch(None)
    store.changed_elsewhere(account.id, ACCOUNT_ITSELF, None)
    assert every.fired
    assert not one.fired


async def test_an_account_that_is_removed_has_no_log(store: Store, account: Account) -> None:
    since = await now(account)
    await store.directory.remove(account.name)
    for asking in (account.mailbox_changes(since), account.subscribe("work"), account.unsubscribe("INBOX")):
        with pytest.raises(Refused) as caught:
            await asking
        assert caught.value.code is Code.UNAVAILABLE


async def test_an_append_after_a_change_of_mailboxes_has_a_higher_modseq(account: Account) -> None:
    """All changes of the account have one order."""
    await account.subscribe("work")
    since = await now(account)
    appended = await account.append(await inbox(account), [incoming()])
    await account.unsubscribe("work")
    assert since < appended.modseq < await now(account)
