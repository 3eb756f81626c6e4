"""A set of numbers that changes in place and takes eight octets for each run, for results that are kept for long.

A NumberSet is quicker to compute with, but needs twenty times as much for a run, and is made anew at each change.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from mektup.terms.sets import NumberSet, Run

N = TypeVar("N", bound=int)

FEW: Final = 32
"""So many runs are added or removed one by one; for more, the whole set is computed anew."""


class PackedRuns(Generic[N]):
    """A changeable set of numbers of 32 bits."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, numbers: NumberSet[N]) -> None:
        self._firsts = array("I")
        self._lasts = array("I")
        self._replace(0, 0, numbers.runs)

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""
        return 8 * len(self._firsts)

    def unpacked(self) -> NumberSet[N]:
        """The same numbers as a NumberSet."""
        return NumberSet(zip(self._firsts, self._lasts, strict=True))

    def common(self, numbers: NumberSet[N]) -> NumberSet[N]:
        """Those of *numbers* that are in this set."""
        if len(numbers.runs) > FEW:
            return self.unpacked() & numbers
        found: list[Run] = []
        for first, last in numbers.runs:
            start, stop = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
            here = zip(self._firsts[start:stop], self._lasts[start:stop], strict=True)
            found += [(max(first, one), min(last, other)) for one, other in here]
        return NumberSet(found)

    def add(self, numbers: NumberSet[N]) -> None:
        """Adds *numbers*."""
        if len(numbers.runs) > FEW:
            self._replace(0, len(self._firsts), (self.unpacked() | numbers).runs)
            return
        for first, last in numbers.runs:
            # the runs that overlap or touch the new one
            start, stop = bisect_left(self._lasts, first - 1), bisect_right(self._firsts, last + 1)
            if start < stop:
                first, last = min(first, self._firsts[start]), max(last, self._lasts[stop - 1])
            self._replace(start, stop, [(first, last)])

    def remove(self, numbers: NumberSet[N]) -> None:
        """Removes *numbers*."""
        if len(numbers.runs) > FEW:
            self._replace(0, len(self._firsts), (self.unpacked() - numbers).runs)
            return
        for first, last in numbers.runs:
            start, stop = bisect_left(self._lasts, first), bisect_right(self._firsts, last)
            if start < stop:
                rests = [(self._firsts[start], first - 1), (last + 1, self._lasts[stop - 1])]
                self._replace(start, stop, [(one, other) for one, other in rests if one <= other])

    def _replace(self, start: int, stop: int, runs: Sequence[Run]) -> None:
        self._firsts[start:stop] = array("I", [first for first, _ in runs])
        self._lasts[start:stop] = array("I", [last for _, last in runs])
