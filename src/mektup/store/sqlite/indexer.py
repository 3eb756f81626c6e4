"""Keeps the index of texts (``text_index``) up behind the arrivals, without being in anyone's way.

It waits until nothing has arrived for a moment. Then it reads and decodes some messages in a thread, puts them into
the index in a transaction of some ten milliseconds, rests, and goes on until all are there. Nothing is promised of the
index, so nothing waits for the disk here. In a process one account is worked for at a time; of several processes,
the one that puts its messages first wins, and the others leave it alone for a while.

When that is done it tidies the file: sets of keywords that no message has go, runs of expunged UIDs are joined, free
pages and the WAL's room given back.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from mektup.store.quiet_work import QuietWork
from mektup.store.sqlite.file import room
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.tables import expunged_runs, keyword_upkeep, text_index
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.terms.limits import Limits

REST: Final = 0.25
"""Seconds that others are left alone, for each that they were not."""


class Indexer(QuietWork):
    """Of one account; what is cut off by its end is a moment's work. To be used from the event loop's thread."""

    def __init__(
        self, database: Database, limits: Limits, packing: Packing, turn: asyncio.Lock, keyword_sets: SqliteKeywordSets
    ) -> None:
        """*turn* is shared by all accounts of the process."""
        self._database = database
        self._keyword_sets = keyword_sets
        self._sets_seen = 0
        """The latest set of keywords when it was looked which of them are needed."""
        self._limits = limits
        self._packing = packing
        self._turn = turn
        super().__init__(database.owner, is_off=database.in_memory)

    async def _do(self) -> bool:
        is_done = not await self._has_texts() or await self._finish()
        await self.tidy()
        return is_done

    async def _has_texts(self) -> bool:
        return self._limits.text_index and await self._database.read(text_index.is_due)

    async def tidy(self) -> None:
        """Makes the file smaller where much of it is not needed, some milliseconds at a time. Raises Refused."""
        loop = asyncio.get_running_loop()
        await self._tidy_keywords()
        while (mailbox := await self._database.read_long(expunged_runs.many)) is not None:
            await self._database.write(partial(expunged_runs.join, mailbox=mailbox), durable=False, long=True)
        is_due = await self._database.read(room.is_due)
        while is_due:
            async with self._turn:
                begun = loop.time()
                is_due = await self._database.write(room.give_back, durable=False, long=True, room=Room.FREES)
                spent = loop.time() - begun
            await asyncio.sleep(spent * REST)
        await self._database.checkpoints.shrink_wal()

    async def _tidy_keywords(self) -> None:
        latest = await self._database.read(keyword_upkeep.latest)
        if latest == self._sets_seen:
            return
        found = await self._database.read_long(keyword_upkeep.unused)
        if found.sets:
            remove = partial(keyword_upkeep.remove, found=found)
            if not await self._database.write(remove, durable=False, long=True, room=Room.FREES):
                return  # whoever changed something has woken this, and it will be looked again
        self._sets_seen = latest
        # other processes may have removed some, too
        self._keyword_sets.forget(await self._database.write(self._keyword_sets.gone, durable=False))

    async def finish(self) -> None:
        """Indexes all there is now, at once. Raises Refused."""
        while not await self._finish():
            pass

    async def _finish(self) -> bool:
        """The same; False where another process is at it."""
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
