"""Sorting in pieces: Python sorts without ever letting another thread have its turn, and many things take it long."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

T = TypeVar("T")

SORTED_AT_ONCE: Final = 10_000
"""How many things are sorted before other threads may have their turn, which Python's sort never lets them."""


def sorted_in_turns(things: Sequence[T], key: Callable[[T], Any], *, reverse: bool = False) -> list[T]:
    """*things* by *key*; equals stay in their order, with *reverse* too."""
    if len(things) <= SORTED_AT_ONCE:
        return sorted(things, key=key, reverse=reverse)
    # First they are laid in heaps, about half as large, that follow one another: a sample tells where each ends.
    sample = [things[at] for at in range(0, len(things), SORTED_AT_ONCE // 20)]
    bounds = sorted(map(key, sample))[10::10]
    heaps: list[list[T]] = [[] for _ in range(len(bounds) + 1)]
    for thing in things:
        heaps[bisect_right(bounds, key(thing))].append(thing)
    if reverse:
        heaps.reverse()
    return [thing for heap in heaps for thing in sorted(heap, key=key, reverse=reverse)]
