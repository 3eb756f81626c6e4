"""Mailboxes and messages of another server are taken over with their UIDs, and no UID is ever given twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.store.adoption import Adopted
from mektup.store.columns import Column
from mektup.store.interface import Account, Incoming, Mailbox
from mektup.store.rules import adoption
from mektup.store.rules.counters import Box
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.names import OTHER_USERS
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.quota import Resource
from mektup.terms.rights import RightsChange
from tests.contract.conftest import OpenStore
from tests.contract.mail import EVERYTHING, START, fetched, fill, flags_of, incoming, one, raw, uids

OLD = UidValidity(1234567890)
FIRST = Uid(1)


def message(
    uid: int | None, *flags: str, text: str = "", key: bytes | None = None, saved: int | None = None
) -> Adopted:
    """A message of the other server."""
    made = incoming(*flags, octets=raw(text=text or f"message {uid}"), internaldate=837596665, zone=-420)
    return Adopted(made, None if uid is None else Uid(uid), saved, key)


async def adopted_mailbox(account: Account, name: str = "INBOX") -> Mailbox:
    return await account.adopt_mailbox(name, OLD, FIRST)


async def test_messages_keep_their_uids_flags_and_dates(account: Account) -> None:
    mailbox = await adopted_mailbox(account)
    assert mailbox.uidvalidity == OLD
    found = await account.adopt(
        mailbox.id, [message(3, "\\Seen", "$Work", saved=900000000), message(4), message(900, "\\Deleted")]
    )
    assert (found.uidvalidity, found.uids, found.known) == (OLD, uids(3, 4, 900), 0)
    assert not found.there
    assert not found.other
    assert not found.gone
    now = await account.mailbox("INBOX")
    assert (now.uidvalidity, now.uidnext, now.messages, now.unseen, now.deleted) == (OLD, 901, 3, 2, 1)
    assert await flags_of(account, mailbox.id) == {3: {"\\Seen", "$Work"}, 4: set(), 900: {"\\Deleted"}}
    assert await one(account, mailbox.id, 3, Column.INTERNALDATE) == b'"17-Jul-1996 02:44:25 -0700"'
    assert await one(account, mailbox.id, 3, Column.SAVEDATE) == b'" 9-Jul-1998 16:00:00 +0000"'
    assert [row[1] for row in await fetched(account, mailbox.id, EVERYTHING, Column.RAW)] == [
        raw(text="message 3"),
        raw(text="message 4"),
        raw(text="message 900"),
    ]


async def test_uidnext_of_the_other_server_is_kept_after_its_messages(account: Account) -> None:
    mailbox = await adopted_mailbox(account)
    await account.adopt(mailbox.id, [message(5)])
    assert (await account.adopt_mailbox("INBOX", OLD, Uid(100))).uidnext == 100
    assert (await account.adopt_mailbox("INBOX", OLD, Uid(50))).uidnext == 100
    assert (await account.append(mailbox.id, [incoming()])).uids == uids(100)


async def test_a_mailbox_without_messages_keeps_uidvalidity_and_uidnext(account: Account) -> None:
    made = await account.adopt_mailbox("Old/Empty", OLD, Uid(77))
    assert (made.uidvalidity, made.uidnext, made.messages) == (OLD, 77, 0)
    assert (await account.mailbox("Old")).uidvalidity != OLD


async def test_a_session_with_the_empty_mailbox_open_loses_it(account: Account) -> None:
    before = await account.mailbox("INBOX")
    watch = account.watch(before.id)
    after = await adopted_mailbox(account)
    assert after.id != before.id
    assert watch.fired
    with pytest.raises(Refused) as refused:
        await account.modseq(before.id)
    assert refused.value.code is Code.NONEXISTENT
    watch.close()


async def test_what_was_said_of_the_empty_mailbox_stays(account: Account) -> None:
    await account.access_lists.change("Sent", "anyone", RightsChange("", frozenset("lr")))
    made = await account.adopt_mailbox("Sent", OLD, FIRST)
    assert made.special_use == "\\Sent"
    assert "Sent" in await account.subscriptions()
    assert await account.access_lists.of("Sent")


async def test_the_log_names_the_mailbox_that_got_another_uidvalidity(account: Account) -> None:
    before = await account.mailbox_changes(START)
    inbox = await account.mailbox("INBOX")
    made = await adopted_mailbox(account)
    log = await account.mailbox_changes(before.modseq)
    assert [each.id for each in log.mailboxes] == [made.id]
    assert [each.id for each in log.gone] == [inbox.id]


async def test_mail_of_its_own_forbids_another_uidvalidity(account: Account) -> None:
    await fill(account, 1)
    before = await account.mailbox("INBOX")
    with pytest.raises(Refused) as refused:
        await adopted_mailbox(account)
    assert refused.value.code is Code.CANNOT
    assert await account.mailbox("INBOX") == before
    same = await account.adopt_mailbox("INBOX", None, FIRST)
    assert same == before
    assert await account.adopt_mailbox("INBOX", before.uidvalidity, FIRST) == before


async def test_a_mailbox_that_was_emptied_begins_anew(account: Account) -> None:
    mailbox = await fill(account, 3, "\\Deleted", "Work")
    await account.expunge(mailbox, None)
    made = await adopted_mailbox(account)
    assert (made.uidnext, made.messages, made.recent) == (1, 0, 0)
    assert made.id != mailbox
    selection = await account.select("INBOX", claim_recent=False)
    assert (selection.keywords, selection.uids) == ((), uids())
    touched = await account.touched(made.id, ModSeq(1))
    assert (touched.changed, touched.expunged) == (uids(), uids())
    adopted = await account.adopt(made.id, [message(2)])
    assert adopted.uids == uids(2)
    with pytest.raises(Refused) as refused:
        await account.append(mailbox, [incoming()])
    assert refused.value.code is Code.NONEXISTENT


@pytest.mark.parametrize("number", [0, MAX_UINT32, MAX_UINT32 - 5])
async def test_a_uidvalidity_that_leaves_none_for_new_mailboxes_is_refused(account: Account, number: int) -> None:
    with pytest.raises(Refused):
        await account.adopt_mailbox("INBOX", UidValidity(number), FIRST)
    await account.create("more")


@pytest.mark.parametrize("name", ["", "a//b", f"{OTHER_USERS}/ali"])
async def test_an_invalid_name_is_refused(account: Account, name: str) -> None:
    with pytest.raises(Refused) as refused:
        await account.adopt_mailbox(name, OLD, FIRST)
    assert refused.value.code is Code.CANNOT


async def test_new_mailboxes_get_higher_uidvalidities_than_adopted_ones(account: Account) -> None:
    high = UidValidity(4_000_000_000)
    await account.adopt_mailbox("high", high, FIRST)
    assert (await account.create("next")).uidvalidity == high + 1
    await account.adopt_mailbox("low", OLD, FIRST)
    assert (await account.create("after")).uidvalidity == high + 2


async def test_a_special_use_goes_to_the_adopted_mailbox_unless_the_other_one_is_in_use(account: Account) -> None:
    assert (await account.adopt_mailbox("Gesendet", OLD, FIRST, special_use="\\Sent")).special_use == "\\Sent"
    assert (await account.mailbox("Sent")).special_use is None
    trash = await account.mailbox("Trash")
    await account.append(trash.id, [incoming()])
    assert (await account.adopt_mailbox("Papierkorb", OLD, FIRST, special_use="\\Trash")).special_use is None
    assert (await account.mailbox("Trash")).special_use == "\\Trash"


async def test_a_client_with_a_high_modseq_of_the_other_server_is_told_everything(account: Account) -> None:
    far = ModSeq(5_000_000)
    made = await account.adopt_mailbox("INBOX", OLD, FIRST, highestmodseq=far)
    await account.adopt(made.id, [message(1), message(2)])
    assert (await account.touched(made.id, far)).changed == uids(1, 2)
    further = ModSeq(6_000_000)
    await account.adopt_mailbox("INBOX", OLD, FIRST, highestmodseq=further)
    assert (await account.touched(made.id, further)).changed == uids(1, 2)
    now = await account.mailbox("INBOX")
    assert now.highestmodseq > further
    await account.adopt_mailbox("INBOX", OLD, FIRST, highestmodseq=further)
    assert await account.mailbox("INBOX") == now
    with pytest.raises(Refused):
        await account.adopt_mailbox("INBOX", OLD, FIRST, highestmodseq=ModSeq(2**62))


async def test_used_uids_are_left_out_and_the_answer_says_why(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    await account.adopt(mailbox, [message(2), message(3), message(5)])
    await account.remove(mailbox, uids(3))
    (new,) = (await account.append(mailbox, [incoming()])).uids
    found = await account.adopt(mailbox, [message(1), message(2), message(3), message(new), message(7)])
    assert found.uids == uids(7)
    assert (found.there, found.gone, found.other) == (uids(2), uids(1, 3), uids(6))
    assert (await account.mailbox("INBOX")).messages == 4


async def test_uids_that_are_given_twice_or_do_not_ascend_are_left_out(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    found = await account.adopt(mailbox, [message(5), message(5, text="second"), message(4), message(None)])
    assert (found.uids, found.other, found.gone) == (uids(5, 6), uids(4, 5), uids())


async def test_messages_without_uids_get_the_next_ones(account: Account) -> None:
    mailbox = await fill(account, 2)
    found = await account.adopt(mailbox, [message(None, text="a"), message(None, text="b"), message(None, text="a")])
    assert found.uids == uids(3, 4, 5)


async def test_a_key_is_imported_once_even_if_its_message_was_expunged(account: Account) -> None:
    mailbox = await fill(account, 1)
    some = [message(None, text="a", key=b"one"), message(None, text="b", key=b"two")]
    first = await account.adopt(mailbox, some)
    assert (first.uids, first.known) == (uids(2, 3), 0)
    await account.remove(mailbox, uids(2))
    again = await account.adopt(mailbox, [*some, message(None, text="c", key=b"three")])
    assert (again.uids, again.known) == (uids(4), 2)
    assert await account.imported(mailbox, [b"one", b"two", b"four"]) == {b"one", b"two"}
    assert await account.imported(mailbox, [b"%d" % number for number in range(2000)]) == frozenset()


async def test_the_key_of_a_message_that_is_here_already_is_remembered(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    await account.adopt(mailbox, [message(1)])
    assert (await account.adopt(mailbox, [message(1, key=b"one")])).there == uids(1)
    assert (await account.adopt(mailbox, [message(1, key=b"one")])).known == 1


async def test_keys_belong_to_a_mailbox_and_go_with_it(account: Account) -> None:
    mailbox = (await adopted_mailbox(account, "Old")).id
    await account.adopt(mailbox, [message(1, key=b"one")])
    await account.rename("Old", "Older")
    assert await account.imported(mailbox, [b"one"]) == {b"one"}
    await account.renew()
    renewed = await account.mailbox("Older")
    assert await account.imported(renewed.id, [b"one"]) == {b"one"}
    await account.delete("Older")
    made = await account.create("Older")
    assert await account.imported(made.id, [b"one"]) == frozenset()


async def test_adopted_messages_are_not_recent(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    await account.adopt(mailbox, [message(10)])
    assert (await account.mailbox("INBOX")).recent == 0
    await account.append(mailbox, [incoming()])
    assert (await account.select("INBOX", claim_recent=True)).recent == uids(11)
    await account.append(mailbox, [incoming()])
    await account.adopt(mailbox, [message(20)])
    assert (await account.mailbox("INBOX")).recent == 2, "a message that is new comes before the adopted one"


async def test_a_client_learns_of_adopted_messages_and_of_the_gaps_between_them(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    await account.adopt(mailbox, [message(1)])
    before = await account.mailbox("INBOX")
    watch = account.watch(mailbox)
    await account.adopt(mailbox, [message(3), message(9)])
    assert watch.fired
    watch.close()
    changes = await account.changes(
        mailbox,
        since=before.highestmodseq,
        expunged_since=before.highestmodseq,
        uidnext=before.uidnext,
        claim_recent=False,
    )
    assert (changes.arrived, changes.uidnext) == (uids(3, 9), 10)
    assert changes.expunged == uids(2, 4, 5, 6, 7, 8)


async def test_a_batch_that_is_refused_changes_nothing(opened: OpenStore) -> None:
    store = await opened(quota={Resource.MESSAGE: 3})
    account = await store.account(await store.directory.add("linda", {}))
    mailbox = (await adopted_mailbox(account)).id
    await account.adopt(mailbox, [message(1), message(2, key=b"two")])
    before = await account.mailbox("INBOX")
    with pytest.raises(Refused) as refused:
        await account.adopt(mailbox, [message(3, key=b"three"), message(4)])
    assert refused.value.code is Code.OVERQUOTA
    assert await account.mailbox("INBOX") == before
    assert await account.imported(mailbox, [b"two", b"three"]) == {b"two"}
    assert (await account.adopt(mailbox, [message(3)])).uids == uids(3)


async def test_the_last_uids_of_a_mailbox(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    assert (await account.adopt(mailbox, [message(MAX_UINT32 - 1)])).uids == uids(MAX_UINT32 - 1)
    with pytest.raises(Refused) as refused:
        await account.adopt(mailbox, [message(MAX_UINT32)])
    assert refused.value.code is Code.LIMIT
    with pytest.raises(Refused):
        await account.adopt_mailbox("INBOX", OLD, Uid(MAX_UINT32 + 1))


async def test_adopted_messages_can_be_changed_as_any_other(account: Account) -> None:
    mailbox = (await adopted_mailbox(account)).id
    await account.adopt(mailbox, [message(7, "$Work"), message(70)])
    await account.store_flags(mailbox, uids(7, 70), FlagChange.ADD, frozenset({"\\Deleted"}))
    assert (await account.expunge(mailbox, uids(7))).uids == uids(7)
    copied = await account.copy(mailbox, uids(70), "Sent")
    assert (copied.sources, copied.targets) == (uids(70), uids(1))


async def test_a_mailbox_that_is_gone(account: Account) -> None:
    with pytest.raises(Refused) as refused:
        await account.adopt(MailboxId(12345), [message(1)])
    assert refused.value.code is Code.NONEXISTENT


numbers = st.none() | st.integers(1, 12)
batches = st.lists(st.lists(st.tuples(numbers, st.sampled_from("ab"), st.none() | st.integers(0, 9)), max_size=5))


@settings(deadline=None)
@given(batches)
def test_the_rule_gives_no_uid_twice_and_accounts_for_every_message(
    asked: Sequence[Sequence[tuple[int | None, str, int | None]]],
) -> None:
    octets = {letter: Incoming(incoming(octets=raw(text=letter)).arrival) for letter in "ab"}
    box = Box(MailboxId(1), OLD, 1, ModSeq(1), 1, "")
    there: dict[Uid, bytes] = {}
    keys: set[bytes] = set()
    given_uids: set[Uid] = set()
    for batch in asked:
        messages = [
            Adopted(octets[letter], None if uid is None else Uid(uid), key=None if key is None else b"%d" % key)
            for uid, letter, key in batch
        ]
        before = box.uidnext
        digests: Mapping[Uid, bytes] = {
            uid: there[uid] for uid in adoption.given_below(messages, before) if uid in there
        }
        sorting = adoption.sort_out(box, messages, keys, digests)
        new = [uid for uid, _ in sorting.new]
        assert new == sorted(set(new))
        assert not given_uids & set(new)
        assert all(before <= uid < box.uidnext for uid in new)
        gaps = {uid for first, last in sorting.gaps for uid in range(first, last + 1)}
        assert gaps | set(new) == set(range(before, box.uidnext))
        assert not gaps & set(new)
        assert len(new) + sorting.known + len(sorting.there) + len(sorting.other) + len(sorting.gone) == len(messages)
        assert not keys & set(sorting.keys)
        assert len(sorting.keys) == len(set(sorting.keys))
        given_uids |= set(new)
        keys |= set(sorting.keys)
        there |= {uid: each.incoming.arrival.digest for uid, each in sorting.new}
