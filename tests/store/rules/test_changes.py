"""The changes since a modseq, computed from the sets of touched and of expunged messages."""

from __future__ import annotations

from mektup.store.interface import Changes, Mailbox, Selection
from mektup.store.rules.changes import (
    UNKNOWN,
    Known,
    Since,
    selection,
    with_recent,
    with_recent_arrived,
    with_recent_unclaimed,
)
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import Uids


def uids(*numbers: int) -> Uids:
    return Uids.of(Uid(number) for number in numbers)


def opened(known: Known, *, recent: int = 0) -> Selection:
    count = len(known.uids)
    box = Mailbox(
        MailboxId(1), "a", UidValidity(1), Uid(known.uidnext), known.modseq, count, 0, 0, 0, recent, "F", None, True
    )
    return selection(box, known, ["$A"])


def test_no_changes_since_the_highest_modseq() -> None:
    assert Since(ModSeq(5), ModSeq(5), Uid(1)).is_now(ModSeq(5))
    assert not Since(ModSeq(5), ModSeq(4), Uid(1)).is_now(ModSeq(5))
    assert not Since(ModSeq(4), ModSeq(5), Uid(1)).is_now(ModSeq(5))


def test_arrivals_flags_and_expunges_are_told_apart() -> None:
    since = Since(ModSeq(5), ModSeq(3), Uid(10))
    touched, expunged = uids(1, 2, 9, 10, 12), uids(2, 11)
    assert since.flags_changed(touched, expunged) == uids(1, 9)
    flags = [(Uid(1), 1, ModSeq(6)), (Uid(9), 0, ModSeq(7))]
    assert since.told(ModSeq(8), Uid(13), "$A $B", uids(1, 9), flags, expunged) == Changes(
        ModSeq(8), Uid(13), uids(10, 12), Uids(), uids(1, 9), flags, expunged, ("$A", "$B")
    )


def test_known_uids_are_updated() -> None:
    known = Known(ModSeq(5), 6, uids(1, 2, 5), Uid(2))
    assert known.uids_now(9, uids(2, 7)) == uids(1, 5, 6, 8)
    assert UNKNOWN.uids_now(4, uids(2)) == uids(1, 3)


def test_below_the_first_unseen_only_what_was_touched_may_be_unseen() -> None:
    known = Known(ModSeq(5), 10, Uids.span(1, 9), Uid(4))
    assert known.unseen_from == 4
    assert known.may_be_unseen(uids(1, 3, 4, 7)) == uids(1, 3)
    all_seen = Known(ModSeq(5), 10, Uids.span(1, 9), None)
    assert all_seen.unseen_from == 10
    assert all_seen.may_be_unseen(uids(1, 10)) == uids(1)


def test_recent_is_what_was_claimed() -> None:
    found = opened(Known(ModSeq(5), 6, uids(1, 3, 5), None))
    assert (found.recent, found.keywords) == (Uids(), ("$A",))
    assert with_recent(found, Uid(3)).recent == uids(3, 5)
    assert with_recent(found, None).recent == Uids()


def test_unclaimed_messages_are_recent_too() -> None:
    known = Known(ModSeq(5), 6, uids(1, 3, 5), None)
    assert with_recent_unclaimed(opened(known, recent=2)).recent == uids(3, 5)


def test_only_claimed_arrivals_are_recent() -> None:
    found = Since(ModSeq(1), ModSeq(1), Uid(5)).told(ModSeq(2), Uid(9), "", Uids(), (), uids(6))
    assert with_recent_arrived(found, Uid(7)).recent == uids(7, 8)
    assert with_recent_arrived(found, None).recent == Uids()
