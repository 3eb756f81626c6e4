"""Where the store's slow work is done: threads for what waits for the disk, and others for what reads long.

They are apart so that searches, however many and long, never keep a delivery from being acknowledged.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

T = TypeVar("T")

SYNCING_THREADS = 8
"""Each waits for the disk most of the time."""

INTERRUPT_SECONDS = 0.02

SEARCHES = max(2, min(8, os.cpu_count() or 2))
"""How many searches, which may take a minute each, are under way at a time."""

SHARE_OF_SEARCHES = SEARCHES // 2
"""How many of these are one account's."""

READING_THREADS = 2 * SEARCHES
"""So others than searches always find one."""


class Threads:
    """The threads of one store. Work in a thread cannot be stopped: whoever is cancelled still waits for its end."""

    def __init__(self) -> None:
        self._syncing = ThreadPoolExecutor(SYNCING_THREADS, "mektup-sync")
        self._reading = ThreadPoolExecutor(READING_THREADS, "mektup-read")

    async def sync(self, work: Callable[[], T]) -> T:
        """Does *work*, which writes or waits for the disk."""
        return await _outcome(self._syncing.submit(work))

    async def read(self, work: Callable[[], T], interrupt: Callable[[], None]) -> T:
        """Does *work*, which may take long; *interrupt* makes it end early when nobody waits for it any more."""
        return await _outcome(self._reading.submit(work), interrupt)

    async def close(self) -> None:
        """Waits for all that is under way."""
        for pool in (self._syncing, self._reading):
            await asyncio.to_thread(partial(pool.shutdown, wait=True))


async def _outcome(work: Future[T], interrupt: Callable[[], None] | None = None) -> T:
    future = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        work.cancel()  # where it has not begun
        while not future.done():
            if interrupt is not None:
                interrupt()  # again and again: one that comes between two statements is lost
            try:
                await asyncio.wait((future,), timeout=INTERRUPT_SECONDS)
            except asyncio.CancelledError:
                continue  # its connection is in use until it ends, however often one is told to stop
        if not future.cancelled():
            future.exception()  # seen, and of no interest now
        raise
