"""Measures how late the event loop runs: a command of one client, or a fault of ours, that stalls all the others."""

from __future__ import annotations

import asyncio

from mektup.terms.durations import count, no_counts

SAMPLE_SECONDS = 0.5
"""The interval of samples. A stall that is shorter than this is seen in a part of all cases."""


class LoopDelay:
    """Asks the loop for a call at a certain time, and counts how late it comes."""

    def __init__(self) -> None:
        """Begins to measure the running loop."""
        self.counts = no_counts()
        """A histogram, see ``terms.durations``."""
        self._loop = asyncio.get_running_loop()
        self._due = self._loop.time()
        self._timer = self._again()

    def close(self) -> None:
        """Ends."""
        self._timer.cancel()

    def _again(self) -> asyncio.TimerHandle:
        self._due = self._loop.time() + SAMPLE_SECONDS
        return self._loop.call_at(self._due, self._sample)

    def _sample(self) -> None:
        count(self.counts, max(0.0, self._loop.time() - self._due))
        self._timer = self._again()
