"""Histograms of command durations. Counting costs about 100 ns a command, and a few numbers for each name."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

BOUNDS = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
"""Upper bounds of the buckets, in seconds; the last bucket has none."""

QUICK = BOUNDS[0]

Counted = dict[str, tuple[list[int], float]]
"""By name: the count of each bucket, and the sum of all seconds."""


class Durations:
    """The durations of one protocol's commands in this process."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts: dict[str, list[Any]] = {}
        """By name: the count of each bucket, then the sum of all seconds."""

    def add(self, name: str, seconds: float) -> None:
        """Counts one command: *name* took *seconds*. *name* is from our own table, never a client's word."""
        counts = self._counts.get(name)
        if counts is None:
            counts = self._counts[name] = [*[0] * (len(BOUNDS) + 1), 0.0]
        counts[0 if seconds <= QUICK else bisect_left(BOUNDS, seconds)] += 1
        counts[-1] += seconds

    def counted(self) -> Counted:
        """All counts so far."""
        return {name: (counts[:-1], counts[-1]) for name, counts in self._counts.items()}
