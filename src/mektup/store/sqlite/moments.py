"""An account at one moment: a ``store.moments.Moment`` that reads a connection of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, TypeVar

from mektup.store import texts
from mektup.store.moments import CONTENTS_SECONDS, ROWS_SECONDS, AccountState, KeptMessage
from mektup.store.rules.keyword_sets import flags_of
from mektup.store.sqlite.tables import content as octets
from mektup.store.sqlite.tables import moments as tables
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import ContentId, MailboxId, ModSeq, Uid
from mektup.terms.sets import Uids

if TYPE_CHECKING:
    from mektup.store.sqlite.file.database import Database
    from mektup.store.sqlite.file.held_moment import HeldMoment

T = TypeVar("T")

MOST_OCTETS = 1 << 40
"""More than any message has."""

MOST_AT_ONCE = 500
"""The most messages whose octets are asked for at a time."""


@asynccontextmanager
async def snapshot(
    database: Database, rows_seconds: float = ROWS_SECONDS, contents_seconds: float = CONTENTS_SECONDS
) -> AsyncIterator[SqliteMoment]:
    """See ``interface.Account.snapshot``."""
    async with database.hold() as held:
        state, sets = await held.read(tables.state)
        moment = SqliteMoment(held, state, sets, rows_seconds, contents_seconds)
        try:
            yield moment
        finally:
            await moment.end()


class SqliteMoment:
    """Lets the moment go after a time, and then reads octets as they are now: they are the same, or gone."""

    def __init__(
        self,
        held: HeldMoment,
        state: AccountState,
        sets: Mapping[int, str],
        rows_seconds: float,
        contents_seconds: float,
    ) -> None:
        self.state = state
        self._held = held
        self._sets = sets
        self._contents_seconds = contents_seconds
        self._loop = asyncio.get_running_loop()
        self._ends_at = self._loop.time() + rows_seconds
        self._timer = self._loop.call_at(self._ends_at, self._begin_ending)
        self._ending: asyncio.Task[None] | None = None

    def _begin_ending(self) -> None:
        self._ending = self._ending or self._loop.create_task(self._let_go())

    async def _let_go(self) -> None:
        with suppress(Refused):  # closing the connection ends the moment, too
            await self._held.let_go()

    def _end_soon(self) -> None:
        """Called when octets are asked for: then the rows have been read."""
        ends_at = self._loop.time() + self._contents_seconds
        if ends_at < self._ends_at:
            self._ends_at = ends_at
            self._timer.cancel()
            self._timer = self._loop.call_at(ends_at, self._begin_ending)

    async def end(self) -> None:
        """Ends what it began."""
        self._timer.cancel()
        if self._ending is not None:
            await self._ending

    def _check(self) -> None:
        if not self._held.is_held:
            raise Refused(Code.UNAVAILABLE, texts.MOMENT_OVER)

    def flag_names(self, word: int) -> tuple[str, ...]:
        """See ``store.moments.Moment``, also for the other methods."""
        return flags_of(word, self._sets)

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> tuple[Uids, Uids]:
        self._check()
        return await self._held.read(tables.touched, mailbox, since)

    async def messages(self, mailbox: MailboxId, uids: Uids) -> AsyncGenerator[Sequence[KeptMessage], None]:
        after = Uid(0)
        while uids and after < uids.last:
            self._check()
            found, after = await self._held.read(tables.messages, mailbox, uids, after)
            if found:
                yield found

    async def contents(
        self, contents: Sequence[ContentId]
    ) -> AsyncGenerator[Sequence[tuple[ContentId, bytes | None]], None]:
        self._end_soon()
        at = 0
        while at < len(contents):
            found = await self._held.read(tables.contents, contents[at : at + MOST_AT_ONCE])
            at += len(found)
            yield found

    async def content(self, content: ContentId) -> AsyncGenerator[bytes, None]:
        self._end_soon()
        for chunk, first, last in await self._held.read(octets.spans, content, 0, MOST_OCTETS):
            yield await self._held.read(octets.piece, chunk, first, last)
