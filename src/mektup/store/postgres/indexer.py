"""Stores the texts of new messages, for SEARCH, behind the arrivals.

It waits until nothing has arrived for a moment. Then one node, which owns a row of ``work``, reads and decodes some
messages at a time. A message whose texts are not stored yet is decoded by each search, so no answer waits for this.

After that, expunged messages that were kept for long enough are removed, with the history of mailboxes.
"""

from __future__ import annotations

import asyncio
import uuid
import weakref
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from mektup.store.message_texts import stored_texts_of
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.shard import LostAnswer
from mektup.store.postgres.tables import text_queries, work_queries
from mektup.store.postgres.text_search import Mail, spool_content
from mektup.store.quiet_work import QuietWork
from mektup.store.spool import Spool
from mektup.terms.limits import Limits
from mektup.terms.numbers import ContentId

BATCH_BYTES: Final = 1024 * 1024
"""The octets of messages at which a batch ends."""

BATCH_MESSAGES: Final = 100

OWNED_SECONDS: Final = 60
"""How long the work belongs to a node that does not say that it still does it."""

REST: Final = 0.25
"""The pause after a batch, as a fraction of its time."""

LOOKED_AGAIN_SECONDS: Final = 3600.0
"""After this time without changes, an open account looks again for messages that were kept for long enough."""

KIND: Final = "texts"


class Indexer(QuietWork):
    """Stores the texts of one account."""

    def __init__(
        self,
        database: AccountDatabase,
        mail: Mail,
        limits: Limits,
        turn: asyncio.Lock,
        forget_old: Callable[[], Awaitable[bool]],
        owner: Callable[[], object],
    ) -> None:
        """*turn* is held during each batch, and is shared by all accounts of the process; *owner* as in QuietWork.

        *forget_old* removes some expunged messages that were kept for long enough, and returns whether there were any.
        """
        self._database = database
        self._account = database.account
        self._mail = mail
        self._limits = limits
        self._turn = turn
        self._forget_old = forget_old
        self._node = uuid.uuid4()
        self._again: asyncio.TimerHandle | None = None
        super().__init__(owner, is_off=False)

    async def _do(self) -> bool:
        try:
            is_done = not self._limits.text_index or await self.finish()
            await self._forget()
        except LostAnswer as lost:
            raise lost.refused from lost
        return is_done

    async def _forget(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            async with self._turn:
                begun = loop.time()
                if not await self._forget_old():
                    break
                spent = loop.time() - begun
            await asyncio.sleep(spent * REST)
        if self._again is not None:
            self._again.cancel()
        self._again = loop.call_later(LOOKED_AGAIN_SECONDS, _wake, weakref.ref(self))

    async def close(self) -> None:
        """See ``QuietWork``."""
        if self._again is not None:
            self._again.cancel()
        await super().close()

    async def finish(self) -> bool:
        """Stores all texts that are missing; returns False where another node does. Raises Refused, LostAnswer."""
        loop = asyncio.get_running_loop()
        ((is_due,),) = await self._database.ask(text_queries.IS_DUE, (self._account,))
        if not is_due:
            return True
        try:
            while await self._owns():
                async with self._turn:
                    begun = loop.time()
                    if not await self._store_some():
                        return True
                    spent = loop.time() - begun
                await asyncio.sleep(spent * REST)
            return False
        finally:
            await self._database.shard.call(work_queries.LEAVE, (self._account, KIND, self._node))

    async def _owns(self) -> bool:
        """Whether this node does the work, and no other may for a while."""
        now = self._database.moment
        values = (self._account, KIND, self._node, now + OWNED_SECONDS, now)
        return bool(await self._database.shard.call(work_queries.TAKE, values))

    async def _store_some(self) -> bool:
        """Stores some texts; returns whether there were any to store."""
        rows = await self._database.ask(text_queries.TO_INDEX, (self._account, BATCH_MESSAGES))
        contents: list[int] = []
        texts: list[tuple[str, str]] = []
        octets = 0
        for content, size in rows:
            if contents and octets + size > BATCH_BYTES:
                break
            octets += size
            found = await self._texts(ContentId(content))
            if found is not None:
                contents.append(content)
                texts.append(found)
        await self._put(contents, texts)
        return bool(rows)

    async def _texts(self, content: ContentId) -> tuple[str, str] | None:
        """The texts of a message; None where it is gone meanwhile."""
        with Spool(unchanged=True) as spool:
            if not await spool_content(self._mail, content, spool):
                return None
            return await asyncio.to_thread(stored_texts_of, spool.octets(), self._limits)

    async def _put(self, contents: Sequence[int], texts: Sequence[tuple[str, str]]) -> None:
        headers, bodies = [each for each, _ in texts], [each for _, each in texts]
        await self._database.shard.call(text_queries.PUT_TEXTS, (self._account, list(contents), headers, bodies))


def _wake(indexer: weakref.ref[Indexer]) -> None:
    found = indexer()
    if found is not None:
        found.wake()
