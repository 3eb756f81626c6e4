"""Lends connections of a file to work in threads.

Only a few are lent at the same time, and the next caller waits for one of them. So a client that asks in many sessions
at once opens few connections, and never occupies all threads: they serve other accounts, too.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

import apsw

from mektup.store.open_files import OpenFiles
from mektup.store.searches import SHARE_OF_SEARCHES
from mektup.store.sqlite.file import settings
from mektup.store.threads import Threads

MOST_LENT: Final = SHARE_OF_SEARCHES + 1
"""The most connections that are lent at the same time to callers that wait: one more than an account's searches need.

More would not read faster: the threads and the event loop share the processors and the GIL."""


class ThreadConnections:
    """The connections of one file that are not the loop's. For the event loop's thread."""

    def __init__(self, threads: Threads, open_far: OpenFiles) -> None:
        self._threads = threads
        self._open_far = open_far
        self._kept: list[apsw.Connection] = []
        self._lent = 0
        self._waiting: deque[asyncio.Future[apsw.Connection | None]] = deque()
        self.used = 0.0
        """The time when a connection was last given back, by the monotonic clock."""
        self.rests = True
        self.was_synced = False
        """Always false, because closing it does not use the disk while another connection is open."""
        self.wal_bytes = 0
        """Always 0, because the first connection of the file counts it."""

    @property
    def idle(self) -> bool:
        """Whether a connection is kept and not in use."""
        return bool(self._kept)

    async def take(self, connect: Callable[[], apsw.Connection], *, at_once: bool) -> apsw.Connection:
        """A kept connection, or a new one from *connect*; it must be given back. Raises apsw's errors.

        Waits while MOST_LENT are lent, except with *at_once*: writers are few, and must not wait for long reads.
        """
        connection = None
        if self._lent >= MOST_LENT and not at_once:
            connection = await self._its_turn()
        else:
            self._lent += 1
            if self._kept:
                connection = self._kept.pop()
                if not self._kept:
                    self._open_far.closed(self)
        if connection is not None:
            return connection
        is_open = False
        try:
            connection = await self._threads.sync(connect)
            is_open = True
        finally:
            if not is_open:
                self._pass_on(None)
        return connection

    async def _its_turn(self) -> apsw.Connection | None:
        """Waits for another caller's connection; None where the caller may open one in its place."""
        turn: asyncio.Future[apsw.Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._pass_on(turn.result())
            raise

    def give_back(self, connection: apsw.Connection) -> None:
        """Lends *connection* to the longest waiting caller, or keeps it for the next work."""
        if connection.in_transaction:
            settings.close_without_checkpoint(connection)  # a rollback failed; closing ends the transaction
            self._pass_on(None)
        else:
            self._pass_on(connection)

    def _pass_on(self, connection: apsw.Connection | None) -> None:
        while self._waiting and self._lent <= MOST_LENT:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(connection)
                return
        self._lent -= 1
        if connection is not None:
            self._kept.append(connection)
            self.used = monotonic()
            self._open_far.in_use(self)

    def look(self) -> None:
        """Does nothing, because ``Database.look`` checks the files."""

    def shrink(self) -> None:
        """Frees the cache of one kept connection, and closes the others."""
        for connection in self._kept[1:]:
            connection.close()  # never the last of the file, whose closing would checkpoint
        del self._kept[1:]
        if self._kept:
            self._kept[0].release_memory()

    def part_with(self) -> list[apsw.Connection]:
        """Returns the kept connections, which the caller then owns."""
        connections, self._kept = self._kept, []
        self._open_far.closed(self)
        return connections

    async def release(self) -> bool:
        """Closes the kept connections."""
        for connection in self.part_with():
            await self._threads.sync(partial(connection.close, False))
        return True
