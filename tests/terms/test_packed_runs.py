"""Packed runs hold the same numbers as a set."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.packed_runs import FEW, PackedRuns
from mektup.terms.sets import NumberSet

some = st.frozensets(st.integers(1, 40), max_size=40)
many = st.integers(1, 3).map(lambda step: frozenset(range(1, 12 * FEW, step)))
numbers = some | many


@given(numbers, st.lists(st.tuples(st.booleans(), numbers), max_size=8), numbers)
def test_any_changes_leave_the_same_numbers_as_in_a_set(
    start: frozenset[int], changes: list[tuple[bool, frozenset[int]]], asked: frozenset[int]
) -> None:
    packed = PackedRuns[int](NumberSet.of(start))
    there = set(start)
    for adds, changed in changes:
        if adds:
            packed.add(NumberSet.of(changed))
            there |= changed
        else:
            packed.remove(NumberSet.of(changed))
            there -= changed
    assert packed.unpacked() == NumberSet.of(there)
    assert packed.common(NumberSet.of(asked)) == NumberSet.of(there & asked)
    assert packed.octets == 8 * len(NumberSet.of(there).runs)
