"""Sets of numbers as runs, and the sequence sets that clients write.

A mailbox of a million messages with few gaps has only a few runs, so all set algebra here works run
by run, never number by number. A :class:`SequenceSet` is the set as the client wrote it. It may
contain ``*``, which needs the largest number in use, so it is resolved late, into a
:class:`NumberSet`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate, chain, compress, count, repeat
from operator import ne, sub
from typing import Any, Generic, TypeVar, cast

from mektup.terms.numbers import Seq, Uid

N = TypeVar("N", bound=int)
Run = tuple[int, int]
"""First and last number, both inclusive."""

_BEYOND = 2**64
"""Larger than any number, so that (n, _BEYOND) sorts after every run that starts at n."""

STAR = 0
"""Means ``*`` in a :class:`SequenceSet`; no number in IMAP is 0."""


def merge_runs(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The same numbers in ascending, disjoint, non-adjacent runs; *runs* may be in any order and may overlap."""
    merged: list[Run] = []
    for first, last in sorted(runs):
        if merged and first <= merged[-1][1] + 1:
            if last > merged[-1][1]:
                merged[-1] = (merged[-1][0], last)
        else:
            merged.append((first, last))
    return tuple(merged)


RUN_OCTETS = 160
"""The approximate memory of a run, in octets: a tuple and three numbers."""


class NumberSet(Generic[N]):
    """An immutable set of positive numbers, as ascending disjoint runs that do not touch.

    >>> NumberSet.of([5, 1, 2, 3]).runs
    ((1, 3), (5, 5))
    """

    __slots__ = ("_ends", "runs")

    runs: tuple[Run, ...]

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        """Takes runs in any order, overlapping or not."""
        self.runs = merge_runs(runs)
        self._ends: list[int] | None = None

    @classmethod
    def _ready(cls, runs: Iterable[Run]) -> NumberSet[N]:
        made: NumberSet[N] = cls.__new__(cls)
        made.runs = tuple(runs)
        made._ends = None
        return made

    @classmethod
    def of(cls, numbers: Iterable[N]) -> NumberSet[N]:
        """The set of *numbers*, in any order."""
        return cls._ready(_runs_of_sorted(sorted(set(numbers))))

    @classmethod
    def of_sorted(cls, numbers: Iterable[int]) -> NumberSet[N]:
        """The set of *numbers*, which must ascend strictly; one pass."""
        return cls._ready(_runs_of_sorted(numbers))

    @classmethod
    def span(cls, first: int, last: int) -> NumberSet[N]:
        """All numbers from *first* to *last*; empty when *first* is larger."""
        return cls._ready(((first, last),) if first <= last else ())

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""
        return RUN_OCTETS * len(self.runs)

    def _cumulated(self) -> list[int]:
        if self._ends is None:
            self._ends = list(accumulate([last - first + 1 for first, last in self.runs]))
        return self._ends

    def __len__(self) -> int:
        if len(self.runs) == 1:  # by far the most frequent set
            first, last = self.runs[0]
            return last - first + 1
        ends = self._cumulated()
        return ends[-1] if ends else 0

    def __bool__(self) -> bool:
        return bool(self.runs)

    def __iter__(self) -> Iterator[N]:
        if len(self.runs) == 1:
            first, last = self.runs[0]
            return cast("Iterator[N]", iter(range(first, last + 1)))
        firsts, stops = [first for first, _ in self.runs], [last + 1 for _, last in self.runs]
        return cast("Iterator[N]", chain.from_iterable(map(range, firsts, stops)))

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self.runs, (number, _BEYOND)) - 1
        return at >= 0 and self.runs[at][1] >= number

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NumberSet) and self.runs == other.runs

    def __hash__(self) -> int:
        return hash(self.runs)

    def __repr__(self) -> str:
        return f"NumberSet({bytes(self).decode() or 'empty'})"

    def __bytes__(self) -> bytes:
        """As a sequence set of the wire, ``b"1:3,5"``; empty bytes for the empty set."""
        return b",".join(b"%d" % first if first == last else b"%d:%d" % (first, last) for first, last in self.runs)

    @property
    def first(self) -> N:
        """The smallest number. Raises IndexError when empty."""
        return cast("N", self.runs[0][0])

    @property
    def last(self) -> N:
        """The largest number. Raises IndexError when empty."""
        return cast("N", self.runs[-1][1])

    def rank(self, number: int) -> int:
        """How many numbers of the set are less than or equal to *number*."""
        at = bisect_right(self.runs, (number, _BEYOND)) - 1
        if at < 0:
            return 0
        first, last = self.runs[at]
        return self._cumulated()[at] - max(0, last - max(number, first - 1))

    def nth(self, position: int) -> N:
        """The number at *position*, counted from 1. Raises IndexError outside of the set."""
        ends = self._cumulated()
        if not 1 <= position <= (ends[-1] if ends else 0):
            raise IndexError(position)
        at = bisect_right(ends, position - 1)
        return cast("N", self.runs[at][1] - (ends[at] - position))

    def at(self, positions: NumberSet[Any]) -> NumberSet[N]:
        """The numbers at *positions*, counted from 1; works run by run. Raises IndexError outside of the set."""
        found: list[Run] = []
        ends = self._cumulated()
        for start, last in positions.runs:
            if last > (ends[-1] if ends else 0):
                raise IndexError(last)
            position = start
            at = bisect_left(ends, position)
            while position <= last:
                stop = min(last, ends[at])
                highest = self.runs[at][1]
                found.append((highest - (ends[at] - position), highest - (ends[at] - stop)))
                position = stop + 1
                at += 1
        return NumberSet(found)

    def positions(self, members: NumberSet[N]) -> NumberSet[Any]:
        """The positions, counted from 1, of the *members* that are in the set; works run by run."""
        # each common run is within one run of this set, so its positions are one run too
        common = (self & members).runs
        starts = [self.rank(first) for first, _ in common]
        return NumberSet([(start, start + last - first) for start, (first, last) in zip(starts, common, strict=True)])

    def _touching(self, first: int, last: int) -> tuple[int, int]:
        """The runs that overlap *first* to *last*: index of the first one, and index after the last one."""
        start = bisect_right(self.runs, (first, _BEYOND)) - 1
        if start < 0 or self.runs[start][1] < first:
            start += 1
        return start, bisect_right(self.runs, (last, _BEYOND), start)

    def __or__(self, other: NumberSet[N]) -> NumberSet[N]:
        large, small = (self, other) if len(self.runs) >= len(other.runs) else (other, self)
        if not small.runs:
            return large
        # Only runs between the small set's ends, or touching them, can change.
        start, stop = large._touching(small.runs[0][0] - 1, small.runs[-1][1] + 1)
        merged = merge_runs(chain(large.runs[start:stop], small.runs))
        return NumberSet._ready((*large.runs[:start], *merged, *large.runs[stop:]))

    def __and__(self, other: NumberSet[N]) -> NumberSet[N]:
        large, small = (self, other) if len(self.runs) >= len(other.runs) else (other, self)
        if len(small.runs) == 1 and large.runs[0][0] <= small.runs[0][0] and small.runs[0][1] <= large.runs[0][1]:
            return small
        if len(small.runs) == 1 and small.runs[0][0] <= large.runs[0][0] and large.runs[-1][1] <= small.runs[0][1]:
            return large
        common: list[Run] = []
        for first, last in small.runs:
            start, stop = large._touching(first, last)
            common += [(max(first, one), min(last, other)) for one, other in large.runs[start:stop]]
        return NumberSet._ready(common)

    def __sub__(self, other: NumberSet[N]) -> NumberSet[N]:
        if not other.runs or not self.runs:
            return self
        # As for union: runs outside of the other set's ends stay.
        start, stop = self._touching(other.runs[0][0], other.runs[-1][1])
        left: list[Run] = []
        for first, last in self.runs[start:stop]:
            rest = first
            for one, end in other.runs[slice(*other._touching(first, last))]:
                if one > rest:
                    left.append((rest, one - 1))
                rest = end + 1
            if rest <= last:
                left.append((rest, last))
        return NumberSet._ready((*self.runs[:start], *left, *self.runs[stop:]))

    def slices(self, count: int) -> Iterator[NumberSet[N]]:
        """The set in pieces of at most *count* numbers, ascending."""
        piece: list[Run] = []
        room = count
        for start, last in self.runs:
            first = start
            while first <= last:
                stop = min(last, first + room - 1)
                piece.append((first, stop))
                room -= stop - first + 1
                first = stop + 1
                if room == 0:
                    yield NumberSet._ready(piece)
                    piece, room = [], count
        if piece:
            yield NumberSet._ready(piece)

    def pieces(self, runs: int) -> Iterator[NumberSet[N]]:
        """The set in pieces of at most *runs* runs, on whose number the time of most operations depends."""
        for start in range(0, len(self.runs), runs):
            yield NumberSet._ready(self.runs[start : start + runs])


