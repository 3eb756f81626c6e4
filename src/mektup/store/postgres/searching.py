"""SEARCH, SORT and THREAD of one account on a shard.

The state of a mailbox, read at one moment, answers the keys about flags, dates, sizes and UIDs. What is still open is
asked of the shard, the cheap keys first (``rules.search_bounds``), and the rest is tested (``text_search``). Contents
never change, so all answers are as of the moment at which the state was read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

from mektup.store.interface import Changes, Found, SearchStatus, Sorted
from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.sort_source import KeysOfShard
from mektup.store.postgres.states import ReadsStates, State
from mektup.store.postgres.tables import search_queries
from mektup.store.postgres.tables.search_queries import OF_CONTENTS, OF_STORED_TEXTS
from mektup.store.postgres.text_search import Mail, TextSearch
from mektup.store.postgres.thread_bridge import Bridge, in_thread
from mektup.store.rules import flag_index
from mektup.store.rules.flag_index import NOT_ASKED, TOO_MANY, FlagIndex, followed
from mektup.store.rules.keyword_sets import AnyKeywordSets
from mektup.store.rules.relevancy import relevancies
from mektup.store.rules.search_bounds import Stages
from mektup.store.rules.search_cost import is_long
from mektup.store.searches import SearchLimits
from mektup.store.sorting import answers
from mektup.store.sorting.answers import of_candidates, with_relevancy
from mektup.store.sorting.sort_keys import Key, Remembered, SortKeys, keys_of
from mektup.store.state_blocks import changed_since, existing
from mektup.store.state_search import OF_STATE, StateColumns
from mektup.terms import search as terms
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, MailboxId
from mektup.terms.search import Part, SearchKey
from mektup.terms.search_walk import leaves, narrowed
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, SortKey, ThreadAlgorithm

T = TypeVar("T")

FEW: Final = 5000
"""A search of more messages, or a sort, is worked out in a thread."""

EVERYTHING: Final[Uids] = NumberSet.span(1, MAX_UINT32)
SOME: Final[Uids] = NumberSet.span(1, 1)
"""Is read in place of nothing, to see whether the mailbox is there."""


@dataclass(frozen=True, slots=True)
class SharedSearching:
    """What the searches of all accounts of a process share."""

    searches: asyncio.Semaphore
    """Limits all accounts together, see ``searches_of_all``."""
    sort_keys: Remembered
    memory: Memory
    has_index: bool
    """Whether the shards have an index of the texts."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A search whose state was read."""

    mailbox: MailboxId
    state: State
    columns: StateColumns
    key: SearchKey
    within: Uids


