"""The results of select and changes, and which watches are woken."""

from __future__ import annotations

import asyncio

import pytest

from mektup.store.interface import Account, Changes, Store, Touched
from mektup.store.watch import MOST_NOTED
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId, ModSeq, Uid
from mektup.terms.sets import Uids
from tests.contract.conftest import RecordingBus
from tests.contract.mail import EVERYTHING, fill, inbox, incoming, uids

ADD, REMOVE = FlagChange.ADD, FlagChange.REMOVE
SEEN = frozenset({"\\Seen"})


async def since(account: Account, mailbox: MailboxId, modseq: ModSeq, uidnext: int, *, claim: bool = False) -> Changes:
    return await account.changes(mailbox, since=modseq, expunged_since=modseq, uidnext=Uid(uidnext), claim_recent=claim)


async def test_select_shows_one_moment(account: Account) -> None:
    mailbox = await fill(account, 5)
    await account.store_flags(mailbox, uids(1, 2, 4), ADD, SEEN)
    await account.remove(mailbox, uids(2))
    selection = await account.select("inbox", claim_recent=False)
    assert selection.mailbox == await account.mailbox("INBOX")
    assert (selection.uids, selection.first_unseen, selection.recent) == (uids(1, 3, 4, 5), 3, Uids())


async def test_select_follows_every_change(account: Account) -> None:
    mailbox = await fill(account, 8)

    async def seen() -> tuple[list[int], int | None]:
        selection = await account.select("INBOX", claim_recent=False)
        return list(selection.uids), selection.first_unseen

    assert await seen() == (list(range(1, 9)), 1)
    await account.store_flags(mailbox, uids(1, 2, 3), ADD, SEEN)
    assert await seen() == (list(range(1, 9)), 4)
    await account.remove(mailbox, uids(4, 5))
    assert await seen() == ([1, 2, 3, 6, 7, 8], 6)
    await account.store_flags(mailbox, EVERYTHING, ADD, SEEN)
    assert await seen() == ([1, 2, 3, 6, 7, 8], None)
    await account.append(mailbox, [incoming("\\Seen"), incoming()])
    assert await seen() == ([1, 2, 3, 6, 7, 8, 9, 10], 10)
    await account.store_flags(mailbox, uids(2, 7), REMOVE, SEEN)
    assert await seen() == ([1, 2, 3, 6, 7, 8, 9, 10], 2)
    await account.move(mailbox, uids(1, 2, 10), "INBOX")
    assert await seen() == ([3, 6, 7, 8, 9, 11, 12, 13], 7)
    await account.remove(mailbox, EVERYTHING)
    assert await seen() == ([], None)


async def test_recent_is_claimed_once(account: Account) -> None:
    mailbox = await fill(account, 2)
    assert (await account.mailbox("INBOX")).recent == 2
    modseq = await account.modseq(mailbox)
    assert (await account.select("INBOX", claim_recent=False)).recent == Uids()
    first = await account.select("INBOX", claim_recent=True)
    assert (first.recent, first.mailbox.recent) == (uids(1, 2), 0)
    assert (await account.select("INBOX", claim_recent=True)).recent == Uids()
    assert await account.modseq(mailbox) == modseq
    appended = await account.append(mailbox, [incoming(), incoming()])
    await account.remove(mailbox, uids(3))
    assert (await account.mailbox("INBOX")).recent == 1
    looked = await since(account, mailbox, first.mailbox.highestmodseq, 3)
    assert (looked.arrived, looked.recent) == (uids(4), Uids())
    claimed = await since(account, mailbox, first.mailbox.highestmodseq, 3, claim=True)
    assert (claimed.arrived, claimed.recent) == (uids(4), uids(4))
    late = await since(account, mailbox, first.mailbox.highestmodseq, 3, claim=True)
    assert (late.arrived, late.recent) == (uids(4), Uids())
    assert (await account.mailbox("INBOX")).recent == 0
    assert appended.uids == uids(3, 4)


async def test_claimed_and_removed_messages_are_not_counted_as_recent(account: Account) -> None:
    mailbox = await fill(account, 3)
    await account.select("INBOX", claim_recent=True)
    await account.append(mailbox, [incoming()])
    await account.remove(mailbox, uids(1, 2))
    assert (await account.mailbox("INBOX")).recent == 1
    await account.move(mailbox, uids(3), "Archive")
    assert (await account.mailbox("INBOX")).recent == 1
    assert (await account.mailbox("Archive")).recent == 1