def _runs_of_sorted(numbers: Iterable[int]) -> list[Run]:
    ascending = list(numbers)
    if not ascending:
        return []
    steps = map(sub, ascending[1:], ascending)
    starts = [0, *compress(count(1), map(ne, steps, repeat(1)))]
    ends = [*(start - 1 for start in starts[1:]), len(ascending) - 1]
    number = ascending.__getitem__
    return list(zip(map(number, starts), map(number, ends), strict=True))


Uids = NumberSet[Uid]
Seqs = NumberSet[Seq]


@dataclass(frozen=True, slots=True)
class SequenceSet:
    """A sequence-set as a client wrote it (RFC 9051 §9 sequence-set): ranges in their order, ``*`` as STAR."""

    ranges: tuple[Run, ...]

    def resolve(self, largest: int) -> NumberSet[int]:
        """The numbers in the set, if *largest* is the largest number in use.

        ``*`` means *largest*; if that is 0 (an empty mailbox), it means no number.
        A range may be written in either order: 4:2 is 2:4 (RFC 9051 §9 seq-range).
        """
        runs: list[Run] = []
        for one, other in self.ranges:
            first, last = one or largest, other or largest
            if first > last:
                first, last = last, first
            if last > 0:
                runs.append((max(first, 1), last))
        return NumberSet._ready(runs) if len(runs) < 2 else NumberSet(runs)

    @property
    def largest_named(self) -> int:
        """The largest number written in the set; 0 if only ``*`` is."""
        return max((max(one, other) for one, other in self.ranges), default=0)

    @property
    def names_star(self) -> bool:
        """Whether the set contains ``*``."""
        return any(one == STAR or other == STAR for one, other in self.ranges)


@dataclass(frozen=True, slots=True)
class SavedResult:
    """``$``: the result saved by SEARCH RETURN (SAVE) (RFC 5182, RFC 9051 §6.4.4.1)."""
