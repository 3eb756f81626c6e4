"""A search in stages: cheap keys first, and costly ones only for the messages that these leave open.

While some keys are not answered yet, a message certainly matches, or it may match, or it cannot. Each stage answers
more keys, for the messages that are still open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import and_, or_
from typing import Final, NamedTuple

from mektup.terms.search import SearchKey
from mektup.terms.search_walk import Algebra, walk
from mektup.terms.sets import NumberSet, Uids

NONE: Final[Uids] = NumberSet()


class Bounds(NamedTuple):
    """What is known of the messages that match."""

    certain: Uids
    """These match."""
    possible: Uids
    """These may match, or do; no others."""

    @property
    def open(self) -> Uids:
        """The messages of which it is not known yet."""
        return self.possible - self.certain


Answered = Callable[[SearchKey], Uids | None]
"""The messages that match a key without subkeys; None where it is not answered yet."""


def bounds(key: SearchKey, every: Uids, answered: Answered) -> Bounds:
    """What *answered* says of *key* for *every* message."""

    def leaf(part: SearchKey) -> Bounds:
        found = answered(part)
        return Bounds(NONE, every) if found is None else Bounds(found & every, found & every)

    return walk(
        key,
        Algebra(
            leaf=leaf,
            negation=lambda part: Bounds(every - part.possible, every - part.certain),
            conjunction=lambda parts: _combined(and_, parts),
            disjunction=lambda parts: _combined(or_, parts),
        ),
    )


class Stages:
    """The state of a search between its stages."""

    __slots__ = ("_key", "_known", "certain", "open")

    def __init__(self, key: SearchKey, every: Uids) -> None:
        self._key = key
        self._known: dict[SearchKey, Uids] = {}
        self.certain: Uids = NONE
        """The messages that certainly match."""
        self.open = every
        """The messages of which it is not known yet."""

    def learn(self, answers: Mapping[SearchKey, Uids]) -> None:
        """Takes the messages that match each of some keys; only those that are open count."""
        self._known.update(answers)
        now = bounds(self._key, self.open, self._known.get)
        self.certain, self.open = self.certain | now.certain, now.open


def _combined(by: Callable[[Uids, Uids], Uids], parts: Sequence[Bounds]) -> Bounds:
    return Bounds(reduce(by, [part.certain for part in parts]), reduce(by, [part.possible for part in parts]))