async def test_changes_since_now_are_none(account: Account) -> None:
    mailbox = await fill(account, 3)
    now = await account.modseq(mailbox)
    changes = await since(account, mailbox, now, 4)
    assert (changes.modseq, changes.uidnext, changes.arrived, changes.changed, changes.expunged) == (
        now,
        4,
        Uids(),
        Uids(),
        Uids(),
    )


async def test_changes_tell_arrivals_flags_and_expunges_apart(account: Account) -> None:
    mailbox = await fill(account, 5)
    start = await account.modseq(mailbox)
    await account.append(mailbox, [incoming(), incoming()])
    stored = await account.store_flags(mailbox, uids(2, 6), ADD, frozenset({"$New"}))
    await account.remove(mailbox, uids(1, 4, 7))
    changes = await since(account, mailbox, start, 6)
    assert changes.arrived == uids(6)
    assert changes.changed == uids(2)
    assert [(uid, account.flag_names(word), modseq) for uid, word, modseq in changes.flags or ()] == [
        (2, ("$New",), stored.modseq)
    ]
    assert uids(1, 4) == changes.expunged & Uids.span(1, 5)
    assert not changes.expunged & (await account.select("INBOX", claim_recent=False)).uids
    assert changes.keywords == ("$New",)
    assert (changes.uidnext, changes.modseq) == (8, await account.modseq(mailbox))


async def test_expunges_can_be_asked_for_from_further_back(account: Account) -> None:
    mailbox = await fill(account, 5)
    start = await account.modseq(mailbox)
    first = await account.remove(mailbox, uids(1))
    await account.remove(mailbox, uids(3))
    changes = await account.changes(
        mailbox, since=first.modseq, expunged_since=start, uidnext=Uid(6), claim_recent=False
    )
    assert changes.expunged == uids(1, 3)
    changes = await account.changes(
        mailbox, since=first.modseq, expunged_since=first.modseq, uidnext=Uid(6), claim_recent=False
    )
    assert changes.expunged == uids(3)


async def test_touched_reports_changed_and_expunged_messages(account: Account) -> None:
    mailbox = await fill(account, 6)
    start = await account.modseq(mailbox)
    await account.remove(mailbox, uids(1))
    first = await account.store_flags(mailbox, uids(2, 3, 4), ADD, SEEN)
    await account.append(mailbox, [incoming(), incoming()])
    await account.remove(mailbox, uids(3, 8))
    last = await account.store_flags(mailbox, uids(5), ADD, SEEN)
    since_start = await account.touched(mailbox, start)
    assert since_start.changed == uids(2, 4, 5, 7)
    assert [(uid, account.flag_names(word), modseq) for uid, word, modseq in since_start.flags or ()] == [
        (2, ("\\Seen",), first.modseq),
        (4, ("\\Seen",), first.modseq),
        (5, ("\\Seen",), last.modseq),
        (7, (), first.modseq + 1),
    ]
    assert uids(1, 3) == since_start.expunged & Uids.span(1, 6)
    since_first = await account.touched(mailbox, first.modseq)
    assert since_first.changed == uids(5, 7)
    assert uids(3) == since_first.expunged & Uids.span(2, 6)
    there = (await account.select("INBOX", claim_recent=False)).uids
    for touched in (since_start, since_first, await account.touched(mailbox, ModSeq(0))):
        assert touched.changed - there == touched.expunged & there == Uids()
    assert await account.touched(mailbox, last.modseq) == Touched(Uids(), Uids(), ())
    assert (await account.touched(mailbox, ModSeq(0))).changed == there
    with pytest.raises(Refused) as caught:
        await account.touched(MailboxId(99), start)
    assert caught.value.code is Code.NONEXISTENT


async def test_touched_reports_many_messages(account: Account) -> None:
    mailbox = await inbox(account)
    message = incoming()
    await account.append(mailbox, [message] * 1500)
    start = await account.modseq(mailbox)
    await account.store_flags(mailbox, EVERYTHING, ADD, SEEN)
    assert await account.touched(mailbox, start) == Touched(Uids.span(1, 1500), Uids(), None)
    odd = Uids.of([Uid(uid) for uid in range(1, 1500, 2)])
    await account.remove(mailbox, odd)
    assert await account.touched(mailbox, start) == Touched(Uids.span(1, 1500) - odd, odd, None)


