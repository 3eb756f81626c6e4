"""What may take very long to find: who may look for it at a time, and for how long.

All searches of a process together leave some of its reading threads to other reads, and those of one account leave
some to other accounts. Whoever asks for more waits for its own searches to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.threads import SEARCHES, SHARE_OF_SEARCHES
from mektup.terms.errors import Code, Refused

T = TypeVar("T")


class Searches:
    """Of one account."""

    def __init__(self, database: Database, of_all: asyncio.Semaphore, seconds: float) -> None:
        """*of_all* is shared by all accounts, see ``searches_of_all``; *seconds* is how long one may take."""
        self._database = database
        self._of_all = of_all
        self._share = asyncio.Semaphore(SHARE_OF_SEARCHES)
        self._seconds = seconds

    async def find(self, ask: Callable[[Cursor], T]) -> T:
        """What *ask* finds, asked in a thread. Ends early when cancelled. Raises Refused(LIMIT) when it is too late."""
        async with self._share, self._of_all:
            try:
                async with asyncio.timeout(self._seconds):
                    return await self._database.read_long(ask)
            except TimeoutError as error:
                text = f"This took more than {self._seconds:g} seconds; ask for less at a time"
                raise Refused(Code.LIMIT, text) from error


def searches_of_all() -> asyncio.Semaphore:
    """For one process."""
    return asyncio.Semaphore(SEARCHES)
