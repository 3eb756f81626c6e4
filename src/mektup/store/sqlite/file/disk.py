"""Syncs of files to disk, and where to wait for them.

Waiting in a thread costs some tenths of a millisecond for the two switches, which is more than a good disk takes. So
while the last syncs were all quick, the loop itself waits. After a slow sync, the next ones run in threads again, and
other work goes on meanwhile. Each time that the loop stood still for so long that others noticed it, it takes twice as
many quick syncs before the loop trusts the disk again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter

from mektup.store import system
from mektup.store.threads import Over, Threads

QUICK_SECONDS = 0.001
"""The longest time of a quick sync; a session's command takes about as long."""

STALL_SECONDS = 0.01
"""The time of a sync from which on other sessions notice that the loop waited for it."""

QUICK_SYNCS = 8
"""How many syncs in a row must be quick before the loop waits for the next one, at first."""

MOST_QUICK_SYNCS = 8192
"""The same after many stalls."""


class Disk:
    """The disk with the files of one store."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._quick_syncs = 0
        """The number of quick syncs in a row, up to the last sync."""
        self._needed = QUICK_SYNCS

    @property
    def is_quick(self) -> bool:
        """Whether the last syncs were quick, so that the loop may wait for the next one."""
        return self._quick_syncs >= self._needed

    @contextmanager
    def timed(self) -> Iterator[None]:
        """A block that waits for the disk once; its time counts as that of a sync."""
        begun = perf_counter()
        yield
        self._note(perf_counter() - begun)

    def begin_sync(self, file: int, over: Over) -> None:
        """Syncs the descriptor *file* in a thread, then calls *over* in the loop, with an OSError if it failed."""
        self._threads.begin_sync(partial(self.sync, file), over)

    def sync(self, file: int) -> None:
        """Returns when all data written to the descriptor *file* is on disk. Raises OSError."""
        begun = perf_counter()
        system.sync_data(file)
        self._note(perf_counter() - begun)

    def _note(self, seconds: float) -> None:
        if seconds < QUICK_SECONDS:
            self._quick_syncs += 1
            return
        if self.is_quick and seconds >= STALL_SECONDS:
            self._needed = min(2 * self._needed, MOST_QUICK_SYNCS)
        self._quick_syncs = 0


def size_of(file: str) -> int:
    """The size of *file* in octets; 0 if there is none."""
    try:
        return os.stat(file).st_size
    except OSError:
        return 0