async def test_many_changes_at_once(account: Account) -> None:
    mailbox = await inbox(account)
    message = incoming()
    await account.append(mailbox, [message] * 1500)
    start = await account.modseq(mailbox)
    await account.store_flags(mailbox, EVERYTHING, ADD, SEEN)
    await account.append(mailbox, [message] * 700)
    changes = await since(account, mailbox, start, 1501, claim=True)
    assert changes.changed == Uids.span(1, 1500)
    assert changes.flags is None
    assert changes.arrived == changes.recent == Uids.span(1501, 2200)


async def test_modseqs_ascend_over_the_whole_account(account: Account) -> None:
    mailbox, archive = await fill(account, 3), (await account.mailbox("Archive")).id
    seen = [await account.modseq(mailbox)]
    seen.append((await account.append(archive, [incoming()])).modseq)
    seen.append((await account.store_flags(mailbox, uids(1), ADD, SEEN)).modseq)
    seen.append((await account.copy(mailbox, uids(1), "Archive")).modseq)
    seen.append((await account.move(mailbox, uids(2), "Archive")).modseq)
    seen.append((await account.create("new")).highestmodseq)
    seen.append((await account.remove(mailbox, uids(1))).modseq)
    assert seen == sorted(set(seen))


async def test_each_write_fires_the_watches_before_it_returns(account: Account, bus: RecordingBus) -> None:
    mailbox = await fill(account, 4)
    archive = (await account.mailbox("Archive")).id
    here, there, anywhere = account.watch(mailbox), account.watch(archive), account.watch(None)

    async def fired(asking: object) -> tuple[bool, bool, bool]:
        bus.told.clear()
        for watch in (here, there, anywhere):
            watch.rearm()
        await asking  # type: ignore[misc]
        assert {told for _, told in bus.told if told in (mailbox, archive)} == {
            number for number, watch in ((mailbox, here), (archive, there)) if watch.fired
        }
        assert all(account.id == told for told, _ in bus.told)
        return here.fired, there.fired, anywhere.fired

    assert await fired(account.append(mailbox, [incoming()])) == (True, False, True)
    assert await fired(account.store_flags(mailbox, uids(1), ADD, SEEN)) == (True, False, True)
    assert await fired(account.store_flags(mailbox, uids(1), ADD, SEEN)) == (False, False, False)
    assert await fired(account.copy(mailbox, uids(1), "Archive")) == (False, True, True)
    assert await fired(account.move(mailbox, uids(1), "Archive")) == (True, True, True)
    assert await fired(account.remove(mailbox, uids(2))) == (True, False, True)
    assert await fired(account.expunge(mailbox, None)) == (False, False, False)
    assert await fired(account.create("more")) == (False, False, True)
    assert await fired(account.rename("Archive", "Old")) == (False, True, True)
    assert await fired(account.delete("Old")) == (False, True, True)
    assert await fired(account.mailboxes()) == (False, False, False)


async def test_a_watch_of_the_account_knows_the_mailboxes_that_changed(store: Store, account: Account) -> None:
    mailbox = await inbox(account)
    archive = (await account.mailbox("Archive")).id
    watch = account.watch_account()
    await account.append(mailbox, [incoming()])
    await account.append(mailbox, [incoming()])
    assert watch.fired
    assert set(watch.take() or ()) == {mailbox}
    assert not watch.fired
    assert set(watch.take() or ()) == set()
    await account.move(mailbox, uids(1), "Archive")
    await account.subscribe("nowhere")
    assert set(watch.take() or ()) == {mailbox, archive, ACCOUNT_ITSELF}
    await account.rename("Archive", "Old")
    assert archive in (watch.take() or ())
    store.changed_elsewhere(account.id, archive, None)
    assert set(watch.take() or ()) == {archive}
    # notices that may be lost are of any mailbox
    store.missed_notices()
    assert watch.fired
    assert watch.take() is None
    # so are very many
    for number in range(MOST_NOTED + 1):
        store.changed_elsewhere(account.id, MailboxId(1000 + number), ModSeq(1))
    assert watch.take() is None
    watch.close()
    await account.append(mailbox, [incoming()])
    assert not watch.fired


async def test_a_watch_calls_once_until_it_is_rearmed(account: Account) -> None:
    mailbox = await inbox(account)
    watch = account.watch(mailbox)
    calls: list[bool] = []
    watch.on_fire = lambda: calls.append(watch.fired)
    await account.append(mailbox, [incoming()])
    await account.append(mailbox, [incoming()])
    assert calls == [True]
    watch.rearm()
    await account.append(mailbox, [incoming()])
    assert calls == [True, True]
    watch.close()
    watch.close()
    watch.rearm()
    await account.append(mailbox, [incoming()])
    assert calls == [True, True]


