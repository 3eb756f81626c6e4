"""SEARCH, SORT and THREAD of one account: flags in memory, quick queries in the loop, all others in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from mektup.store.interface import Found, Sorted
from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.rules import flag_index
from mektup.store.rules.flag_index import NOT_ASKED, TOO_MANY, FlagIndex
from mektup.store.rules.search_cost import is_long
from mektup.store.searches import Searches
from mektup.store.sorting.sort_keys import Remembered
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.indexer import Indexer
from mektup.store.sqlite.loop_limits import (
    FEW_CHANGED,
    FEW_SCANNED,
    FEW_SETS,
    FEW_SORTED,
    FEW_SORTED_BYTES,
    FEW_TESTED,
)
from mektup.store.sqlite.tables import changes, fuzzy_search, mailboxes, search, sort
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.sort import Question
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId, MailboxId, ModSeq, Uid
from mektup.terms.search import All, InUids, Part, SearchKey
from mektup.terms.search_walk import leaves
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm

T = TypeVar("T")
F = TypeVar("F", Uids, Sequence[Uid])


async def learn_keywords(database: Database, keyword_sets: SqliteKeywordSets) -> None:
    """Learns the sets of keywords that are not known where they are many. Few are learnt where they are met."""
    state = database.state()
    if state is not None and state == keyword_sets.checked_at:
        return
    if await database.read(keyword_sets.unknown) > FEW_SETS:
        await database.read_long(keyword_sets.load)
    keyword_sets.checked_at = state


class Searching:
    """The methods of an ``interface.Account`` that search."""

    def __init__(
        self,
        account: AccountId,
        database: Database,
        indexer: Indexer,
        searching: asyncio.Semaphore,
        limits: Limits,
        keyword_sets: SqliteKeywordSets,
        sort_keys: Remembered,
        memory: Memory,
    ) -> None:
        """*searching* limits all accounts together, see ``searches_of_all``."""
        self._account = account
        self._database = database
        self._indexer = indexer
        self._searches = Searches(database, searching, limits.search_seconds)
        self._keyword_sets = keyword_sets
        self._sort_keys = sort_keys
        self._flags: Memo[MailboxId, FlagIndex] = Memo(memory, MemoKind.FLAGS)

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None) -> Found:
        await learn_keywords(self._database, self._keyword_sets)
        if modseq_of is None and flag_index.answers(key):
            index = await self._flag_index(mailbox)
            if index is not None:
                found, now = index.search(key, within, self._keyword_sets)
                if now is not index:
                    self._flags.put(mailbox, now, now.octets)
                return Found(found, None)
        takes_long = is_long(key)
        if takes_long:
            self._indexer.wake()  # in case a process died before it indexed
        takes_long |= len(within) > FEW_SCANNED or self._tests(key, within) > FEW_TESTED
        ask = partial(search.search, mailbox=mailbox, key=key, within=within, keyword_sets=self._keyword_sets)
        if modseq_of is None:
            return Found(await self._ask(ask, takes_long=takes_long), None)
        return Found(*await self._ask_with_modseq(ask, mailbox, modseq_of, takes_long=takes_long))

    def _ask(self, ask: Callable[[Cursor], T], *, takes_long: bool) -> Awaitable[T]:
        return self._searches.find(ask) if takes_long else self._database.read(ask)

    def _ask_with_modseq(
        self, ask: Callable[[Cursor], F], mailbox: MailboxId, part: Part, *, takes_long: bool
    ) -> Awaitable[tuple[F, ModSeq | None]]:
        """The result of *ask* and the highest modseq of *part*, in a thread: a mailbox may have many changes."""
        both = partial(changes.with_highest_modseq, ask=ask, mailbox=mailbox, part=part)
        return self._searches.find(both) if takes_long else self._database.read_long(both)

    def _tests(self, key: SearchKey, within: Uids) -> int:
        """The number of comparisons for *key*: each leaf with each message, or with each set of keywords."""
        return len(leaves(key)) * max(len(within), len(self._keyword_sets))

    async def _flag_index(self, mailbox: MailboxId) -> FlagIndex | None:
        known = self._flags.get(mailbox) or NOT_ASKED
        if known is TOO_MANY:
            return None
        index = await self._database.read(changes.learn_flags, mailbox, known, self._keyword_sets, FEW_CHANGED)
        if index is None:
            index = await self._database.read_long(changes.learn_flags, mailbox, known, self._keyword_sets)
        if index is None or index is NOT_ASKED:
            return None
        if index is not known:
            self._flags.put(mailbox, index, index.octets)
        return None if index is TOO_MANY else index

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Sorted:
        question, takes_long = await self._question(mailbox, key, within)
        ask = partial(sort.sort, question=question, criteria=criteria)
        takes_long = takes_long or any(criterion.comparator is not DEFAULT for criterion in criteria)
        if modseq_of is None:
            return Sorted(await self._ask(ask, takes_long=takes_long), None)
        return Sorted(*await self._ask_with_modseq(ask, mailbox, modseq_of, takes_long=takes_long))

    async def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> MessageThreads:
        question, takes_long = await self._question(mailbox, key, within)
        ask = partial(sort.thread, question=question, algorithm=algorithm, comparator=comparator)
        return await self._ask(ask, takes_long=takes_long or comparator is not DEFAULT)

    async def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Sequence[int]:
        return await self._searches.find(partial(fuzzy_search.relevancy, mailbox=mailbox, key=key, uids=uids))

    async def _question(self, mailbox: MailboxId, key: SearchKey, within: Uids) -> tuple[Question, bool]:
        """What to sort or thread, and whether that takes long."""
        await learn_keywords(self._database, self._keyword_sets)
        if not isinstance(key, All | InUids) and flag_index.answers(key):
            key = InUids((await self.search(mailbox, key, within)).uids)
        takes_long = is_long(key)
        if takes_long:
            self._indexer.wake()
        takes_long |= len(within) > FEW_SORTED or self._tests(key, within) > FEW_TESTED
        takes_long = takes_long or await self._database.read(mailboxes.size, mailbox) > FEW_SORTED_BYTES
        question = Question((self._account, mailbox), key, within, self._keyword_sets, self._sort_keys)
        return question, takes_long
