"""Staying awake for a moment after an answer, where clients come with their next command within microseconds.

A program on the same machine that says one command after the other waits, each time, for the kernel to put the server
to sleep and to wake it, and for a processor to find back to what it did: that can be a third of all its waiting. So
after some commands that came at once the event loop's thread looks for the next one a little longer, without sleep.
It stops when anything comes, for whomever, and gives up when nothing came in time.
"""

from __future__ import annotations

import asyncio
import select
import sys
from time import monotonic

from mektup.store import system

AWAKE_SECONDS = 100e-6
"""The longest: what a client on the same machine needs to see an answer and to say the next command."""

QUICK_IN_A_ROW = 8
"""Commands that came so soon, after which it is expected that the next one does."""


class BusyPoll:
    """Of one event loop."""

    __slots__ = ("_answered_at", "_poll", "_quick")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_enabled: bool = True) -> None:
        """Where it is not to be kept, the loop always sleeps at once (``tuning.busy_poll``)."""
        self._answered_at = 0.0
        self._quick = 0
        self._poll: select.poll | None = None
        # uvloop's own descriptor for waiting: it can be read from when anything can that the loop waits for
        backend = getattr(loop, "_get_backend_id", None)
        # where there is one processor, nothing comes while it is busy looking
        if is_enabled and backend is not None and sys.platform == "linux" and system.processors() > 1:
            self._poll = select.poll()
            self._poll.register(backend(), select.POLLIN)

    def heard(self) -> None:
        """A client has said something."""
        self._quick = self._quick + 1 if monotonic() - self._answered_at <= AWAKE_SECONDS else 0

    def answered(self) -> None:
        """All that was said is answered; returns at once, or within AWAKE_SECONDS where clients are quick."""
        self._answered_at = monotonic()
        if self._quick < QUICK_IN_A_ROW or self._poll is None:
            return
        until = self._answered_at + AWAKE_SECONDS
        while not self._poll.poll(0):
            if monotonic() > until:
                self._quick = 0
                return
