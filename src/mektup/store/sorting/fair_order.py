"""Sorts in pieces, because Python's sort does not release the GIL, and a long list takes it long."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

SORTED_AT_ONCE: Final = 10_000
"""How many things are sorted before other threads can run."""


def sorted_in_turns(things: Sequence[T], key: Callable[[T], Any], *, reverse: bool = False) -> list[T]:
    """*things* sorted by *key*; equal things keep their order, also with *reverse*."""
    if len(things) <= SORTED_AT_ONCE:
        return sorted(things, key=key, reverse=reverse)
    # Splits things into ranges of about half that size, with bounds from a sample, and sorts each range.
    sample = [things[at] for at in range(0, len(things), SORTED_AT_ONCE // 20)]
    bounds = sorted(map(key, sample))[10::10]
    heaps: list[list[T]] = [[] for _ in range(len(bounds) + 1)]
    for thing in things:
        heaps[bisect_right(bounds, key(thing))].append(thing)
    if reverse:
        heaps.reverse()
    return [thing for heap in heaps for thing in sorted(heap, key=key, reverse=reverse)]
