"""The expunged messages of an account in one file: a ``store.retention.AccountRetention``."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import partial
from typing import TYPE_CHECKING

from mektup.store.retention import DeletedMessage, Kept, RestoredAll
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.loop_limits import FEW_EXPUNGED, FEW_ROWS
from mektup.store.sqlite.tables import restoring, retained
from mektup.terms.limits import Limits
from mektup.terms.sets import Uids

if TYPE_CHECKING:
    from mektup.store.sqlite.file.database import Database
    from mektup.store.sqlite.indexer import Indexer
    from mektup.store.sqlite.quota import SqliteQuota
    from mektup.store.sqlite.tables.keywords import SqliteKeywordSets


class SqliteRetention:
    """See ``store.retention.AccountRetention``."""

    __slots__ = ("_database", "_indexer", "_keyword_sets", "_limits", "_quota")

    def __init__(
        self,
        database: Database,
        quota: SqliteQuota,
        keyword_sets: SqliteKeywordSets,
        indexer: Indexer,
        limits: Limits,
    ) -> None:
        self._database = database
        self._quota = quota
        self._keyword_sets = keyword_sets
        self._indexer = indexer
        self._limits = limits

    async def kept(self) -> Kept:
        """See ``store.retention.AccountRetention``, also for the other methods."""
        return await self._database.read_long(retained.kept)

    async def messages(self, after: int = 0) -> AsyncGenerator[list[DeletedMessage], None]:
        while found := await self._database.read_long(restoring.listed, after):
            yield found
            after = found[-1].number

    async def restore(self, numbers: Uids, target: str | None = None, *, stay: bool = False) -> RestoredAll:
        make = partial(
            restoring.restore,
            numbers=numbers,
            target=target,
            stay=stay,
            keyword_sets=self._keyword_sets,
            limits=self._limits,
        )
        done = await self._database.write(self._quota.within(make), long=len(numbers) > FEW_ROWS, room=Room.GROWS)
        self._indexer.wake()
        return done

    async def forget(self, numbers: Uids) -> int:
        make = partial(retained.forget, numbers=numbers)
        gone = await self._database.write(make, long=len(numbers) > FEW_EXPUNGED, room=Room.FREES)
        self._indexer.wake_for_sets()
        return gone
