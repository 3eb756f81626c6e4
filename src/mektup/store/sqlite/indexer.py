"""Adds new messages to the text index (``text_index``) in the background, without delaying other work.

It waits until nothing has arrived for a moment. Then it reads and decodes some messages in a thread, indexes them in a
transaction of some ten milliseconds, pauses, and continues until all are indexed. The index need not be durable, so it
never waits for the disk. A process indexes one account at a time. Where several processes index the same account, the
first to commit wins, and the others wait for a while.

After indexing, it tidies the file: it removes unused sets of keywords, joins runs of expunged UIDs, and returns free
pages and the space of the WAL to the system.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from mektup.store.quiet_work import QuietWork
from mektup.store.sqlite.file import free_pages
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.tables import expunged_runs, keyword_upkeep, text_index
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.terms.limits import Limits

REST: Final = 0.25
"""The pause after a piece of work, as a fraction of its time."""


class Indexer(QuietWork):
    """The indexer of one account. Closing it loses only the current batch. For the event loop's thread."""

    def __init__(
        self, database: Database, limits: Limits, packing: Packing, turn: asyncio.Lock, keyword_sets: SqliteKeywordSets
    ) -> None:
        """*turn* is held during each piece of work, and is shared by all accounts of the process."""
        self._database = database
        self._keyword_sets = keyword_sets
        self._sets_left = 0
        """How often messages left their sets of keywords, see ``wake_for_sets``."""
        self._sets_seen = (0, 0)
        """The latest set of keywords at the last search for unused ones, and ``_sets_left``."""
        self._limits = limits
        self._packing = packing
        self._turn = turn
        super().__init__(database.owner, is_off=database.in_memory)

    def wake_for_sets(self) -> None:
        """Like ``wake``, after messages may have left their sets of keywords: sets that no message uses are removed."""
        self._sets_left += 1
        self.wake()

    async def _do(self) -> bool:
        is_done = not await self._has_texts() or await self._finish()
        await self.tidy()
        return is_done

    async def _has_texts(self) -> bool:
        return self._limits.text_index and await self._database.read(text_index.is_due)

    async def tidy(self) -> None:
        """Frees unused space of the file, some milliseconds at a time. Raises Refused."""
        loop = asyncio.get_running_loop()
        await self._tidy_keywords()
        while (mailbox := await self._database.read_long(expunged_runs.many)) is not None:
            await self._database.write(partial(expunged_runs.join, mailbox=mailbox), durable=False, long=True)
        is_due = await self._database.read(free_pages.is_due)
        while is_due:
            async with self._turn:
                begun = loop.time()
                is_due = await self._database.write(free_pages.give_back, durable=False, long=True, room=Room.FREES)
                spent = loop.time() - begun
            await asyncio.sleep(spent * REST)
        await self._database.checkpoints.shrink_wal()

    async def _tidy_keywords(self) -> None:
        latest = await self._database.read(keyword_upkeep.latest)
        seen = (latest, self._sets_left)
        if not latest or seen == self._sets_seen:
            return
        found = await self._database.read_long(keyword_upkeep.unused)
        if found.sets:
            remove = partial(keyword_upkeep.remove, found=found)
            if not await self._database.write(remove, durable=False, long=True, room=Room.FREES):
                return  # the change meanwhile has woken the indexer, which tries again
        self._sets_seen = seen
        # other processes may have removed some, too
        self._keyword_sets.forget(await self._database.write(self._keyword_sets.gone, durable=False))

    async def finish(self) -> None:
        """Indexes all messages now. Raises Refused."""
        while not await self._finish():
            pass

    async def _finish(self) -> bool:
        """Indexes all messages; returns False where another process indexes them."""
        loop = asyncio.get_running_loop()
        while True:
            async with self._turn:
                begun = loop.time()
                batch = await self._database.read_long(text_index.next_batch, self._limits, self._packing)
                put = partial(text_index.put, batch=batch)
                if batch.entries and not await self._database.write(put, durable=False, long=True):
                    return False
                tidied = await self._database.write(text_index.tidy, durable=False, long=True)
                spent = loop.time() - begun
            if not batch.entries and not tidied:
                return True
            await asyncio.sleep(spent * REST)
