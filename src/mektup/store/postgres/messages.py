"""The messages of one account: what reads and writes them, and what they share."""

from __future__ import annotations

from mektup.store.memo import Memory
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.fetching import Fetching
from mektup.store.postgres.flag_writing import Storing
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.message_calls import Packing
from mektup.store.postgres.reading import Reading
from mektup.store.postgres.states import States
from mektup.store.postgres.writing import Writing
from mektup.store.quota import DefaultQuota
from mektup.terms.limits import Limits


class Messages:
    """The parts of an open account that read and write messages."""

    def __init__(
        self, database: AccountDatabase, memory: Memory, limits: Limits, quota: DefaultQuota, packing: Packing
    ) -> None:
        self.keyword_sets = PostgresKeywordSets(most=limits.keyword_sets_bytes)
        self.states = States(database.account, memory, self.keyword_sets)
        self.reading = Reading(database, self.states, self.keyword_sets, memory)
        self.fetching = Fetching(database, self.states)
        self.writing = Writing(database, self.states, self.keyword_sets, limits, quota, packing)
        self.storing = Storing(self.writing, self.keyword_sets, limits)

    async def close(self) -> None:
        """Waits for running writes; may be called twice."""
        await self.writing.close()
