"""Turns among sessions that keep the event loop busy.

A session whose turn is over waits here in a queue. One session leaves the queue in each round of the loop. Between two
rounds the loop looks at all sockets, so a session that is not busy waits for a single turn, however many others are
busy. While sessions wait here, turns are shorter, because many sessions can become busy in one round.

There are two queues, which take turns: a command that waits for the first time does not queue behind commands that
have kept the loop busy for long. Even a short command may wait, because its turn can end while the system runs another
process.
"""

from __future__ import annotations

import asyncio
from collections import deque

from mektup.server.round_turns import RoundTurns, StrangerTurns

TURN_SECONDS = 0.005
"""How long a session may keep the event loop when no other waits for its turn."""

SHORT_TURN_SECONDS = 0.0005
"""The same while others wait for their turn."""


class FairTurns:
    """The queue of one event loop."""

    __slots__ = ("_first", "_is_called", "_later", "_loop", "_was_first", "seconds", "strangers", "woken")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._first: deque[asyncio.Future[None]] = deque()
        self._later: deque[asyncio.Future[None]] = deque()
        self._was_first = False
        self._is_called = False
        self.seconds = TURN_SECONDS
        """How long a turn is now."""
        self.strangers = StrangerTurns(loop)
        """Turns of clients before login."""
        self.woken = RoundTurns(loop)
        """Turns of other sessions that something wakes: a change, a time that is over, the end of the stream."""

    async def wait(self, *, is_first: bool) -> None:
        """Returns when it is the caller's turn again, in the next round of the loop at the earliest.

        *is_first*: whether the caller has not waited yet since its client last had nothing to ask.
        """
        turn: asyncio.Future[None] = self._loop.create_future()
        (self._first if is_first else self._later).append(turn)
        self.seconds = SHORT_TURN_SECONDS
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        while self._first or self._later:
            self._was_first = bool(self._first) and not (self._was_first and self._later)
            turn = (self._first if self._was_first else self._later).popleft()
            if not turn.done():  # a cancelled session gets no turn
                turn.set_result(None)
                break
        self._is_called = bool(self._first or self._later)
        if self._is_called:
            self._loop.call_soon(self._next)
        else:
            self.seconds = TURN_SECONDS
