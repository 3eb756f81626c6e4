"""The relevancy of the messages that a search found (RFC 6203 §4), from that of its fuzzy keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mektup.store.rules.fuzzy import BEST
from mektup.terms import search as terms
from mektup.terms.numbers import Uid
from mektup.terms.search import SearchKey
from mektup.terms.search_walk import Algebra, walk
from mektup.terms.sets import Uids

OfKey = Callable[[terms.Fuzzy], Mapping[Uid, int]]
"""The relevancy of each message that matches a key; others are left out."""

_Scores = Sequence[int] | None
"""For each message: 0 where it does not match. None for keys that have no relevancy."""

LOWEST: Final = 1


def relevancies(key: SearchKey, uids: Uids, of_key: OfKey) -> list[int]:
    """The relevancy of each of *uids*, 1 to 100, ascending by UID.

    AND is the mean of its fuzzy keys, OR is the best of them; NOT and exact keys do not count. A message that only
    exact keys found has the highest relevancy.
    """
    numbers = list(uids)
    scored: dict[SearchKey, list[int]] = {}

    def leaf(part: SearchKey) -> _Scores:
        if not isinstance(part, terms.Fuzzy):
            return None
        if part not in scored:
            found = of_key(part)
            scored[part] = [found.get(uid, 0) for uid in numbers]
        return scored[part]

    algebra: Algebra[_Scores] = Algebra(leaf, _nothing, _mean, _best)
    scores = walk(key, algebra)
    return [BEST] * len(numbers) if scores is None else [max(score, LOWEST) for score in scores]


def _nothing(scores: _Scores) -> _Scores:
    return None


def _mean(parts: Sequence[_Scores]) -> _Scores:
    scored = [part for part in parts if part is not None]
    if len(scored) < 2:
        return scored[0] if scored else None
    return [round(sum(scores) / len(scored)) for scores in zip(*scored, strict=True)]


def _best(parts: Sequence[_Scores]) -> _Scores:
    scored = [part for part in parts if part is not None]
    if len(scored) < 2:
        return scored[0] if scored else None
    return list(map(max, *scored))
