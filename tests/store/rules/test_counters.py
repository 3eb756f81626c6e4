"""A mailbox during a change: the next numbers, the counters, the keywords."""

from __future__ import annotations

import pytest

from mektup.store.rules.counters import DELETED, SEEN, Box, next_uidvalidity
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq, UidValidity

FLAGGED = 4


def box(*, uidnext: int = 1, recent_from: int = 1, keywords: str = "") -> Box:
    return Box(MailboxId(1), UidValidity(1), uidnext, ModSeq(1), recent_from, keywords)


def counters(of: Box) -> tuple[int, int, int, int, int]:
    return of.messages, of.unseen, of.deleted, of.size, of.recent


def test_a_uidvalidity_ascends_whatever_the_clock_says() -> None:
    assert next_uidvalidity(5, 1000) == 1000
    assert next_uidvalidity(1000, 1000) == 1001
    assert next_uidvalidity(2000, 1000) == 2001
    assert next_uidvalidity(MAX_UINT32 - 1, 1000) == MAX_UINT32
    with pytest.raises(Refused) as caught:
        next_uidvalidity(MAX_UINT32, 1000)
    assert caught.value.code is Code.LIMIT


def test_uids_ascend_and_end() -> None:
    one = box(uidnext=7)
    assert list(one.name_uids(3)) == [7, 8, 9]
    assert list(one.name_uids(0)) == []
    assert one.uidnext == 10
    with pytest.raises(Refused) as caught:
        box(uidnext=MAX_UINT32).name_uids(1)
    assert caught.value.code is Code.LIMIT


def test_arrivals_and_expunges_are_counted() -> None:
    one = box(recent_from=5)
    one.count(0, 100, 4, 1)
    one.count(SEEN | DELETED, 10, 5, 1)
    assert counters(one) == (2, 1, 1, 110, 1)
    one.count(SEEN | DELETED, 10, 5, -1)
    one.count(0, 100, 4, -1)
    assert counters(one) == (0, 0, 0, 0, 0)


@pytest.mark.parametrize("old", range(16))
@pytest.mark.parametrize("new", range(16))
def test_a_change_of_flags_counts_as_if_the_message_went_and_came(old: int, new: int) -> None:
    changed, anew = box(), box()
    changed.recount(old, new)
    anew.count(old, 1, 1, -1)
    anew.count(new, 1, 1, 1)
    assert counters(changed) == counters(anew)


def test_keywords_are_kept_by_first_use_in_their_first_spelling() -> None:
    one = box(keywords="$A b")
    one.use_keywords(["B", "$New", "$a", "c"], Limits())
    assert one.keywords == "$A b $New c"


def test_keywords_have_bounds() -> None:
    for names, limits in ((["a", "b", "c"], Limits(keywords_per_mailbox=2)), (["x" * 9], Limits(keyword_bytes=8))):
        with pytest.raises(Refused) as caught:
            box().use_keywords(names, limits)
        assert caught.value.code is Code.LIMIT
    one = box(keywords="a b c")
    one.use_keywords(["A"], Limits(keywords_per_mailbox=2))
    assert one.keywords == "a b c"
