"""Bounds how much of a round of the event loop many sessions may take together that go on at the same moment.

A change wakes all sessions in IDLE on a mailbox, a network that fails ends thousands of connections, and before login
thousands of clients may send at the same moment: a handshake of TLS takes a third of a millisecond, the end of a
session a tenth. The loop would do all of that before it looks at the next command. So they go on one after the other,
for ``ROUND_SECONDS`` in each round; the rest waits for the next rounds, in order. Between two rounds the loop looks at
all sockets.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Protocol

ROUND_SECONDS = 0.003
"""How long they may keep the loop in one round, and one of them longer only by itself."""

WAITING_BYTES = 16 * 1024 * 1024
"""How many octets of strangers may wait here. Above it, a stranger that sends much at once is cut off."""

STRANGERS_UNREAD_BYTES = 16 * 1024
"""With more unread octets than this, the socket of a client before login is not read, as there may be thousands. No
client sends more at once before login: a handshake of TLS and a line with a password are shorter."""


class RoundTurns:
    """Calls that wait for their turn in one event loop."""

    __slots__ = ("_is_called", "_loop", "_used", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Callable[[], None]] = deque()
        self._used = 0.0
        """Seconds that were used in this round."""
        self._is_called = False

    def call(self, work: Callable[[], None]) -> None:
        """Calls *work* in the next round or a later one, after all that waits by now."""
        self._waiting.append(work)
        self._call_round()

    def _call_round(self) -> None:
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._round)

    def _round(self) -> None:
        self._is_called = False
        began, self._used = time.perf_counter(), 0.0
        waiting = self._waiting
        try:
            while waiting and self._used < ROUND_SECONDS:
                waiting.popleft()()
                self._used = time.perf_counter() - began
        finally:
            # also after an error of ours, which the loop logs: the others must not wait for ever
            if waiting or self._used:
                self._call_round()


class Stranger(Protocol):
    """A connection before login."""

    is_held: bool
    """Whether octets of it wait here. Later ones must not overtake them, so its socket must not be read."""

    def take(self, data: bytes) -> None:
        """Handles *data*, which came from the client."""

    def pause(self) -> None:
        """Stops reading the socket."""

    def go_on(self) -> None:
        """Reads the socket again, unless it is held."""

    def abort(self) -> None:
        """Closes the connection at once."""


class StrangerTurns(RoundTurns):
    """The turns of clients before login, with their input."""

    __slots__ = ("_waiting_bytes",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._waiting_bytes = 0

    def came(self, stranger: Stranger, data: bytes) -> None:
        """*stranger* takes *data*: at once if there is time left in this round, else in a later one."""
        if not self._waiting and self._used < ROUND_SECONDS:
            began = time.perf_counter()
            stranger.take(data)
            self._used += time.perf_counter() - began
            self._call_round()
        elif self._waiting_bytes > WAITING_BYTES and len(data) > STRANGERS_UNREAD_BYTES:
            stranger.abort()
        else:
            self._waiting_bytes += len(data)
            stranger.is_held = True
            stranger.pause()
            self.call(partial(self._give, stranger, data))

    def _give(self, stranger: Stranger, data: bytes) -> None:
        self._waiting_bytes -= len(data)
        stranger.is_held = False
        stranger.take(data)
        stranger.go_on()
