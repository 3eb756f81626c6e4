"""Sorting in pieces gives the same result as sorting at once."""

import random

import pytest

from mektup.store.sorting.fair_order import SORTED_AT_ONCE, sorted_in_turns


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("different", [1, 7, 10**6])
@pytest.mark.parametrize("count", [0, 1, SORTED_AT_ONCE, 5 * SORTED_AT_ONCE + 3])
def test_the_same_as_sorted(count: int, different: int, reverse: bool) -> None:
    chance = random.Random(7)
    keys = [chance.randrange(different) for _ in range(count)]
    places = range(count)
    expected = sorted(places, key=keys.__getitem__, reverse=reverse)
    assert sorted_in_turns(places, keys.__getitem__, reverse=reverse) == expected
