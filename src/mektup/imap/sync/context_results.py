"""The results of a search that the client is kept informed of, and the edits that it is told (RFC 5267 §4.3.2).

Results are UIDs here. An edit is a context position and UIDs in their order; the client applies the edits one after the
other. The results of SEARCH are a set in the order of the mailbox, which needs no positions: theirs is always 0.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from itertools import compress, count, groupby
from operator import itemgetter, not_
from typing import Any, NamedTuple, Protocol

from mektup.terms.numbers import Uid
from mektup.terms.packed_runs import PackedRuns
from mektup.terms.sets import Uids

EDIT_NUMBERS = 500
"""The most results in one edit, because some clients have a buffer for one line. In sets, it counts runs."""


class Edit(NamedTuple):
    """Results that come or go at a position."""

    position: int
    """Counted from 1, at the moment of the edit; 0 where the position does not matter."""
    uids: Uids | Sequence[Uid]


class Results(Protocol):
    """The results that a client knows of a search."""

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""

    def known(self, uids: Uids) -> Uids:
        """Those of *uids* that are results."""

    def remove(self, uids: Uids) -> list[Edit]:
        """Removes results; returns the edits."""


class FoundResults:
    """The results of SEARCH: runs of UIDs."""

    __slots__ = ("_uids",)

    def __init__(self, found: Uids) -> None:
        self._uids = PackedRuns(found)

    @property
    def octets(self) -> int:
        """See ``Results``, also for the next two methods."""
        return self._uids.octets

    def known(self, uids: Uids) -> Uids:
        return self._uids.common(uids)

    def remove(self, uids: Uids) -> list[Edit]:
        self._uids.remove(uids)
        return [Edit(0, some) for some in uids.pieces(EDIT_NUMBERS)]

    def add(self, uids: Uids) -> list[Edit]:
        """Adds results; returns the edits."""
        self._uids.add(uids)
        return [Edit(0, some) for some in uids.pieces(EDIT_NUMBERS)]


class SortedResults:
    """The results of SORT: four octets for each, in order, and runs of UIDs, to find out quickly what is a result."""

    __slots__ = ("_order", "_uids")

    def __init__(self, found: Sequence[Uid]) -> None:
        self._order: array[Any] = array("I", found)
        self._uids = PackedRuns(Uids.of(found))

    @property
    def octets(self) -> int:
        """See ``Results``, also for the next two methods."""
        return self._order.itemsize * len(self._order) + self._uids.octets

    @property
    def order(self) -> Sequence[Uid]:
        """The results in order."""
        return self._order

    def known(self, uids: Uids) -> Uids:
        return self._uids.common(uids)

    def remove(self, uids: Uids) -> list[Edit]:
        if not uids:
            return []
        gone = bytes(map(set(uids).__contains__, self._order))
        edits: list[Edit] = []
        removed = 0
        for first, stop in _runs(compress(count(), gone)):
            pieces = range(first, stop, EDIT_NUMBERS)
            edits += [Edit(first + 1 - removed, self._order[at : min(stop, at + EDIT_NUMBERS)]) for at in pieces]
            removed += stop - first
        self._order = array("I", compress(self._order, map(not_, gone)))
        self._uids.remove(uids)
        return edits

    def add(self, places: Sequence[tuple[int, Uid]]) -> list[Edit]:
        """Adds results, each with the number of present results before it, in order; returns the edits."""
        edits: list[Edit] = []
        order: array[Any] = array("I")
        done = 0
        for place, group in groupby(places, itemgetter(0)):
            order += self._order[done:place]
            done = place
            uids = [uid for _, uid in group]
            for start in range(0, len(uids), EDIT_NUMBERS):
                some = uids[start : start + EDIT_NUMBERS]
                edits.append(Edit(len(order) + 1, some))
                order += array("I", some)
        self._order = order + self._order[done:]
        self._uids.add(Uids.of([uid for _, uid in places]))
        return edits


def _runs(ascending: Iterator[int]) -> Iterator[tuple[int, int]]:
    """The runs of *ascending* numbers: the first of each, and the one after the last."""
    first = stop = -1
    for number in ascending:
        if number != stop:
            if first >= 0:
                yield first, stop
            first = number
        stop = number + 1
    if first >= 0:
        yield first, stop
