"""Whose turn it is among sessions that keep the event loop busy.

A session that has had its turn waits here, and goes on when those that came before it have had theirs, one in each
round of the loop. Between two of them the loop looks at all sockets, so however many sessions are busy, one that is
not waits for a single turn. While others wait here, a turn is shorter: many sessions can become busy in one round.
"""

from __future__ import annotations

import asyncio
from collections import deque

TURN_SECONDS = 0.005
"""How long a session may keep the event loop to itself where nobody else wants to."""

SHORT_TURN_SECONDS = 0.0005
"""The same where others wait for their turn."""


class FairTurns:
    """Of one event loop."""

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
            if not turn.done():  # who was cancelled has none
                turn.set_result(None)
                break
        self._is_called = bool(waiting)
        if waiting:
            self._loop.call_soon(self._next)
        else:
            self.seconds = TURN_SECONDS
