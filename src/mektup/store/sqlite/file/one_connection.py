"""The only connection of a database in memory, which the event loop and the threads share.

As with a file, long work runs in a thread. Meanwhile, other users of the same account wait until the work is done,
because a second connection cannot open a database in memory.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import apsw

from mektup.store.sqlite.file.cursor import Cursor


class InUse(apsw.BusyError):
    """A thread has the connection; the caller in the event loop has to wait."""


def copy_of(source: apsw.Connection) -> apsw.Connection:
    """A copy of the database in memory that *source* has, for who reads one moment of it. Raises apsw's errors."""
    copy = apsw.Connection(":memory:")
    with copy.backup("main", source, "main") as copying:
        copying.step()
    return copy


class OneConnection:
    """Passes the connection between the loop and the threads; in place of ``ThreadConnections``."""

    idle = False

    def __init__(self, near: Callable[[], Cursor], pass_on: Callable[[], None]) -> None:
        """*near* returns the loop's cursor; *pass_on* takes it from the loop, and gives it back the next time."""
        self._near = near
        self._pass_on = pass_on
        self._turn = asyncio.Lock()

    async def take(self, connect: Callable[[], apsw.Connection], *, at_once: bool) -> apsw.Connection:
        """Waits for the connection, which must be given back. Raises apsw's errors."""
        await self._turn.acquire()
        with contextlib.ExitStack() as failing:
            failing.callback(self._turn.release)
            connection = self._near().connection
            failing.pop_all()
        self._pass_on()
        return connection

    def give_back(self, connection: apsw.Connection) -> None:
        """Gives the connection to the longest waiting caller, or else to the loop."""
        self._pass_on()
        self._turn.release()

    def part_with(self) -> list[apsw.Connection]:
        """Returns none, as there is no other connection than the loop's."""
        return []
