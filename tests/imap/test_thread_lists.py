"""Threads on the wire: the parentheses of RFC 5256 §5, for trees of any shape and depth."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.imap.commands.thread import thread_lists

Tree = tuple[int, list["Tree"]]


def line(numbers: list[int], replies: list[int]) -> str:
    return b"".join(thread_lists(numbers, replies)).decode()


@pytest.mark.parametrize(
    ("numbers", "replies", "expected"),
    [
        ([], [], ""),
        ([2], [0], "(2)"),
        # the examples of RFC 5256 §4
        ([2, 3, 6, 4, 23, 44, 7, 96], [0, 1, 2, 1, 0, 1, 1, 0], "(2)(3 6 (4 23)(44 7 96))"),
        ([0, 3, 5], [2, 0, 0], "((3)(5))"),
        # and of §3
        (
            [0, 177, 183, 182, 188, 184, 189, 185, 186, 187],
            [6, 0, 0, 0, 2, 0, 0, 1, 0, 0],
            "((177)(183)(182)(188 (184)(189))(185 186)(187))",
        ),
        ([1, 2, 3, 4, 5, 6], [2, 2, 0, 0, 1, 0], "(1 (2 (3)(4))(5 6))"),
        ([0, 1, 2, 3, 4, 5], [2, 2, 0, 0, 0, 0], "((1 (2)(3))(4))(5)"),
    ],
)
def test_examples(numbers: list[int], replies: list[int], expected: str) -> None:
    assert line(numbers, replies) == expected


TREES = st.recursive(
    st.tuples(st.integers(1, 999), st.just([])),
    lambda below: st.tuples(st.integers(1, 999), st.lists(below, max_size=3)),
    max_leaves=12,
)
THREADS = st.lists(TREES | st.tuples(st.just(0), st.lists(TREES, min_size=2, max_size=3)), max_size=5)


def outlined(trees: list[Tree], numbers: list[int], replies: list[int]) -> None:
    for number, below in trees:
        numbers.append(number)
        replies.append(len(below))
        outlined(below, numbers, replies)


def as_the_rfc_has_it(tree: Tree) -> str:
    """thread-list = "(" (thread-members / thread-nested) ")" (RFC 5256 §5)."""
    number, below = tree
    members = [str(number)] if number else []
    while len(below) == 1:
        ((number, below),) = below
        members.append(str(number))
    nested = "".join(map(as_the_rfc_has_it, below))
    return f"({' '.join([*members, nested] if nested else members)})"


@given(THREADS)
def test_as_the_rfc_has_it(trees: list[Tree]) -> None:
    numbers: list[int] = []
    replies: list[int] = []
    outlined(trees, numbers, replies)
    assert line(numbers, replies) == "".join(map(as_the_rfc_has_it, trees))


def test_depth_costs_nothing() -> None:
    count = 200_000
    start = time.thread_time()
    nested = line(list(range(1, 2 * count + 2)), [2, 0] * count + [0])
    assert time.thread_time() - start < 5
    assert nested.startswith("(1 (2)(3 (4)(5 (6)")
    assert nested.endswith(")" * (count + 1))
