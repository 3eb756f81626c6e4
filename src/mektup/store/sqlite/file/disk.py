"""How a file's last writes reach the disk, and where that is waited for.

To hand a wait to a thread and to be woken by it costs some tenths of a millisecond: more than a good disk takes. So
while the last syncs were all quick the loop waits itself; one that is slow sends the next ones to threads again, where
others go on meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

from mektup.store import system
from mektup.store.sqlite.file.threads import Threads

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
        self._quick_syncs = self._quick_syncs + 1 if perf_counter() - begun < QUICK_SECONDS else 0

    async def sync(self, file: int) -> None:
        """Returns when all that was written to the descriptor *file* is on disk. Raises OSError."""
        if self.is_quick:
            self._sync(file)
        else:
            await self._threads.sync(lambda: self._sync(file))

    def _sync(self, file: int) -> None:
        with self.timed():
            system.sync_data(file)
