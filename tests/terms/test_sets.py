"""Sets of runs give the same results as Python's sets; their cost depends on the number of runs."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import MAX_UINT32, Uid
from mektup.terms.sets import STAR, NumberSet, Run, SequenceSet, merge_runs
from mektup.wire.arguments import sequence_set
from mektup.wire.cursor import CommandCursor

NUMBERS = st.sets(st.integers(1, 60))
RUNS = st.lists(st.tuples(st.integers(1, 60), st.integers(0, 12)).map(lambda run: (run[0], run[0] + run[1])))
Numbers = set[int]


def of(numbers: Numbers) -> NumberSet[Uid]:
    return NumberSet.of(map(Uid, numbers))


def check(made: NumberSet[Uid], expected: Numbers) -> None:
    """The same numbers, in their canonical form."""
    assert set(made) == expected
    assert list(made) == sorted(expected)
    assert made.runs == merge_runs((number, number) for number in expected)
    assert all(first <= last for first, last in made.runs)
    assert all(one[1] + 1 < other[0] for one, other in zip(made.runs, made.runs[1:], strict=False))
    assert isinstance(made.runs, tuple)
    assert len(made) == len(expected)
    assert bool(made) == bool(expected)
    assert made == of(expected)
    assert hash(made) == hash(of(expected))


@given(NUMBERS)
def test_making(numbers: Numbers) -> None:
    check(of(numbers), numbers)
    check(NumberSet.of_sorted(sorted(numbers)), numbers)
    check(NumberSet((number, number) for number in numbers), numbers)


@given(RUNS)
def test_making_of_runs(runs: list[Run]) -> None:
    numbers = {number for first, last in runs for number in range(first, last + 1)}
    check(NumberSet(runs), numbers)
    check(NumberSet(reversed(runs)), numbers)


@given(st.integers(1, 9), st.integers(0, 9))
def test_span(first: int, last: int) -> None:
    check(NumberSet.span(first, last), set(range(first, last + 1)))


@given(NUMBERS, NUMBERS)
def test_algebra(one: Numbers, other: Numbers) -> None:
    check(of(one) | of(other), one | other)
    check(of(one) & of(other), one & other)
    check(of(one) - of(other), one - other)
    assert (of(one) == of(other)) == (one == other)


@given(NUMBERS, st.integers(0, 70))
def test_looking_up(numbers: Numbers, number: int) -> None:
    made = of(numbers)
    assert (number in made) == (number in numbers)
    assert made.rank(number) == sum(1 for other in numbers if other <= number)


@given(NUMBERS)
def test_positions(numbers: Numbers) -> None:
    made = of(numbers)
    assert [made.nth(position) for position in range(1, len(numbers) + 1)] == sorted(numbers)
    assert [made.rank(number) for number in sorted(numbers)] == list(range(1, len(numbers) + 1))
    for position in (0, -1, len(numbers) + 1):
        with pytest.raises(IndexError):
            made.nth(position)


@given(NUMBERS, st.integers(1, 5))
def test_pieces(numbers: Numbers, runs: int) -> None:
    whole = of(numbers)
    pieces = list(whole.pieces(runs))
    assert tuple(run for piece in pieces for run in piece.runs) == whole.runs
    assert all(len(piece.runs) == runs for piece in pieces[:-1])
    assert not pieces or 0 < len(pieces[-1].runs) <= runs


@given(NUMBERS.filter(bool))
def test_ends(numbers: Numbers) -> None:
    assert (of(numbers).first, of(numbers).last) == (min(numbers), max(numbers))


def test_the_empty_set() -> None:
    empty: NumberSet[Uid] = NumberSet()
    check(empty, set())
    assert bytes(empty) == b""
    assert repr(empty) == "NumberSet(empty)"
    with pytest.raises(IndexError):
        _ = empty.first
    with pytest.raises(IndexError):
        _ = empty.last


@given(NUMBERS, st.integers(1, 20))
def test_slices(numbers: Numbers, count: int) -> None:
    pieces = list(of(numbers).slices(count))
    assert [number for piece in pieces for number in piece] == sorted(numbers)
    assert [len(piece) for piece in pieces[:-1]] == [count] * (len(pieces) - 1)
    for piece in pieces:
        check(piece, set(piece))
        assert 0 < len(piece) <= count


@given(NUMBERS.filter(bool))
def test_rendering_round_trip(numbers: Numbers) -> None:
    rendered = bytes(of(numbers))
    cursor = CommandCursor((rendered,), (), utf8=False, limits=DEFAULT_LIMITS)
    check(sequence_set(cursor).resolve(60), numbers)
    assert cursor.at_end


def test_rendering() -> None:
    assert bytes(of({1, 2, 3, 5, 7, 8})) == b"1:3,5,7:8"
    assert repr(of({1, 2})) == "NumberSet(1:2)"


# Sequence sets

ENDS = st.integers(STAR, 30)


@given(st.lists(st.tuples(ENDS, ENDS), min_size=1), st.integers(0, 20))
def test_resolve(ranges: list[Run], largest: int) -> None:
    expected = set()
    for one, other in ranges:
        first, last = sorted((one or largest, other or largest))
        expected |= set(range(first, last + 1)) - {0}
    check(SequenceSet(tuple(ranges)).resolve(largest), expected)


@pytest.mark.parametrize(
    ("ranges", "largest", "rendered"),
    [
        # RFC 9051 §9, the examples at sequence-set and seq-range.
        (((2, 2), (4, 7), (9, 9), (12, STAR)), 15, b"2,4:7,9,12:15"),
        (((STAR, 4), (5, 7)), 10, b"4:10"),
        (((4, 2),), 9, b"2:4"),
        (((3291, STAR),), 3290, b"3290:3291"),
        (((STAR, STAR),), 7, b"7"),
        (((STAR, STAR),), 0, b""),
        (((1, MAX_UINT32),), 7, b"1:4294967295"),
    ],
)
def test_resolve_examples(ranges: tuple[Run, ...], largest: int, rendered: bytes) -> None:
    assert bytes(SequenceSet(ranges).resolve(largest)) == rendered


@pytest.mark.parametrize(
    ("ranges", "largest_named", "names_star"),
    [
        (((1, 5), (3, 3)), 5, False),
        (((9, 5),), 9, False),
        (((3, STAR),), 3, True),
        (((STAR, 4),), 4, True),
        (((STAR, STAR),), 0, True),
    ],
)
def test_names_star_and_largest_named(ranges: tuple[Run, ...], largest_named: int, names_star: bool) -> None:
    assert SequenceSet(ranges).largest_named == largest_named
    assert SequenceSet(ranges).names_star is names_star


def test_looking_up_a_few_in_many_runs_is_cheap() -> None:
    """A thousand look-ups in a mailbox of 200,000 runs: by bisection, not from the start."""
    many: NumberSet[Uid] = NumberSet._ready(tuple((number, number) for number in range(1, 400_001, 2)))
    started = time.process_time()
    for number in range(399_001, 400_001):
        assert bool(many & NumberSet.span(number, number)) == (number % 2 == 1)
    assert time.process_time() - started < 0.2
