"""Turns among sessions that keep the event loop busy.

A session whose turn is over waits here in a queue. One session leaves the queue in each round of the loop. Between two
rounds the loop looks at all sockets, so a session that is not busy waits for a single turn, however many others are
busy. While sessions wait here, turns are shorter, because many sessions can become busy in one round.
"""

from __future__ import annotations

import asyncio
from collections import deque

TURN_SECONDS = 0.005
"""How long a session may keep the event loop when no other waits for its turn."""

SHORT_TURN_SECONDS = 0.0005
"""The same while others wait for their turn."""


class FairTurns:
    """The queue of one event loop."""

    __slots__ = ("_is_called", "_loop", "_waiting", "seconds")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_called = False
        self.seconds = TURN_SECONDS
        """How long a turn is now."""

    async def wait(self) -> None:
        """Returns when it is the caller's turn again, in the next round of the loop at the earliest."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        self.seconds = SHORT_TURN_SECONDS
        if not self._is_called:
            self._is_called = True
            self._loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        waiting = self._waiting
        while waiting:
            turn = waiting.popleft()
            if not turn.done():  # a cancelled session gets no turn
                turn.set_result(None)
                break
        self._is_called = bool(waiting)
        if waiting:
            self._loop.call_soon(self._next)
        else:
            self.seconds = TURN_SECONDS
