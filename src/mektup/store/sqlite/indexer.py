"""Adds new messages to the text index (``text_index``) in the background, without delaying other work.

It waits until nothing has arrived for a moment. Then it reads and decodes some messages in a thread, indexes them in a
transaction of some ten milliseconds, pauses, and continues until all are indexed. The index need not be durable, so it
never waits for the disk. A process indexes one account at a time. Where several processes index the same account, the
first to commit wins, and the others wait for a while.

After indexing, it tidies the file: it removes expunged messages that were kept for long enough, and unused sets of
keywords, joins runs of expunged UIDs, and returns free pages and the space of the WAL to the system.
"""

from __future__ import annotations

import asyncio
import weakref
from functools import partial
from typing import Final

from mektup.store.quiet_work import QuietWork
from mektup.store.sqlite.file import free_pages
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.tables import expunged_runs, keyword_upkeep, retained, text_index
from mektup.store.sqlite.tables.chunk_compression import Packing
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.terms.limits import Limits

REST: Final = 0.25
"""The pause after a piece of work, as a fraction of its time."""


LOOKED_AGAIN_SECONDS: Final = 3600.0
"""After this time without changes, an open account looks again for messages that were kept for long enough."""


EVER: Final = 2**62
"""A moment after all others, in seconds since 1970."""


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
        self.retained_bytes = 0
        """The weight of the expunged messages that are kept, when it was last read."""
        self._again: asyncio.TimerHandle | None = None
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
        await self._forget_expunged()
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

    async def has_expunged(self) -> bool:
        """Whether there are expunged messages that were kept for long enough. Raises Refused."""
        return await self._database.read(retained.is_due, *self._kept_until())

    def _kept_until(self) -> tuple[int, int]:
        most = 0 if self._database.reserve.is_short else self._limits.expunged_bytes
        if not self._limits.expunged_seconds:
            return EVER, 0
        return int(self._database.keeping.clock() - self._limits.expunged_seconds), most

    async def forget_in_memory(self) -> None:
        """Does in memory, where nothing runs in the background, what else follows an expunge."""
        if self._database.in_memory:
            await self._forget_expunged()

    async def _forget_expunged(self) -> None:
        """Removes expunged messages that were kept for long enough, or that a full disk has no room for."""
        loop = asyncio.get_running_loop()
        while True:
            before, most = self._kept_until()
            if not await self._database.read_long(retained.is_due_or_too_much, before, most):
                break
            async with self._turn:
                begun = loop.time()
                forget = partial(retained.forget_some, before=before, most_bytes=most)
                if not await self._database.write(forget, durable=False, long=True, room=Room.FREES):
                    break
                spent = loop.time() - begun
            await asyncio.sleep(spent * REST)
        self.retained_bytes = await self._database.read(retained.weight)
        if self._again is not None:
            self._again.cancel()
        self._again = loop.call_later(LOOKED_AGAIN_SECONDS, _wake, weakref.ref(self))

    async def close(self) -> None:
        if self._again is not None:
            self._again.cancel()
        await super().close()

    async def _tidy_keywords(self) -> None:
        latest = await self._database.read(keyword_upkeep.latest)
        seen = (latest, self._sets_left)
        if not latest or seen == self._sets_seen:
            return
        found = await self._database.read_long(keyword_upkeep.unused, self._limits.keyword_sets_bytes)
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


def _wake(indexer: weakref.ref[Indexer]) -> None:
    found = indexer()
    if found is not None:
        found.wake()
