"""A connection that keeps reading one moment of a file, until it lets go.

While it holds the moment, the WAL cannot start over, so it grows with what others write. So whoever holds one lets go
after a bounded time; the connection then reads the present state, as any other.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Concatenate, ParamSpec, TypeVar

import apsw

from mektup.store.sqlite.file import settings
from mektup.store.sqlite.file.cursor import Cursor, ask_of
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.store.threads import Threads
from mektup.terms.errors import Refused

T = TypeVar("T")
P = ParamSpec("P")


class HeldMoment:
    """Made by ``Database.hold``. Its reads run in a thread, one after the other. For the event loop's thread."""

    def __init__(self, connection: apsw.Connection, threads: Threads, refused: Callable[[Exception], Refused]) -> None:
        """Owns *connection*; *refused* makes the refusal for an engine's error."""
        self._connection = connection
        self._threads = threads
        self._refused = refused
        self._turn = asyncio.Lock()
        self.is_held = False
        """Whether reads see the moment, and not the present."""

    async def begin(self) -> None:
        """Begins the moment: the first read decides which one it is."""
        await self.read(lambda cursor: cursor.execute("BEGIN"))
        self.is_held = True

    async def read(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of *ask*. Raises Refused."""
        async with self._turn:
            work = partial(ask_of, self._connection, lambda cursor: ask(cursor, *args, **kwargs))
            try:
                return await self._threads.read(work, self._connection.interrupt)
            except ENGINE_ERRORS as error:
                raise self._refused(error) from error

    async def let_go(self) -> None:
        """Ends the moment. May be called twice."""
        if self.is_held:
            self.is_held = False
            await self.read(_end)

    async def close(self) -> None:
        """Closes the connection, which ends the moment."""
        async with self._turn:
            await self._threads.sync(partial(settings.close_without_checkpoint, self._connection))


def _end(cursor: Cursor) -> None:
    # some errors have ended it already
    if cursor.connection.in_transaction:
        cursor.execute("COMMIT")
