"""The node of each Message-ID, for THREAD: a dictionary, or where these are many a table of a tenth of its memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from itertools import repeat
from typing import Final, Protocol

from mektup.store.sorting.thread_trees import NONE

MANY_IDS: Final = 200_000
"""From so many references on a table is used, which is slower."""

HEAPS: Final = 256


class Nodes(Protocol):
    """What both can do."""

    def get(self, name: int, default: int, /) -> int: ...

    def __setitem__(self, name: int, node: int, /) -> None: ...


class NodeTable:
    """Nodes by names, which are numbers of 64 bits; all names are known from the beginning."""

    __slots__ = ("_names", "_nodes")

    def __init__(self, names: Iterable[int]) -> None:
        """*names*: any number of times each."""
        heaps = [array("q") for _ in range(HEAPS)]
        for name in names:
            heaps[name % HEAPS].append(name)
        self._names: list[array[int]] = []
        while heaps:
            # heap by heap, so that what is sorted is small, and what is sorted no longer takes room twice
            self._names.append(array("q", sorted(set(heaps.pop()))))
        self._names.reverse()
        self._nodes = [array("i", repeat(NONE, len(names))) for names in self._names]

    def get(self, name: int, default: int, /) -> int:
        """The node of *name*, *default* where it has none yet."""
        node = self._nodes[name % HEAPS][bisect_left(self._names[name % HEAPS], name)]
        return default if node == NONE else node

    def __setitem__(self, name: int, node: int, /) -> None:
        self._nodes[name % HEAPS][bisect_left(self._names[name % HEAPS], name)] = node
