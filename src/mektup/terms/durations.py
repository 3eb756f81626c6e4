"""Histograms of durations. Counting costs some 50 ns, and memory of a few numbers for each name."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BOUNDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Upper bounds of the buckets, in seconds; the last bucket has none."""

QUICK = BOUNDS[0]

UNTIMED = len(BOUNDS) + 1
"""The position of a count beside the buckets: commands that ran together with a timed one."""

SECONDS = UNTIMED + 1
"""The position of the sum of all seconds."""

Counts = list[Any]
"""The count of each bucket, the count of what was not timed, and the sum of all seconds."""


class Durations(dict[str, Counts]):
    """By name of a command. Names are from our own tables, never a client's words."""

    def __missing__(self, name: str) -> Counts:
        counts = self[name] = no_counts()
        return counts


def no_counts() -> Counts:
    """Counts of nothing so far."""
    return [*[0] * (UNTIMED + 1), 0.0]


def count(counts: Counts, seconds: float) -> None:
    """Counts a duration."""
    counts[bisect_left(BOUNDS, seconds)] += 1
    counts[SECONDS] += seconds
