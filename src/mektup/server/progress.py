"""The timer by which clients are told that their commands go on (RFC 9585).

One timer looks at all sessions of the process, so that a command costs nothing more: most end long before it looks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from mektup.server.connection import Connection
from mektup.server.visit import Visit

SHORTEST_SECONDS = 0.01
"""The timer never looks more often than this."""


class ProgressTimer:
    """Looks at the sessions twice in each interval, as long as there are any."""

    def __init__(self, serving: Mapping[Connection, Visit]) -> None:
        """*serving*: the connections that have sessions; read at each look."""
        self._serving = serving
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._seconds = 0.0

    def start(self, progress_seconds: float) -> None:
        """Looks from now on, if it does not already; not at all where *progress_seconds* is 0."""
        self._seconds = progress_seconds
        if self._timer is None and progress_seconds:
            self._arm()

    def close(self) -> None:
        """Looks no more; may be called twice."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        self._timer = self._loop.call_later(max(self._seconds / 2, SHORTEST_SECONDS), self._look)

    def _look(self) -> None:
        self._timer = None
        now = time.monotonic()
        for connection, visit in self._serving.items():
            # a session that waits for its client has nothing to tell
            if visit.session is not None and connection.passed is None:
                visit.session.tell_progress(now)
        if self._serving and self._seconds:
            self._arm()
