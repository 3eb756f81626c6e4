"""The one connection of a database in memory, which the event loop and the threads have in turn.

As of a file, what takes long runs in a thread. Whoever needs the account meanwhile, and only who does, waits until it
is done: nobody can read beside it, for there is nothing that a second connection could open.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import apsw

from mektup.store.sqlite.file.cursor import Cursor


class InUse(apsw.BusyError):
    """A thread has the connection: whoever is in the event loop waits for a turn."""


class OnlyOne:
    """Who has the connection, in place of a ``Spare``."""

    idle = False

    def __init__(self, near: Callable[[], Cursor], pass_on: Callable[[], None]) -> None:
        """*near* is the event loop's; *pass_on* takes it away from the loop, and the next time gives it back."""
        self._near = near
        self._pass_on = pass_on
        self._turn = asyncio.Lock()

    async def take(self, connect: Callable[[], apsw.Connection]) -> apsw.Connection:
        """The connection, when its turn has come; to be given back. Raises what apsw raises."""
        await self._turn.acquire()
        with contextlib.ExitStack() as failing:
            failing.callback(self._turn.release)
            connection = self._near().connection
            failing.pop_all()
        self._pass_on()
        return connection

    def give_back(self, connection: apsw.Connection) -> None:
        """The loop has it, or who waits for it longest."""
        self._pass_on()
        self._turn.release()

    def part_with(self) -> apsw.Connection | None:
        """None: there is no other than the event loop's."""
        return None
