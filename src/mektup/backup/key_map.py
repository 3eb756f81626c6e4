"""A map of the keys of objects to numbers, for any number of objects: most of it is in temporary files.

New keys are in memory. When there are many, they are written as a sorted run, and runs of about the same length are
merged. So a look-up searches a few runs, and a key takes a few octets of disk and none of memory.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Iterable, Iterator
from mmap import ACCESS_READ, mmap
from tempfile import TemporaryFile
from typing import Final

from mektup.store.arrival import DIGEST_BYTES

KEY_BYTES: Final = 1 + DIGEST_BYTES
_NUMBER: Final = struct.Struct(">Q")
_RECORD_BYTES: Final = KEY_BYTES + _NUMBER.size

MOST_IN_MEMORY: Final = 50_000
"""So many new keys are in memory, some 150 octets each, before they are written."""

MOST_ALIKE: Final = 4
"""So many runs of about the same length are merged into one."""


class KeyMap:
    """Keys of ``KEY_BYTES`` octets with a number below 2^64 each. A key that is added again gets the greater number."""

    def __init__(self) -> None:
        self._new: dict[bytes, int] = {}
        self._runs: list[_Run] = []
        """The longest first."""

    def add(self, key: bytes, number: int = 0) -> None:
        """Raises OSError where there is no room for a temporary file."""
        if number >= self._new.get(key, 0):
            self._new[key] = number
        if len(self._new) >= MOST_IN_MEMORY:
            self._runs.append(_Run(key + _NUMBER.pack(number) for key, number in sorted(self._new.items())))
            self._new.clear()
            self._merge()

    def _merge(self) -> None:
        """Merges the shortest runs as long as there are too many that are not much longer than the last."""
        while len(self._runs) >= MOST_ALIKE and self._runs[-MOST_ALIKE].records < MOST_ALIKE * self._runs[-1].records:
            merged = _Run(_greatest(heapq.merge(*self._runs[-MOST_ALIKE:])))
            self._runs[-MOST_ALIKE:] = [merged]

    def get(self, key: bytes) -> int | None:
        """The number of *key*; None where it was not added."""
        found = [self._new.get(key), *(run.find(key) for run in self._runs)]
        return max((each for each in found if each is not None), default=None)

    def __contains__(self, key: bytes) -> bool:
        return key in self._new or any(run.find(key) is not None for run in self._runs)


def _greatest(records: Iterable[bytes]) -> Iterator[bytes]:
    """Of sorted *records* with the same key only the last, which has the greatest number."""
    last = b""
    for record in records:
        if last and last[:KEY_BYTES] != record[:KEY_BYTES]:
            yield last
        last = record
    if last:
        yield last


class _Run:
    """Records in a file without a name: a key and its number, in the order of the keys."""

    def __init__(self, records: Iterable[bytes]) -> None:
        with TemporaryFile(prefix="mektup-backup-") as file:
            file.writelines(records)
            file.flush()
            self._octets = mmap(file.fileno(), 0, access=ACCESS_READ)
        self.records = len(self._octets) // _RECORD_BYTES

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._octets), _RECORD_BYTES):
            yield self._octets[start : start + _RECORD_BYTES]

    def find(self, key: bytes) -> int | None:
        """The number of *key*."""
        octets = self._octets
        first, stop = 0, self.records
        while first < stop:
            middle = (first + stop) // 2
            start = middle * _RECORD_BYTES
            there = octets[start : start + KEY_BYTES]
            if there == key:
                (number,) = _NUMBER.unpack_from(octets, start + KEY_BYTES)
                return int(number)
            if there < key:
                first = middle + 1
            else:
                stop = middle
        return None
