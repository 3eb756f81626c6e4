"""Limits how many searches run at a time, and for how long, because a search may take very long.

The limit of a process leaves some reading threads to other reads. The limit of an account leaves some to other
accounts; further searches of an account wait for its own searches to end.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Generic, Protocol, TypeVar

from mektup.store import texts
from mektup.terms.errors import Code, Refused

C_co = TypeVar("C_co", covariant=True)
C = TypeVar("C")
T = TypeVar("T")

SEARCHES = max(2, min(8, os.cpu_count() or 2))
"""How many searches run at a time; each may take a minute."""

SHARE_OF_SEARCHES = SEARCHES // 2
"""How many of these one account may have."""


class LongReads(Protocol[C_co]):
    """A database that runs long queries; C is the argument of a query, such as a connection."""

    def read_long(self, ask: Callable[[C_co], T]) -> Awaitable[T]:
        """The result of the query *ask*, which runs in a thread. Ends early when cancelled."""


class SearchLimits:
    """What limits the searches of one account."""

    def __init__(self, of_all: asyncio.Semaphore, seconds: float) -> None:
        """*of_all* limits all accounts together (see ``searches_of_all``); *seconds* is the time limit of a search."""
        self._of_all = of_all
        self._share = asyncio.Semaphore(SHARE_OF_SEARCHES)
        self._seconds = seconds

    async def run(self, search: Callable[[], Awaitable[T]]) -> T:
        """The result of *search*, called when it is its turn. Raises Refused(LIMIT) on timeout."""
        async with self._share, self._of_all:
            try:
                async with asyncio.timeout(self._seconds):
                    return await search()
            except TimeoutError as error:
                raise Refused(Code.LIMIT, texts.TOO_LONG.of(seconds=f"{self._seconds:g}")) from error


class Searches(Generic[C]):
    """The searches of one account in a database that runs long queries."""

    def __init__(self, database: LongReads[C], of_all: asyncio.Semaphore, seconds: float) -> None:
        """See ``SearchLimits``."""
        self._database = database
        self._limits = SearchLimits(of_all, seconds)

    async def find(self, ask: Callable[[C], T]) -> T:
        """The result of *ask*, which runs in a thread. Ends early when cancelled. Raises Refused(LIMIT) on timeout."""
        return await self._limits.run(partial(self._database.read_long, ask))


def searches_of_all() -> asyncio.Semaphore:
    """The limit for all searches of a process."""
    return asyncio.Semaphore(SEARCHES)
