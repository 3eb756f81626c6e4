"""Sequence sets whose order counts: the results of SORT in an ESEARCH response (RFC 5267 §3.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice


def ranges_in_order(numbers: Sequence[int]) -> Iterator[bytes]:
    """*numbers*, not empty, as the ranges of a sequence set, in their order.

    RFC 5267 §3.2: a range is read in ascending order, so only consecutive ascending numbers make one.
    """
    first = last = numbers[0]
    for number in islice(numbers, 1, None):
        if number != last + 1:
            yield b"%d" % first if first == last else b"%d:%d" % (first, last)
            first = number
        last = number
    yield b"%d" % first if first == last else b"%d:%d" % (first, last)
