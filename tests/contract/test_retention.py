"""Expunged messages are kept for a while, and come back with everything that they had."""

from __future__ import annotations

import pytest

from mektup.store.columns import Column
from mektup.store.interface import Account, Store
from mektup.store.retention import DeletedMessage
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.quota import Resource
from mektup.terms.sets import Uids
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, fetched, fill, flags_of, inbox, incoming, raw, uids

DATES = (Column.INTERNALDATE, Column.SAVEDATE, Column.RAW)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_800_000_000

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def store(opened: OpenStore, clock: Clock) -> Store:
    return await opened(clock=clock)


async def kept(account: Account) -> list[DeletedMessage]:
    return [each async for some in account.retention.messages() for each in some]


async def numbers(account: Account) -> Uids:
    return Uids.of([each.number for each in await kept(account)])


async def test_an_expunged_message_comes_back_with_flags_and_dates_under_a_new_uid(
    account: Account, clock: Clock
) -> None:
    mailbox = await inbox(account)
    await account.append(mailbox, [incoming("\\Flagged", "$Work", internaldate=1_000_000, zone=120), incoming()])
    before = (await fetched(account, mailbox, uids(1), *DATES))[0][1:]
    clock.now += 60
    await account.remove(mailbox, uids(1))
    (one,) = await kept(account)
    assert (one.mailbox, one.is_gone, one.uid, one.removed) == ("INBOX", False, 1, clock.now)
    clock.now += 60
    back = (await account.retention.restore(uids(one.number))).mailboxes["INBOX"]
    assert list(back.uids) == [3]
    assert await flags_of(account, mailbox) == {2: set(), 3: {"\\Flagged", "$Work"}}
    assert (await fetched(account, mailbox, uids(3), *DATES))[0][1:] == before
    assert await kept(account) == []
    assert (await account.mailbox("INBOX")).messages == 2


async def test_every_way_of_removal_keeps_messages_and_a_move_does_not(account: Account) -> None:
    mailbox = await fill(account, 6)
    await account.store_flags(mailbox, uids(1, 2), FlagChange.ADD, frozenset({"\\Deleted"}))
    await account.expunge(mailbox, uids(1))
    await account.expunge(mailbox, None)
    await account.remove(mailbox, uids(3))
    await account.replace(mailbox, uids(4).last, mailbox, incoming())
    await account.move(mailbox, uids(5), "Trash")
    assert [(each.mailbox, each.uid) for each in await kept(account)] == [("INBOX", each) for each in (1, 2, 3, 4)]
    await account.delete("Trash")
    last = (await kept(account))[-1]
    assert (last.mailbox, last.is_gone, last.uid) == ("Trash", True, 1)


async def test_messages_come_back_to_their_mailbox_under_its_present_name(account: Account) -> None:
    made = await account.create("Work")
    await account.append(made.id, [incoming()])
    await account.remove(made.id, EVERYTHING)
    await account.rename("Work", "Old/Work")
    assert [each.mailbox for each in await kept(account)] == ["Old/Work"]
    back = await account.retention.restore(await numbers(account))
    assert list(back.mailboxes) == ["Old/Work"]
    assert (await account.mailbox("Old/Work")).messages == 1


async def test_a_deleted_mailbox_comes_back_with_its_messages_and_its_special_use(account: Account) -> None:
    trash = await account.mailbox("Trash")
    assert trash.special_use == "\\Trash"
    await account.append(trash.id, [incoming("\\Seen", octets=raw(f"number {number}")) for number in range(5)])
    await account.remove(trash.id, uids(2))
    await account.delete("Trash")
    assert {(each.mailbox, each.is_gone, each.uid) for each in await kept(account)} == {
        ("Trash", True, uid) for uid in range(1, 6)
    }
    back = await account.retention.restore(await numbers(account))
    assert list(back.mailboxes["Trash"].uids) == [1, 2, 3, 4, 5]
    made = await account.mailbox("Trash")
    assert made.special_use == "\\Trash"
    assert made.uidvalidity > trash.uidvalidity
    assert made.messages == 5