async def test_a_change_of_another_process_fires_the_watches(store: Store, account: Account) -> None:
    mailbox = await inbox(account)
    watch = account.watch(mailbox)
    for modseq in (None, ModSeq(2**40)):
        watch.rearm()
        store.changed_elsewhere(account.id, mailbox, modseq)
        assert watch.fired
    store.changed_elsewhere(AccountId("0" * 32), mailbox, None)


async def test_a_notice_of_a_known_change_fires_nothing(store: Store, account: Account) -> None:
    mailbox = await inbox(account)
    watch = account.watch(mailbox)
    appended = await account.append(mailbox, [incoming()])
    watch.knows(await account.modseq(mailbox))
    assert not watch.fired
    store.changed_elsewhere(account.id, mailbox, appended.modseq)
    assert not watch.fired
    store.changed_elsewhere(account.id, mailbox, ModSeq(appended.modseq + 1))
    assert watch.fired
    watch.knows(appended.modseq)
    assert watch.fired, "a later change was told of"
    watch.rearm()
    store.changed_elsewhere(account.id, mailbox, None)
    assert watch.fired
    watch.rearm()
    await account.append(mailbox, [incoming()])
    assert watch.fired


async def test_missed_notices_fire_every_watch(store: Store, account: Account) -> None:
    other = await store.account(await store.directory.add("ali", {}))
    mailbox = await inbox(account)
    watches = [account.watch(mailbox), account.watch(mailbox), account.watch(None), other.watch(await inbox(other))]
    watches[0].knows(await account.modseq(mailbox))
    store.missed_notices()
    assert all(watch.fired for watch in watches)
    closed = watches.pop()
    closed.close()
    for watch in (*watches, closed):
        watch.rearm()
    store.missed_notices()
    assert all(watch.fired for watch in watches)
    assert not closed.fired


async def test_the_bus_is_given_the_modseq_of_a_change(account: Account, bus: RecordingBus) -> None:
    mailbox = await inbox(account)
    bus.modseqs.clear()
    appended = await account.append(mailbox, [incoming()])
    stored = await account.store_flags(mailbox, uids(1), ADD, SEEN)
    assert bus.modseqs == [appended.modseq, stored.modseq]


async def test_a_failed_write_fires_nothing(account: Account, bus: RecordingBus) -> None:
    mailbox = await fill(account, 1)
    watch = account.watch(None)
    bus.told.clear()
    with pytest.raises(Refused):
        await account.copy(mailbox, uids(1), "nowhere")
    assert not watch.fired
    assert bus.told == []


async def test_a_caller_cancelled_after_the_commit_still_fires_the_watches(account: Account) -> None:
    mailbox = await inbox(account)
    messages = [incoming()] * 2000
    watch = account.watch(mailbox)
    task = asyncio.create_task(account.append(mailbox, messages))
    await asyncio.sleep(0)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    there = (await account.mailbox("INBOX")).messages
    assert there in (0, 2000)
    assert watch.fired == (there == 2000)
    assert (await account.append(mailbox, [incoming()])).uids == uids(there + 1)


async def test_many_writers_and_readers_at_once(account: Account) -> None:
    mailbox = await inbox(account)

    async def write(number: int) -> None:
        appended = await account.append(mailbox, [incoming()] * (1 if number % 3 else 400))
        await account.store_flags(mailbox, appended.uids, ADD, SEEN)
        if number % 5 == 0:
            await account.remove(mailbox, appended.uids)

    async def read() -> None:
        selection = await account.select("INBOX", claim_recent=False)
        assert len(selection.uids) == selection.mailbox.messages

    await asyncio.gather(*(write(number) for number in range(20)), *(read() for _ in range(20)))
    await read()
    now = await account.mailbox("INBOX")
    assert (now.messages, now.unseen) == (5 * 400 + 11, 0)


async def test_a_closed_store_refuses(store: Store, account: Account) -> None:
    mailbox = await inbox(account)
    await store.close()
    await store.close()
    for asking in (account.mailboxes(), account.modseq(mailbox), account.append(mailbox, [incoming()])):
        with pytest.raises(Refused) as caught:
            await asking
        assert caught.value.code is Code.UNAVAILABLE
