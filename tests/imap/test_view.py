"""Sequence numbers and UIDs of a view: which message a number means for this client."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.imap.sync.view import View
from mektup.store.interface import Changes, Mailbox, Selection
from mektup.store.memo import Memory
from mektup.store.quota import DefaultQuota
from mektup.store.sorting.sort_keys import Remembered
from mektup.store.watch import ChangeNotifier
from mektup.terms.errors import ClientError, Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.rights import ALL, Rights
from mektup.terms.sets import NumberSet, SavedResult, SequenceSet, Uids
from tests.support.naive.account import NaiveAccount


def view_of(*uids: int, read_only: bool = False, rights: Rights = ALL) -> View:
    known: Uids = NumberSet((uid, uid) for uid in uids)
    mailbox = Mailbox(
        id=MailboxId(1),
        name="INBOX",
        uidvalidity=UidValidity(7),
        uidnext=Uid(max(uids, default=0) + 1),
        highestmodseq=ModSeq(5),
        messages=len(uids),
        unseen=0,
        deleted=0,
        size=0,
        recent=0,
        mailboxid="F1",
        special_use=None,
        selectable=True,
    )
    selection = Selection(mailbox, known, None, (), NumberSet())
    notifier, limits = ChangeNotifier(None), DEFAULT_LIMITS
    keys = Remembered(Memory(limits.remembered_bytes), limits.thread_references)
    account = NaiveAccount(AccountId("a"), "linda", notifier, limits, keys, DefaultQuota())
    return View(selection, account, account.watch(MailboxId(1)), read_only=read_only, rights=rights)


def changes(arrived: Uids, recent: Uids) -> Changes:
    return Changes(ModSeq(6), Uid(100), arrived, recent, NumberSet(), (), NumberSet(), ())


def test_sequence_numbers_are_positions() -> None:
    view = view_of(3, 4, 9)
    assert bytes(view.resolve(SequenceSet(((1, 2),)), by_uid=False)) == b"3:4"
    assert bytes(view.resolve(SequenceSet(((3, 0),)), by_uid=False)) == b"9"
    assert bytes(view.seqs(NumberSet(((4, 9),)))) == b"2:3"


def test_uids_that_do_not_exist_are_ignored() -> None:
    view = view_of(3, 4, 9)
    assert bytes(view.resolve(SequenceSet(((4, 8), (700, 701))), by_uid=True)) == b"4"


def test_star_beyond_the_last_uid_is_the_last_message() -> None:
    # RFC 9051 §9 seq-range: 100:* names the last message, whatever its UID
    assert bytes(view_of(3, 4, 9).resolve(SequenceSet(((100, 0),)), by_uid=True)) == b"9"


@pytest.mark.parametrize("numbers", [((4, 4),), ((1, 4),), ((0, 7),)])
def test_a_sequence_number_beyond_the_mailbox_is_a_mistake(numbers: tuple[tuple[int, int], ...]) -> None:
    with pytest.raises(ClientError, match="there are 3 messages"):
        view_of(3, 4, 9).resolve(SequenceSet(numbers), by_uid=False)


def test_star_in_an_empty_mailbox_is_a_mistake_by_number_and_nothing_by_uid() -> None:
    with pytest.raises(ClientError, match="empty"):
        view_of().resolve(SequenceSet(((1, 0),)), by_uid=False)
    assert not view_of().resolve(SequenceSet(((1, 0),)), by_uid=True)


def test_expunge_numbers_count_without_earlier_expunges() -> None:
    # RFC 9051 §6.4.3: of eleven messages, 3, 4, 7 and 11 are expunged: told as 3, 3, 5, 8
    view = view_of(*range(1, 12))
    assert list(view.expunge(NumberSet(((3, 4), (7, 7), (11, 11))))) == [3, 3, 5, 8]
    assert bytes(view.uids) == b"1:2,5:6,8:10"


def test_the_saved_result_forgets_what_is_expunged() -> None:
    view = view_of(1, 2, 3)
    view.saved = NumberSet(((1, 3),))
    list(view.expunge(NumberSet(((2, 2),))))
    assert bytes(view.resolve(SavedResult(), by_uid=False)) == b"1,3"


def test_arrivals_join_at_the_end() -> None:
    view = view_of(1, 2)
    assert view.arrive(changes(NumberSet(((8, 9),)), NumberSet(((9, 9),))))
    assert len(view) == 4
    assert view.seq(Uid(9)) == 4
    assert bytes(view.recent) == b"9"
    assert not view.arrive(changes(NumberSet(), NumberSet()))


def test_rows_are_numbered_with_and_without_holes() -> None:
    view = view_of(2, 4, 5, 6, 9)
    assert list(view.number([(4,), (5,), (6,)])) == [2, 3, 4]
    assert list(view.number([(2,), (6,)])) == [1, 4]


def test_read_only_refuses() -> None:
    with pytest.raises(Refused, match="read-only"):
        view_of(1, read_only=True).check_writable()
    view_of(1).check_writable()


@given(st.sets(st.integers(1, 300)), st.sets(st.integers(1, 300)))
def test_applying_each_expunge_gives_the_remaining_uids(known: set[int], gone: set[int]) -> None:
    view = view_of(*known)
    client = sorted(known)
    for seq in view.expunge(NumberSet((uid, uid) for uid in gone)):
        del client[seq - 1]
    assert client == sorted(known - gone) == list(view.uids)


def test_a_right_that_the_client_does_not_have_is_refused() -> None:
    view_of(1).require("te")
    with pytest.raises(Refused) as refused:
        view_of(1, rights=frozenset("lrt")).require("te")
    assert refused.value.code is Code.NOPERM
