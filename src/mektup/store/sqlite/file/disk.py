"""How a file's last writes reach the disk, and where that is waited for.

To hand a wait to a thread and to be woken by it costs some tenths of a millisecond: more than a good disk takes. So
while the last syncs were all quick the loop waits itself; one that is slow sends the next ones to threads again, where
others go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter

from mektup.store import system
from mektup.store.threads import Over, Threads

QUICK_SECONDS = 0.001
"""A session's command takes about as long."""

QUICK_SYNCS = 8
"""How many in a row must have been quick for the loop to wait for the next."""


class Disk:
    """What holds the files of one store."""

    def __init__(self, threads: Threads) -> None:
        self._threads = threads
        self._quick_syncs = 0
        """In a row, up to the last."""

    @property
    def is_quick(self) -> bool:
        """Whether the last syncs were, so that the loop may wait for the next."""
        return self._quick_syncs >= QUICK_SYNCS

    @contextmanager
    def timed(self) -> Iterator[None]:
        """What is done within waits for the disk once."""
        begun = perf_counter()
        yield
        self._note(perf_counter() - begun)

    def begin_sync(self, file: int, over: Over) -> None:
        """Brings what was written to the descriptor *file* to disk, in a thread; *over* hears of the end in the loop.

        It hears of an OSError where that fails.
        """
        self._threads.begin_sync(partial(self.sync, file), over)

    def sync(self, file: int) -> None:
        """Returns when what was written to the descriptor *file* is on disk. Raises OSError."""
        begun = perf_counter()
        system.sync_data(file)
        self._note(perf_counter() - begun)

    def _note(self, seconds: float) -> None:
        self._quick_syncs = self._quick_syncs + 1 if seconds < QUICK_SECONDS else 0
