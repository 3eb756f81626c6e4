"""THREAD's algorithms give the same as a naive implementation of RFC 5256, and are quick for hostile messages."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mektup.store.sorting.conversations import DUMMY, Letters, Outline, ordered_subject, references, refs
from mektup.store.sorting.node_table import MANY_IDS, NodeTable
from mektup.store.sorting.thread_trees import NONE, ThreadTrees
from tests.store.sorting import naive_threads
from tests.store.sorting.naive_threads import Letter, Tree

IDS = st.sampled_from(["", *"abcdefgh"])
NAMED = st.sampled_from("abcdefghxyz")
LETTERS = st.lists(
    st.builds(
        Letter,
        date=st.integers(0, 5),
        subject=st.sampled_from(["", "p", "q", "r", "s"]),
        is_reply=st.booleans(),
        id=IDS,
        references=st.lists(NAMED, max_size=5).map(tuple),
        arrived=st.integers(0, 5),
    ),
    max_size=14,
)


def columns(letters: Sequence[Letter]) -> Letters:
    """The input of the algorithm: texts as numbers."""
    names = sorted(
        {"", *(letter.id for letter in letters), *(each for letter in letters for each in letter.references)}
    )
    subjects = sorted({"", *(letter.subject for letter in letters)})
    different = list(dict.fromkeys(letters))
    return Letters(
        dates=[letter.date for letter in letters],
        subjects=[subjects.index(letter.subject) for letter in letters],
        replies=[int(letter.is_reply) for letter in letters],
        contents=[different.index(letter) for letter in letters],
        ids=[names.index(letter.id) for letter in different],
        references=[names.index(each) for letter in different for each in letter.references],
        counts=[len(letter.references) for letter in different],
        arrived=[letter.arrived for letter in letters],
    )


def trees(outline: Outline) -> list[Tree]:
    """The outline as nested trees, for small ones."""
    lines = iter(zip(outline.nodes, outline.below, strict=True))

    def read(line: tuple[int, int]) -> Tree:
        node, below = line
        return (None if node == DUMMY else node, [read(next(lines)) for _ in range(below)])

    return [read(line) for line in lines]


@settings(max_examples=200)
@given(LETTERS)
def test_references_as_the_rfc_tells_them(letters: list[Letter]) -> None:
    assert trees(references(columns(letters))) == naive_threads.references(letters)


@settings(max_examples=200)
@given(LETTERS)
def test_refs_leave_subjects_alone_and_sort_by_the_latest_arrival(letters: list[Letter]) -> None:
    assert trees(refs(columns(letters))) == naive_threads.refs(letters)


@settings(max_examples=300)
@given(LETTERS.filter(bool).flatmap(lambda letters: st.lists(st.sampled_from(letters), max_size=20)))
def test_copies_in_any_order_as_the_rfc_tells_them(letters: list[Letter]) -> None:
    assert trees(references(columns(letters))) == naive_threads.references(letters)


@settings(max_examples=100)
@given(LETTERS)
def test_every_message_once_and_dummies_with_siblings_below(letters: list[Letter]) -> None:
    outline = references(columns(letters))
    assert sorted(node for node in outline.nodes if node != DUMMY) == list(range(len(letters)))
    # RFC 5256 §5: thread-nested = 2*thread-list
    assert all(below > 1 for node, below in zip(outline.nodes, outline.below, strict=True) if node == DUMMY)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30))
@example([(1, 0), (0, 0), (0, 1)])
def test_ordered_subject_as_the_rfc_tells_it(messages: list[tuple[int, int]]) -> None:
    by_subject: dict[int, list[tuple[int, int]]] = {}
    for place, (date, subject) in enumerate(messages):
        by_subject.setdefault(subject, []).append((date, place))
    threads = sorted(sorted(thread) for thread in by_subject.values())
    expected = [(first, [(place, []) for _, place in others]) for (_, first), *others in threads]
    assert trees(ordered_subject(*map(list, zip(*messages, strict=True))) if messages else Outline([], [])) == expected


# Hostile messages


def in_order(count: int) -> list[Letter]:
    return [Letter(date, id=str(date), references=(str(date - 1),) if date else ()) for date in range(count)]


def last_first(count: int) -> list[Letter]:
    return in_order(count)[::-1]


def all_ancestors(count: int) -> list[Letter]:
    line = tuple(map(str, range(count)))
    return [Letter(date, id=str(date), references=line[max(0, date - 100) : date]) for date in range(count)]


def one_long_line(count: int) -> list[Letter]:
    return [Letter(id=str(count), references=tuple(map(str, range(count)))), Letter()]


@pytest.mark.parametrize("make", [in_order, last_first, all_ancestors])
def test_a_thread_may_be_as_deep_as_it_likes(make: Callable[[int], list[Letter]]) -> None:
    letters = make(10_000)
    outline = timed(deep(letters))
    assert [letters[node].date for node in outline.nodes] == list(range(10_000))
    assert outline.below == [1] * 9_999 + [0]


def test_a_long_line_of_missing_messages_is_not_shown() -> None:
    outline = timed(deep(one_long_line(100_000)))
    assert (outline.nodes, outline.below) == ([0, 1], [0, 0])


def test_loops_are_refused_at_once_however_deep_the_tree() -> None:
    deep_line = tuple(map(str, range(20_000)))
    # each of them tries 500 times to put the top of a deep tree below its lowest leaf
    askers = [Letter(id=f"asker {number}", references=(deep_line[-1], deep_line[0]) * 500) for number in range(400)]
    outline = timed(deep([Letter(id="first", references=deep_line), *askers]))
    assert (outline.nodes[0], outline.below[0]) == (DUMMY, 401)


def test_cuts_and_deep_trees_together() -> None:
    line = tuple(map(str, range(5_000)))
    # all messages of the line exist, and each has another parent than in the first message
    found = [Letter(id=name, references=(line[-1],)) for name in line]
    outline = timed(deep([Letter(id="first", references=line), *found]))
    assert sorted(outline.nodes) == list(range(5_001))


def deep(letters: list[Letter]) -> Letters:
    """Like ``columns``, for many messages."""
    numbers: dict[str, int] = {"": 0}
    for letter in letters:
        for name in (letter.id, *letter.references):
            numbers.setdefault(name, len(numbers))
    return Letters(
        dates=[letter.date for letter in letters],
        subjects=[0] * len(letters),
        replies=[0] * len(letters),
        arrived=[letter.arrived for letter in letters],
        contents=range(len(letters)),
        ids=[numbers[letter.id] for letter in letters],
        references=[numbers[each] for letter in letters for each in letter.references],
        counts=[len(letter.references) for letter in letters],
    )


def timed(letters: Letters) -> Outline:
    start = time.thread_time()
    outline = references(letters)
    refs(letters)
    assert time.thread_time() - start < 10
    return outline


# Trees

CHANGES = st.lists(st.tuples(st.integers(0, 11), st.integers(-1, 11)), max_size=60)


@settings(max_examples=200)
@given(CHANGES, st.sampled_from([0, 5, 10_000]))
def test_trees_link_and_cut(changes: list[tuple[int, int]], patience: int) -> None:
    forest = ThreadTrees(10)
    forest.add()
    forest.add()
    forest._steps = patience  # the number of steps that are climbed directly must not matter
    parents = [NONE] * 12

    def top(node: int) -> int:
        while parents[node] != NONE:
            node = parents[node]
        return node

    for child, parent in changes:
        forest.cut(child)
        parents[child] = NONE
        if parent != NONE:
            forest.link(child, parent)
            if top(parent) != child:
                parents[child] = parent
        assert list(forest.parent) == parents


def test_nodes_can_be_added_after_the_change_to_link_cut_trees() -> None:
    forest = ThreadTrees(3)
    forest._steps = 0
    for parent, child in pairwise((2, 1, 0)):
        forest.link(child, parent)
    forest.link(2, 0)
    new = forest.add()
    forest.link(2, new)
    forest.link(new, 0)
    assert list(forest.parent) == [1, 2, new, NONE]


NAMES = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(NAMES), st.data())
def test_a_table_of_nodes_is_a_dictionary(names: list[int], data: st.DataObject) -> None:
    table, like = NodeTable(iter(names)), dict[int, int]()
    for node, name in enumerate(data.draw(st.lists(st.sampled_from(names), max_size=20)) if names else ()):
        assert table.get(name, -7) == like.get(name, -7)
        table[name] = like[name] = node
        assert [table.get(each, -7) for each in names] == [like.get(each, -7) for each in names]


def test_very_many_references_are_threaded_as_few_are() -> None:
    line = tuple(map(str, range(MANY_IDS)))
    letters = [Letter(0, id="a", references=("1", *line)), Letter(1, id="b", references=line), Letter(2, id="1")]
    outline = timed(deep(letters))
    assert (outline.nodes, outline.below) == ([2, 0, 1], [2, 0, 0])
