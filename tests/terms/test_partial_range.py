"""Pages of results (RFC 9394)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.partial_range import PartialRange
from mektup.terms.sets import NumberSet

results = st.sets(st.integers(1, 60), max_size=30).map(sorted)
number = st.integers(1, 40) | st.just(2**32 - 1)


@given(results, number, number)
def test_a_page_from_the_front_has_the_results_at_its_positions(found: list[int], one: int, other: int) -> None:
    first, last = sorted((one, other))
    wanted = [each for position, each in enumerate(found, 1) if first <= position <= last]
    assert list(PartialRange(one, other).of_list(found)) == wanted
    assert list(PartialRange(one, other).of_set(NumberSet.of(found))) == wanted


@given(results, number, number)
def test_a_page_from_the_end_is_the_same_of_the_reversed_result(found: list[int], one: int, other: int) -> None:
    reversed_page = PartialRange(one, other).of_list(found[::-1])
    assert list(PartialRange(-one, -other).of_list(found)) == list(reversed_page)[::-1]
    assert PartialRange(-one, -other).of_set(NumberSet.of(found)) == NumberSet.of(reversed_page)
