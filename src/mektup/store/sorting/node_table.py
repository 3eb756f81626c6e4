"""The node of each Message-ID, for THREAD: in a dictionary, or for many in a table with a tenth of the memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import repeat
from typing import Final, Protocol

from mektup.store.sorting.thread_trees import NONE

MANY_IDS: Final = 200_000
"""From so many references on, the table is used; it is slower than a dictionary."""

HEAPS: Final = 256


class Nodes(Protocol):
    """The common methods of the dictionary and the table."""

    def get(self, name: int, default: int, /) -> int: ...

    def __setitem__(self, name: int, node: int, /) -> None: ...


class NodeTable:
    """Nodes by names, which are numbers of 64 bits; all names are known at the start."""

    __slots__ = ("_names", "_nodes")

    def __init__(self, names: Iterable[int]) -> None:
        """*names* may repeat."""
        heaps = [array("q") for _ in range(HEAPS)]
        for name in names:
            heaps[name % HEAPS].append(name)
        self._names: list[array[int]] = []
        while heaps:
            # one heap at a time, so that sorts are short, and a sorted heap is freed before the next one
            self._names.append(array("q", sorted(set(heaps.pop()))))
        self._names.reverse()
        self._nodes = [array("i", repeat(NONE, len(names))) for names in self._names]

    def get(self, name: int, default: int, /) -> int:
        """The node of *name*; *default* where it has none yet."""
        node = self._nodes[name % HEAPS][bisect_left(self._names[name % HEAPS], name)]
        return default if node == NONE else node

    def __setitem__(self, name: int, node: int, /) -> None:
        self._nodes[name % HEAPS][bisect_left(self._names[name % HEAPS], name)] = node
