"""What may take very long to find: who may look for it at a time, and for how long.

All searches of a process together leave some of its reading threads to other reads, and those of one account leave
some to other accounts. Whoever asks for more waits for its own searches to end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, TypeVar

from mektup.terms.errors import Code, Refused

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")
T = TypeVar("T")

SEARCHES = max(2, min(8, os.cpu_count() or 2))
"""How many searches, which may take a minute each, are under way at a time."""

SHARE_OF_SEARCHES = SEARCHES // 2
"""How many of these are one account's."""


class LongReads(Protocol[C_co]):
    """A database as an engine reads it; C is what a question is asked of."""

    def read_long(self, ask: Callable[[C_co], T]) -> Awaitable[T]:
        """What *ask* finds, asked in a thread. Ends early when cancelled."""


class Searches(Generic[C]):
    """Of one account."""

    def __init__(self, database: LongReads[C], of_all: asyncio.Semaphore, seconds: float) -> None:
        """*of_all* is shared by all accounts, see ``searches_of_all``; *seconds* is how long one may take."""
        self._database = database
        self._of_all = of_all
        self._share = asyncio.Semaphore(SHARE_OF_SEARCHES)
        self._seconds = seconds

    async def find(self, ask: Callable[[C], T]) -> T:
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
