"""The past of an account in a shard: read-only accounts whose mailboxes are made of rows of the history."""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping, Sequence
from typing import Any

from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.interface import Account, Changes, Found, Mailbox, Selection, Sorted, Touched
from mektup.store.mailbox_changes import LoggedMailbox, MailboxChanges
from mektup.store.past_account import PastAccount
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.fetching import Fetching
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.past_states import EVERYTHING, PastMailbox, PastStates, with_counters
from mektup.store.postgres.searching import Searching, SharedSearching
from mektup.store.postgres.states import State, States
from mektup.store.postgres.tables import past_queries as tables
from mektup.store.rules.account_log import LogSince
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.changes import NONE, Since
from mektup.store.rules.counters import DELETED
from mektup.store.rules.mailbox_names import listed_order, no_such_mailbox
from mektup.store.rules.retention import require_past
from mektup.store.sorting.sort_keys import Remembered
from mektup.store.state_blocks import changed_since, existing, facts_of, first_unseen, flags_of
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import ContentId, MailboxId, ModSeq, Uid
from mektup.terms.search import Part, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm


class Pasts:
    """Makes the accounts of the past of one account."""

    def __init__(
        self,
        present: Account,
        database: AccountDatabase,
        states: States,
        keyword_sets: PostgresKeywordSets,
        searching: SharedSearching,
        limits: Limits,
    ) -> None:
        self._present = weakref.ref(present)
        self._database = database
        self._states = states
        self._keyword_sets = keyword_sets
        self._searching = searching
        self._limits = limits
        self._made: weakref.WeakValueDictionary[int | None, PostgresPast] = weakref.WeakValueDictionary()

    def deleted_mail(self) -> Account:
        """See ``interface.Account``, also for the other methods."""
        return self._account(None)

    async def at(self, moment: int) -> Account:
        ((begun,),) = await self._database.ask(tables.BEGUN, (self._database.account,))
        now = self._database.moment
        require_past(moment, now, max(begun, int(now - self._limits.expunged_seconds)))
        return self._account(moment)

    def _account(self, moment: int | None) -> Account:
        present = self._present()
        if present is None:
            raise account_is_gone()
        made = self._made.get(moment)
        if made is None:
            made = self._made[moment] = self._past(moment)

        async def opened(mailbox: MailboxId | None) -> PostgresPast:
            return made

        return PastAccount(present, opened, is_deleted_mail=moment is None)

    def _past(self, moment: int | None) -> PostgresPast:
        memory = self._searching.memory
        states = PastStates(self._database, self._states, self._keyword_sets, memory, moment)
        own_keys = Remembered(memory, self._limits.thread_references)
        shared = SharedSearching(self._searching.searches, own_keys, memory, self._searching.has_index)
        return PostgresPast(self._database, states, self._keyword_sets, shared, self._limits)


class PostgresPast:
    """The part of an ``interface.Account`` that ``PastAccount`` asks."""

    def __init__(
        self,
        database: AccountDatabase,
        states: PastStates,
        keyword_sets: PostgresKeywordSets,
        searching: SharedSearching,
        limits: Limits,
    ) -> None:
        self._database = database
        self._states = states
        self._fetching = Fetching(database, states)
        self._searching = Searching(database, states, self._fetching, keyword_sets, searching, limits, _nothing)
        self.quota = _Quota(self._state)

    async def _state(self, mailbox: MailboxId) -> State:
        return await self._states.read(mailbox, EVERYTHING, self._database.ask, facts=True)

    # Mailboxes

    async def mailboxes(self) -> Sequence[Mailbox]:
        """See ``interface.Account``, also for the other methods."""
        there = [each.mailbox for each in (await self._states.mailboxes()).values()]
        counted = [with_counters(each, await self._state(each.id)) for each in there]
        return sorted(counted, key=lambda each: listed_order(each.name))

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        there = await self.mailboxes()
        modseq = max((each.highestmodseq for each in there), default=ModSeq(1))
        # nothing is known of how the past changed, so everything is told
        logged = [
            LoggedMailbox(
                each.id, each.name, each.uidvalidity, each.mailboxid, each.special_use, each.selectable, modseq, modseq
            )
            for each in there
        ]
        return LogSince(since, modseq, modseq).told(logged)

    async def mailbox(self, name: str) -> Mailbox:
        found = (await self._named(name)).mailbox
        return with_counters(found, await self._state(found.id))

    async def _named(self, name: str) -> PastMailbox:
        found = (await self._states.mailboxes()).get(mailbox_key(name))
        if found is None:
            raise no_such_mailbox()
        return found

    # Messages

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        found = await self._named(name)
        if not found.mailbox.selectable:
            raise no_such_mailbox()
        state = await self._state(found.mailbox.id)
        uids = existing(state.flags.values(), state.tail)
        unseen = first_unseen(state.flags.values(), state.tail)
        return Selection(with_counters(found.mailbox, state), uids, unseen, found.keywords, NONE)

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        return (await self._state(mailbox)).highestmodseq

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        state = await self._state(mailbox)
        known = Since(since, expunged_since, uidnext)
        if known.is_now(state.highestmodseq):
            return Changes(state.highestmodseq, state.uidnext, NONE, NONE, NONE, (), NONE, ())
        gone = _gone(state)
        touched = changed_since(since, state.flags.values(), state.tail)
        changed = known.flags_changed(NumberSet.of_sorted([uid for uid, _, _ in touched]), gone)
        flags = [row for row in touched if row[0] in changed]
        return known.told(state.highestmodseq, state.uidnext, "", changed, flags, gone)

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        state = await self._state(mailbox)
        if state.highestmodseq <= since:
            return Touched(NONE, NONE, ())
        flags = changed_since(since, state.flags.values(), state.tail)
        return Touched(NumberSet.of_sorted([uid for uid, _, _ in flags]), _gone(state), flags)

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        return self._fetching.fetch(mailbox, uids, columns)

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        return self._fetching.lines(mailbox, uids, form, number)

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self._fetching.content(content, start, stop)

    def search(
        self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None
    ) -> Coroutine[Any, Any, Found]:
        return self._searching.search(mailbox, key, within, modseq_of)

    def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Coroutine[Any, Any, Sorted]:
        return self._searching.sort(mailbox, key, within, criteria, modseq_of)

    def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> Coroutine[Any, Any, MessageThreads]:
        return self._searching.thread(mailbox, key, within, algorithm, comparator)

    def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Coroutine[Any, Any, Sequence[int]]:
        return self._searching.relevancy(mailbox, key, uids)


class _Quota:
    """The part of a quota that the past has."""

    def __init__(self, state: Callable[[MailboxId], Coroutine[Any, Any, State]]) -> None:
        self._state = state

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        """See ``store.quota.AccountQuota``."""
        found: dict[MailboxId, int] = {}
        for mailbox in mailboxes:
            state = await self._state(mailbox)
            there = flags_of(EVERYTHING, state.flags, state.tail)
            marked: Uids = NumberSet.of_sorted([uid for uid, word, _ in there if word & DELETED])
            facts = facts_of(marked, state.fact_blocks, state.flags, state.tail)
            found[mailbox] = sum(row.size for row in facts)
        return found


def _gone(state: State) -> Uids:
    """The UIDs below UIDNEXT that are not there."""
    below: Uids = NumberSet.span(1, state.uidnext - 1)
    return below - existing(state.flags.values(), state.tail)


def _nothing() -> None:
    """Wakes nobody."""
