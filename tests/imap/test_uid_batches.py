"""UIDBATCHES: each message is in one batch, and all batches but the last have as many messages as asked."""

from __future__ import annotations

from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

from mektup.imap.commands.uid_batches import batches
from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet, Uids

mailboxes = st.sets(st.integers(1, 60), min_size=1)


@given(mailboxes, st.integers(1, 20))
def test_batches_split_the_mailbox(numbers: set[int], size: int) -> None:
    uids: Uids = NumberSet.of([Uid(number) for number in numbers])
    count = -(-len(numbers) // size)
    found = list(batches(uids, size, 1, count))
    held = [[number for number in numbers if low <= number <= high] for high, low in found]
    assert [len(each) for each in held] == [size] * (count - 1) + [len(numbers) - size * (count - 1)]
    # the ranges touch, from the highest UID to 1
    assert found[0][0] == max(numbers)
    assert found[-1][1] == 1
    assert all(below[0] == above[1] - 1 for above, below in pairwise(found))


@given(mailboxes, st.integers(1, 20), st.integers(1, 9), st.integers(0, 9))
def test_some_batches_are_those_of_all(numbers: set[int], size: int, first: int, more: int) -> None:
    uids: Uids = NumberSet.of([Uid(number) for number in numbers])
    count = -(-len(numbers) // size)
    every = list(batches(uids, size, 1, count))
    assert list(batches(uids, size, first, min(first + more, count))) == every[first - 1 : first + more]
