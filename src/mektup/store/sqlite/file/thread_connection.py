"""One connection of a file, kept for the next work that a thread does on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from time import monotonic

import apsw

from mektup.store.sqlite.file.open_files import OpenFiles
from mektup.store.threads import Threads


class Spare:
    """Holds one at most; more that are needed at the same time are opened and closed again."""

    def __init__(self, threads: Threads, open_spares: OpenFiles) -> None:
        self._threads = threads
        self._open_spares = open_spares
        self._connection: apsw.Connection | None = None
        self.used = 0.0
        """When it was last given back, by the monotonic clock."""
        self.rests = True
        self.was_synced = False
        """To close it brings nothing to disk, as long as another is open."""

    @property
    def idle(self) -> bool:
        """Whether there is one, which nobody uses."""
        return self._connection is not None

    async def take(self, connect: Callable[[], apsw.Connection]) -> apsw.Connection:
        """What is kept, or what *connect* makes; to be given back. Raises what apsw raises."""
        connection = self.part_with()
        return await self._threads.sync(connect) if connection is None else connection

    def give_back(self, connection: apsw.Connection) -> None:
        """Keeps *connection* for the next."""
        if connection.in_transaction:
            connection.close(True)  # it could not be rolled back, and that ends it
        elif self._connection is None:
            self._connection = connection
            self.used = monotonic()
            self._open_spares.in_use(self)
        else:
            connection.close()  # never the last of the file, whose end costs a checkpoint

    def look(self) -> None:
        """Nothing to see: the database that it belongs to looks."""

    def shrink(self) -> None:
        """Gives back the cache of what is kept."""
        if self._connection is not None:
            self._connection.release_memory()

    def part_with(self) -> apsw.Connection | None:
        """What is kept, which the caller now owns."""
        connection, self._connection = self._connection, None
        self._open_spares.closed(self)
        return connection

    async def release(self) -> bool:
        """Closes what is kept."""
        connection = self.part_with()
        if connection is not None:
            await self._threads.sync(partial(connection.close, False))
        return True
