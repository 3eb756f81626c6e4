"""Keeps one connection of a file for the next work in a thread."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic

import apsw

from mektup.store.sqlite.file.open_files import OpenFiles
from mektup.store.threads import Threads


class Spare:
    """Holds at most one connection; if more are needed at the same time, they are opened and closed again."""

    def __init__(self, threads: Threads, open_spares: OpenFiles) -> None:
        self._threads = threads
        self._open_spares = open_spares
        self._connection: apsw.Connection | None = None
        self.used = 0.0
        """The time when the connection was last given back, by the monotonic clock."""
        self.rests = True
        self.was_synced = False
        """Always false, because closing it does not use the disk while another connection is open."""

    @property
    def idle(self) -> bool:
        """Whether a connection is kept and not in use."""
        return self._connection is not None

    async def take(self, connect: Callable[[], apsw.Connection]) -> apsw.Connection:
        """The kept connection, or a new one from *connect*; it must be given back. Raises apsw's errors."""
        connection = self.part_with()
        return await self._threads.sync(connect) if connection is None else connection

    def give_back(self, connection: apsw.Connection) -> None:
        """Keeps *connection* for the next work."""
        if connection.in_transaction:
            connection.close(True)  # a rollback failed; closing ends the transaction
        elif self._connection is None:
            self._connection = connection
            self.used = monotonic()
            self._open_spares.in_use(self)
        else:
            connection.close()  # never the last of the file, whose closing would checkpoint

    def look(self) -> None:
        """Does nothing, because ``Database.look`` checks the files."""

    def shrink(self) -> None:
        """Frees the cache of the kept connection."""
        if self._connection is not None:
            self._connection.release_memory()

    def part_with(self) -> apsw.Connection | None:
        """Returns the kept connection, which the caller then owns; None for none."""
        connection, self._connection = self._connection, None
        self._open_spares.closed(self)
        return connection

    async def release(self) -> bool:
        """Closes the kept connection."""
        connection = self.part_with()
        if connection is not None:
            await self._threads.sync(partial(connection.close, False))
        return True
