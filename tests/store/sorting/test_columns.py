"""After any additions and removals, a column has the right rank for each of its texts."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from mektup.store.sorting.columns import Column, MessageIds, Numbers, Texts

WORDS = st.sampled_from(["", "a", "b", "ab", "ä", "z", "_", "[x]", "Ж", "a b", "日本"])
STEPS = st.lists(
    st.one_of(
        st.lists(WORDS, max_size=6),
        st.sets(st.integers(0, 20)),
    ),
    max_size=8,
)
"""Words to add, or the indices of entries to remove."""


def taken(values: Sequence[str], places: set[int]) -> list[str]:
    return [value for place, value in enumerate(values) if place not in places]


def after(column: Column, step: list[str] | set[int], count: int) -> Column:
    """A copy of *column*, which has *count* entries, after adding words, two at a time, or after removing entries."""
    changed = column.copy()
    if isinstance(step, set):
        changed.thin([place not in step for place in range(count)])
    else:
        for start in range(0, len(step), 2):
            changed.feed(step[start : start + 2])
        changed.settle()
    return changed


def order(values: Sequence[str]) -> list[int]:
    """The expected numbers: the rank of each text among the different texts."""
    different = sorted({value.upper() for value in values})
    return [different.index(value.upper()) for value in values]


def like(numbers: Sequence[int]) -> list[int]:
    different = sorted(set(numbers))
    return [different.index(number) for number in numbers]


@given(STEPS)
def test_texts_are_numbers_in_their_order(steps: list[list[str] | set[int]]) -> None:
    column = Texts()
    values: list[str] = []
    for step in steps:
        before = list(column.numbers)
        changed = after(column, step, len(values))
        assert list(column.numbers) == before, "others may be looking at it"
        values = taken(values, step) if isinstance(step, set) else values + step
        assert like(changed.numbers) == like(
            order([value.replace("ä", "a\N{COMBINING DIAERESIS}") for value in values])
        )
        assert [number == 0 for number in changed.numbers] == [value == "" for value in values]
        assert isinstance(changed, Texts)
        column = changed


IDS = st.lists(st.sampled_from(["a@b", "c@d", "e@f", "g@h"]), max_size=3)
LETTERS = st.tuples(st.sampled_from(["", "a@b", "c@d", "x@y"]), IDS)


@given(st.lists(st.one_of(st.lists(LETTERS, max_size=5), st.sets(st.integers(0, 15))), max_size=8))
def test_message_ids_keep_who_refers_to_whom(steps: list[list[tuple[str, list[str]]] | set[int]]) -> None:
    column: Column = MessageIds()
    letters: list[tuple[str, list[str]]] = []
    for step in steps:
        if isinstance(step, set):
            column = after(column, step, len(letters))
            letters = [letter for place, letter in enumerate(letters) if place not in step]
        else:
            column = after(column, [f"{own} {' '.join(others)}" for own, others in step], len(letters))
            letters += step
        assert isinstance(column, MessageIds)
        found = told(column)
        texts = [own for own, _ in letters] + [other for _, others in letters for other in others]
        numbers = [own for own, _ in found] + [other for _, others in found for other in others]
        assert [len(others) for _, others in found] == [len(others) for _, others in letters]
        assert [numbers.index(number) for number in numbers] == [texts.index(text) for text in texts]
        assert [own == 0 for own, _ in found] == [own == "" for own, _ in letters]


def told(column: MessageIds) -> list[tuple[int, list[int]]]:
    """For each message its own ID and the IDs that it refers to."""
    ends = list(accumulate(column.counts))
    contents = [
        (own, list(column.others[end - count : end]))
        for own, count, end in zip(column.own, column.counts, ends, strict=True)
    ]
    return [contents[content] for content in column.numbers]


def test_copies_share_their_message_ids() -> None:
    ids = MessageIds()
    for values in (["7", "a@b c@d"], ["7", "7", "9"]):
        for content in ids.unknown(values):
            ids.learn(content, {"7": "e@f a@b c@d", "9": " c@d"}[content])
        ids.feed(values)
    assert len(ids.others) == 4
    ids.settle()
    a, c, e = map(hash, ("a@b", "c@d", "e@f"))
    assert told(ids) == [(e, [a, c]), (a, [c]), (e, [a, c]), (e, [a, c]), (0, [c])]
    assert len(ids.counts) == 3


def test_a_nul_parts_nothing() -> None:
    texts = Texts()
    texts.feed(["a\0b", "ab", "a"])
    texts.settle()
    assert list(texts.numbers) == [2, 2, 1]
    ids = MessageIds()
    ids.feed(["a\0@b c@d"])
    ids.settle()
    assert (len(ids.own), len(ids.others)) == (1, 1)


def test_memory_is_told() -> None:
    numbers, texts, ids = Numbers(), Texts(), MessageIds()
    numbers.feed(range(1000))
    texts.feed([f"text {number}" for number in range(1000)])
    ids.feed([f"{number}@example.org {number - 1}@example.org" for number in range(1000)])
    for column in (numbers, texts, ids):
        column.settle()
    assert numbers.octets == 8000
    assert 4000 + 8000 < texts.octets < 20_000
    assert ids.octets == 24_000