class Searching:
    """The methods of an ``interface.Account`` that search."""

    def __init__(
        self,
        database: AccountDatabase,
        states: ReadsStates,
        mail: Mail,
        keyword_sets: AnyKeywordSets,
        shared: SharedSearching,
        limits: Limits,
        wake_indexer: Callable[[], None],
    ) -> None:
        self._database = database
        self._states = states
        self._keyword_sets = keyword_sets
        self._searches = SearchLimits(shared.searches, limits.search_seconds)
        self._sort_keys = shared.sort_keys
        self._wake_indexer = wake_indexer
        self._texts = TextSearch(database, mail, limits, shared.has_index)
        self._flags: Memo[MailboxId, FlagIndex] = Memo(shared.memory, MemoKind.FLAGS)

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None) -> Found:
        """See ``interface.Account``, also for the other methods."""
        if modseq_of is None and flag_index.answers(key):
            state = await self._state(mailbox, EVERYTHING, facts=False)
            index = await self._flag_index(mailbox, state)
            if index is not TOO_MANY:
                found, now = index.search(key, within, self._keyword_sets)
                if now is not index:
                    self._flags.put(mailbox, now, now.octets)
                return Found(found, None)
        if not is_long(key):
            return await self._found(mailbox, key, within, modseq_of)
        self._wake_indexer()  # in case a node died before it indexed
        return await self._searches.run(partial(self._found, mailbox, key, within, modseq_of))

    async def _found(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None) -> Found:
        asked = await self._asked(mailbox, key, within)
        found = await self._matching(asked)
        if modseq_of is None or not found:
            return Found(found, None)
        return Found(found, asked.columns.highest_modseq(modseq_of.of(found)))

    async def _asked(self, mailbox: MailboxId, key: SearchKey, within: Uids, *, of_all: bool = False) -> _Asked:
        """The question, with the state of the messages of *within*, or *of_all* messages."""
        key, within = narrowed(key, within)
        needed = EVERYTHING if of_all else within
        state = await self._state(mailbox, needed, facts=True)
        columns = StateColumns.of(needed, state.flags, state.fact_blocks, state.tail)
        return _Asked(mailbox, state, columns, key, within)

    async def _state(self, mailbox: MailboxId, uids: Uids, *, facts: bool) -> State:
        """The present state of *uids*. Raises Refused(NONEXISTENT)."""
        return await self._states.read(mailbox, uids or SOME, self._database.ask, facts=facts)

    async def _flag_index(self, mailbox: MailboxId, state: State) -> FlagIndex:
        known = self._flags.get(mailbox) or NOT_ASKED
        if known.modseq == state.highestmodseq and known is not NOT_ASKED:
            return known
        make = partial(_indexed, known, state)
        index = await (asyncio.to_thread(make) if state.uidnext > FEW else _at_once(make))
        if index.modseq >= known.modseq:
            self._flags.put(mailbox, index, index.octets)
        return index

    async def _matching(self, asked: _Asked) -> Uids:
        """The messages of *asked* that match."""
        keys = list(dict.fromkeys(leaves(asked.key)))
        of_state = [key for key in keys if isinstance(key, OF_STATE)]
        of_contents = [key for key in keys if isinstance(key, OF_CONTENTS)]
        of_texts = [key for key in keys if isinstance(key, OF_STORED_TEXTS)]
        others = [key for key in keys if not isinstance(key, OF_STATE | OF_CONTENTS | OF_STORED_TEXTS)]
        columns, mailbox = asked.columns, asked.mailbox
        of_columns = partial(_of_state, columns, of_state, self._keyword_sets)
        large = len(asked.within) > FEW
        found = await (asyncio.to_thread(of_columns) if large else _at_once(of_columns))
        stages = Stages(asked.key, asked.within & columns.uids)
        stages.learn(found)
        if of_contents and stages.open:
            stages.learn(await self._texts.of_contents(columns, stages.open, of_contents))
        if of_texts and stages.open:
            stages.learn(await self._texts.of_texts(mailbox, columns, stages.open, of_texts))
        if others and stages.open:
            stages.learn(await self._texts.tested(mailbox, columns, stages.open, others))
        return stages.certain

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Sorted:
        async def sorting() -> Sorted:
            asked, candidates = await self._candidates(mailbox, key, within)
            scores: Sequence[int] = ()
            if any(criterion.key is SortKey.RELEVANCY for criterion in criteria):
                scores = await self._relevancies(asked, candidates)
            find = partial(self._keys, asked, candidates, scores)
            uids = await in_thread(
                lambda bridge: answers.sort(
                    partial(find, bridge), (self._database.account, mailbox), self._sort_keys, criteria
                )
            )
            if modseq_of is None or not uids:
                return Sorted(uids, None)
            return Sorted(uids, asked.columns.highest_modseq(modseq_of.of(uids)))

        return await self._searches.run(sorting)

    async def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> MessageThreads:
        async def threading() -> MessageThreads:
            find = partial(self._keys, *await self._candidates(mailbox, key, within), ())
            place = self._database.account, mailbox
            return await in_thread(
                lambda bridge: answers.thread(partial(find, bridge), place, self._sort_keys, algorithm, comparator)
            )

        return await self._searches.run(threading)

    async def _candidates(self, mailbox: MailboxId, key: SearchKey, within: Uids) -> tuple[_Asked, Uids]:
        """The messages to sort or thread, with the state of the whole mailbox."""
        if is_long(key):
            self._wake_indexer()
        asked = await self._asked(mailbox, key, within, of_all=True)
        return asked, await self._matching(asked)

    def _keys(
        self, asked: _Asked, candidates: Uids, scores: Sequence[int], bridge: Bridge, needed: Collection[Key]
    ) -> SortKeys:
        """The *needed* columns of *candidates*. Runs in a thread."""
        source = KeysOfShard(asked.mailbox, asked.state, asked.columns, self._database, self._texts, bridge)
        remembered = [each for each in needed if each is not SortKey.RELEVANCY]
        place = self._database.account, asked.mailbox
        keys = of_candidates(keys_of(source, place, candidates, remembered, self._sort_keys), candidates)
        return with_relevancy(keys, scores) if SortKey.RELEVANCY in needed else keys

    async def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Sequence[int]:
        async def scoring() -> Sequence[int]:
            return await self._relevancies(await self._asked(mailbox, key, uids), uids)

        return await self._searches.run(scoring)

    async def _relevancies(self, asked: _Asked, uids: Uids) -> Sequence[int]:
        keys = {leaf for leaf in leaves(asked.key) if isinstance(leaf, terms.Fuzzy)}
        found = await self._texts.relevancies(asked.mailbox, asked.columns, uids, keys)
        return relevancies(asked.key, uids, found.__getitem__)

    async def search_status(self) -> SearchStatus:
        ((messages, indexed, octets, packed),) = await self._database.ask(
            search_queries.STATUS, (self._database.account,)
        )
        return SearchStatus(messages, indexed, octets, packed, 0)


async def _at_once(make: Callable[[], T]) -> T:
    return make()


def _of_state(
    columns: StateColumns, keys: Sequence[SearchKey], keyword_sets: AnyKeywordSets
) -> Mapping[SearchKey, Uids]:
    now = int(time.time())
    return {key: columns.matching(key, keyword_sets, now) for key in keys}


def _indexed(known: FlagIndex, state: State) -> FlagIndex:
    """The index of the flags at *state*; the *known* one, where it is older, saves work."""
    if known is NOT_ASKED or known is TOO_MANY or known.modseq > state.highestmodseq:
        return StateColumns.of(EVERYTHING, state.flags, state.fact_blocks, state.tail).flag_index(state.highestmodseq)
    there = existing(state.flags.values(), state.tail)
    flags = changed_since(known.modseq, state.flags.values(), state.tail)
    none: Uids = NumberSet()
    found = Changes(state.highestmodseq, state.uidnext, none, none, none, flags, known.uids - there, ())
    return followed(known, found)
