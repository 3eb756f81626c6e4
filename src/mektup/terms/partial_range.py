"""A page of a result: the range of PARTIAL in SEARCH, SORT and UID FETCH (RFC 9394 §3.1, §3.3; RFC 5267 §4.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from mektup.terms.sets import NumberSet

N = TypeVar("N", bound=int)


@dataclass(frozen=True, slots=True)
class PartialRange:
    """partial-range as the client wrote it (RFC 9394 §4). 1 is the first result, -1 the last.

    Both numbers have the same sign, and neither is 0. They may be in either order.
    """

    one: int
    other: int

    def __bytes__(self) -> bytes:
        """As on the wire: an answer repeats the range as it was asked for."""
        return b"%d:%d" % (self.one, self.other)

    @property
    def size(self) -> int:
        """How many results the page has at most."""
        return abs(self.one - self.other) + 1

    def of_set(self, found: NumberSet[N]) -> NumberSet[N]:
        """The numbers of *found* at these positions; those that do not exist are left out."""
        start, stop = self._positions(len(found))
        return found.at(NumberSet.span(start + 1, stop))

    def of_list(self, found: Sequence[N]) -> Sequence[N]:
        """The items of *found* at these positions; those that do not exist are left out."""
        start, stop = self._positions(len(found))
        return found[start:stop]

    def _positions(self, results: int) -> tuple[int, int]:
        """Where the page begins and ends in a list of so many *results*, as in a slice of Python."""
        first, last = sorted((self.one, self.other))
        if first < 0:
            first, last = results + first + 1, results + last + 1
        return max(first, 1) - 1, max(min(last, results), 0)