async def test_messages_of_two_mailboxes_of_one_name_come_back_into_one(account: Account) -> None:
    for subject in ("first", "second"):
        made = await account.create("Work")
        await account.append(made.id, [incoming(octets=raw(subject))])
        await account.delete("Work")
    back = await account.retention.restore(await numbers(account))
    assert list(back.mailboxes["Work"].uids) == [1, 2]


async def test_messages_can_be_brought_back_to_another_mailbox(account: Account) -> None:
    mailbox = await fill(account, 2)
    await account.remove(mailbox, EVERYTHING)
    some = await numbers(account)
    with pytest.raises(Refused) as refused:
        await account.retention.restore(some, "Nowhere")
    assert refused.value.code is Code.TRYCREATE
    await account.retention.restore(some, "Drafts")
    assert (await account.mailbox("Drafts")).messages == 2
    assert (await account.mailbox("INBOX")).messages == 0


async def test_copies_share_their_octets_with_what_is_kept(account: Account) -> None:
    mailbox = await fill(account, 1)
    await account.copy(mailbox, EVERYTHING, "Archive")
    await account.remove(mailbox, EVERYTHING)
    archive = (await account.mailbox("Archive")).id
    await account.remove(archive, EVERYTHING)
    assert (await account.retention.kept()).messages == 2
    await account.retention.restore(await numbers(account))
    assert [octets for _, octets in await fetched(account, mailbox, EVERYTHING, Column.RAW)] == [raw("number 0")]
    assert [octets for _, octets in await fetched(account, archive, EVERYTHING, Column.RAW)] == [raw("number 0")]


async def test_messages_can_stay_although_they_come_back(account: Account) -> None:
    mailbox = await fill(account, 2)
    await account.remove(mailbox, EVERYTHING)
    some = await numbers(account)
    for uid in (3, 5):
        back = await account.retention.restore(some, "INBOX", stay=True)
        assert list(back.mailboxes["INBOX"].uids) == [uid, uid + 1]
    assert (await account.retention.kept()).messages == 2
    await account.retention.forget(some)
    assert [octets for _, octets in await fetched(account, mailbox, EVERYTHING, Column.RAW)] == [
        raw(f"number {number}") for number in (0, 1, 0, 1)
    ]


async def test_what_is_forgotten_does_not_come_back(account: Account) -> None:
    mailbox = await fill(account, 3)
    await account.remove(mailbox, EVERYTHING)
    some = await numbers(account)
    assert await account.retention.forget(uids(some.first)) == 1
    assert await account.retention.forget(uids(some.first)) == 0
    assert not (await account.retention.restore(uids(some.first))).mailboxes
    assert (await account.retention.kept()).messages == 2


async def test_quotas_do_not_count_what_is_kept_and_count_what_comes_back(opened: OpenStore) -> None:
    store = await opened(quota={Resource.MESSAGE: 2})
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 2)
    await account.remove(mailbox, EVERYTHING)
    await fill(account, 2)
    with pytest.raises(Refused) as refused:
        await account.retention.restore(await numbers(account))
    assert refused.value.code is Code.OVERQUOTA
    assert (await account.retention.kept()).messages == 2


async def test_nothing_is_kept_where_retention_is_off(opened: OpenStore) -> None:
    store = await opened(limits=Limits(expunged_seconds=0))
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = await fill(account, 2)
    await account.remove(mailbox, uids(1))
    await account.create("Work")
    await account.move(mailbox, uids(2), "Work")
    await account.delete("Work")
    assert await kept(account) == []


async def test_how_much_is_kept_is_told(account: Account, clock: Clock) -> None:
    assert (await account.retention.kept()).oldest is None
    mailbox = await fill(account, 2)
    size = (await account.mailbox("INBOX")).size
    await account.remove(mailbox, uids(1))
    clock.now += 100
    await account.remove(mailbox, uids(2))
    found = await account.retention.kept()
    assert (found.messages, found.octets, found.oldest) == (2, size, clock.now - 100)


async def test_what_is_kept_stays_after_renew(account: Account) -> None:
    mailbox = await fill(account, 2)
    await account.remove(mailbox, uids(1))
    await account.renew()
    await account.retention.restore(await numbers(account))
    assert (await account.mailbox("INBOX")).messages == 2
