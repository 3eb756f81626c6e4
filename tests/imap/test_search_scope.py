"""Keys that only a session understands are resolved before the store sees a search."""

from __future__ import annotations

import pytest

from mektup.imap.search_scope import scoped
from mektup.terms.numbers import Uid
from mektup.terms.search import All, And, ChangedSince, HasFlag, InSeqs, InUids, InUidSet, Not, Or, Recent, SearchKey
from mektup.terms.sets import STAR, NumberSet, SavedResult, SequenceSet

from .test_view import view_of


def test_sequence_numbers_uids_and_recent_become_uids() -> None:
    view = view_of(3, 4, 9)
    view.recent = NumberSet(((9, 9),))
    key = And((InSeqs(SequenceSet(((1, 2),))), Or(InUidSet(SequenceSet(((4, 0),))), Recent()), Not(HasFlag("\\Seen"))))
    assert scoped(key, view).key == And(
        (
            InUids(NumberSet(((3, 4),))),
            Or(InUids(NumberSet(((4, 4), (9, 9)))), InUids(NumberSet(((9, 9),)))),
            Not(HasFlag("\\Seen")),
        )
    )


def test_the_saved_result_leaves_out_missing_messages() -> None:
    view = view_of(3, 4)
    view.saved = NumberSet(((2, 3),))
    assert scoped(InSeqs(SavedResult()), view).key == InUids(NumberSet(((3, 3),)))


def test_kinds_are_known_at_any_depth() -> None:
    key = Or(All(), Not(And((ChangedSince(7), All()))))
    assert scoped(key, view_of(1)).mentions(ChangedSince)
    assert not scoped(All(), view_of(1)).mentions(ChangedSince)


def test_any_depth_is_resolved() -> None:
    key: SearchKey = InSeqs(SequenceSet(((1, 1),)))
    for _ in range(50_000):
        key = Not(key)
    rebuilt = scoped(key, view_of(5)).key
    depth = 0
    while isinstance(rebuilt, Not):
        rebuilt, depth = rebuilt.key, depth + 1
    assert (rebuilt, depth) == (InUids(NumberSet(((5, 5),))), 50_000)


@pytest.mark.parametrize("numbers", [(2, 2), (3, 2), (STAR, 9), (2, 4294967295)])
def test_a_number_beyond_the_mailbox_matches_nothing(numbers: tuple[int, int]) -> None:
    asked = InSeqs(SequenceSet((numbers,)))
    last = {Uid(5)} if STAR in numbers else set()
    assert scoped(asked, view_of(5)).key == InUids(NumberSet.of(last))
    assert scoped(Not(asked), view_of(5)).key == Not(InUids(NumberSet.of(last)))
    assert scoped(asked, view_of()).key == InUids(NumberSet())


def test_a_range_matches_only_existing_messages() -> None:
    asked = InSeqs(SequenceSet(((9, 2), (7, 7))))
    assert scoped(asked, view_of(5, 6, 8)).key == InUids(NumberSet.of([Uid(6), Uid(8)]))
