"""Busy polling: after an answer the event loop polls for a moment, where clients send commands within microseconds.

A client on the same machine that sends one command after the other waits each time until the kernel has put the server
to sleep and woken it, and until the processor's caches are warm again. That can be a third of its waiting time. So
after some commands in quick succession, the event loop's thread polls for the next one for a short time before it
sleeps. It stops when anything comes from any client, and when the time is over.
"""

from __future__ import annotations

import asyncio
import select
import sys
from time import monotonic

from mektup.store import system

AWAKE_SECONDS = 100e-6
"""The longest poll: the time in which a client on the same machine reads an answer and sends the next command."""

QUICK_IN_A_ROW = 8
"""After so many quick commands in a row, polling begins."""


class BusyPoll:
    """The busy polling of one event loop."""

    __slots__ = ("_answered_at", "_poll", "_quick")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, is_enabled: bool = True) -> None:
        """Unless *is_enabled* (``tuning.busy_poll``), the loop always sleeps at once."""
        self._answered_at = 0.0
        self._quick = 0
        self._poll: select.poll | None = None
        # the epoll descriptor of uvloop: it is readable when anything is that the loop waits for
        backend = getattr(loop, "_get_backend_id", None)
        # with one processor, nothing can come while that processor polls
        if is_enabled and backend is not None and sys.platform == "linux" and system.processors() > 1:
            self._poll = select.poll()
            self._poll.register(backend(), select.POLLIN)

    def heard(self) -> None:
        """Notes that octets of a client came."""
        self._quick = self._quick + 1 if monotonic() - self._answered_at <= AWAKE_SECONDS else 0

    def answered(self) -> None:
        """Notes that all commands are answered. Returns at once, or within AWAKE_SECONDS where clients are quick."""
        self._answered_at = monotonic()
        if self._quick < QUICK_IN_A_ROW or self._poll is None:
            return
        until = self._answered_at + AWAKE_SECONDS
        while not self._poll.poll(0):
            if monotonic() > until:
                self._quick = 0
                return
