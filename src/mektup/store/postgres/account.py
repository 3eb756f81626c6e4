"""One account's mail in a shard."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

from mektup.store.adoption import Adopted, Adoption
from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.interface import (
    Account,
    Appended,
    Changes,
    Copied,
    Expunged,
    FlagOrder,
    FlagsStored,
    Found,
    Incoming,
    Mailbox,
    SearchStatus,
    Selection,
    Sorted,
    Touched,
)
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.memo import Memory
from mektup.store.postgres.access_lists import PostgresAccessLists
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.adoption import Adopting
from mektup.store.postgres.indexer import Indexer
from mektup.store.postgres.mailboxes import Mailboxes
from mektup.store.postgres.message_calls import Packing
from mektup.store.postgres.messages import Messages
from mektup.store.postgres.metadata import PostgresMetadata
from mektup.store.postgres.moments import PostgresMoment, snapshot
from mektup.store.postgres.past import Pasts
from mektup.store.postgres.quota import PostgresQuota
from mektup.store.postgres.retention import PostgresRetention
from mektup.store.postgres.searching import Searching, SharedSearching
from mektup.store.postgres.shard import Shard
from mektup.store.quota import DefaultQuota
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import NO_MODSEQ, AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import AccountWatch, Watch
from mektup.terms.search import Part, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm

T = TypeVar("T")


class PostgresAccount:
    """An ``interface.Account`` in a shard."""

    def __init__(
        self,
        name: str,
        database: AccountDatabase,
        access_lists: PostgresAccessLists,
        quota: DefaultQuota,
        limits: Limits,
        memory: Memory,
        packing: Packing,
        searching: SharedSearching,
        indexing: asyncio.Lock,
    ) -> None:
        """*indexing* is held by the account whose texts are being stored."""
        self.name = name
        self.access_lists = access_lists
        self.quota = PostgresQuota(database, quota)
        self.metadata = PostgresMetadata(database, limits)
        self._database = database
        self._messages = Messages(database, memory, limits, quota, packing)
        self._mailboxes = Mailboxes(database, self._messages.writing, quota, limits)
        self._adopting = Adopting(database, self._mailboxes, self._messages, limits)
        messages = self._messages

        def wake() -> None:
            indexer.wake()

        self.retention = PostgresRetention(
            database, quota, messages.keyword_sets, limits, messages.writing.fold_later, wake
        )
        indexer = self.indexer = Indexer(
            database, messages.fetching, limits, indexing, self.retention.forget_old, weakref.ref(self)
        )
        self._searching = Searching(
            database,
            messages.states,
            messages.fetching,
            messages.keyword_sets,
            searching,
            limits,
            self.indexer.wake,
        )
        self._pasts = Pasts(self, database, messages.states, messages.keyword_sets, searching, limits)

    @property
    def id(self) -> AccountId:
        """See ``interface.Account``, also for the other methods."""
        return self._database.account

    @property
    def shard(self) -> Shard:
        """The shard that has it."""
        return self._database.shard

    @property
    def has_ended(self) -> bool:
        """Whether ``end`` was called."""
        return self._database.has_ended

    async def close(self) -> None:
        """Waits for running writes; may be called twice."""
        await self.indexer.close()
        await self._messages.close()

    def end(self, why: Refused) -> None:
        """Ends the account for all who still have it: later calls raise *why*."""
        self._database.end(why)

    # The account's rows

    def renew(self) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.renew())

    async def compact(self) -> None:
        """Nothing: PostgreSQL gives space back by itself."""
        self._database.check()

    def snapshot(self) -> AbstractAsyncContextManager[PostgresMoment]:
        return snapshot(self._database)

    # The past

    async def deleted_mail(self) -> Account:
        return self._pasts.deleted_mail()

    def at(self, moment: int) -> Coroutine[Any, Any, Account]:
        return self._pasts.at(moment)

    # Mailboxes

    def mailboxes(self) -> Coroutine[Any, Any, Sequence[Mailbox]]:
        return self._mailboxes.mailboxes()

    def mailbox_changes(self, since: ModSeq) -> Coroutine[Any, Any, MailboxChanges]:
        return self._mailboxes.mailbox_changes(since)

    def subscriptions(self) -> Coroutine[Any, Any, frozenset[str]]:
        return self._mailboxes.subscriptions()

    def mailbox(self, name: str) -> Coroutine[Any, Any, Mailbox]:
        return self._mailboxes.mailbox(name)

    def target(self, name: str) -> Coroutine[Any, Any, MailboxId]:
        return self._mailboxes.target(name)

    def create(self, name: str, *, special_use: str | None = None) -> Coroutine[Any, Any, Mailbox]:
        return self._whole(self._mailboxes.create(name, special_use=special_use))

    def delete(self, name: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.delete(name))

    def rename(self, old: str, new: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.rename(old, new))

    def subscribe(self, name: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.subscribe(name))

    def unsubscribe(self, name: str) -> Coroutine[Any, Any, None]:
        return self._whole(self._mailboxes.unsubscribe(name))

    # One mailbox, read

    def select(self, name: str, *, claim_recent: bool) -> Coroutine[Any, Any, Selection]:
        return self._messages.reading.select(name, claim_recent=claim_recent)

    def modseq(self, mailbox: MailboxId) -> Coroutine[Any, Any, ModSeq]:
        return self._messages.reading.modseq(mailbox)

    def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Coroutine[Any, Any, Changes]:
        return self._messages.reading.changes(
            mailbox, since=since, expunged_since=expunged_since, uidnext=uidnext, claim_recent=claim_recent
        )

    def touched(self, mailbox: MailboxId, since: ModSeq) -> Coroutine[Any, Any, Touched]:
        return self._messages.reading.touched(mailbox, since)

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        return self._messages.fetching.fetch(mailbox, uids, columns)

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        return self._messages.fetching.lines(mailbox, uids, form, number)

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self._messages.fetching.content(content, start, stop)

    def flag_names(self, word: int) -> tuple[str, ...]:
        return self._messages.keyword_sets.flags(word)

    def known_words(self, most: int) -> Sequence[tuple[int, tuple[str, ...]]] | None:
        return self._messages.keyword_sets.known_words(most)

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

    def search_status(self) -> Coroutine[Any, Any, SearchStatus]:
        return self._searching.search_status()

    # One mailbox, written

    async def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Appended:
        writing = self._messages.writing
        appended = await writing.whole(writing.append(mailbox, messages))
        self.indexer.wake()
        return appended

    async def replace(self, mailbox: MailboxId, uid: Uid, target: MailboxId, message: Incoming) -> Appended:
        writing = self._messages.writing
        appended = await writing.whole(writing.replace(mailbox, uid, target, message))
        self.indexer.wake()
        return appended

    def store_flags(
        self,
        mailbox: MailboxId,
        uids: Uids,
        change: FlagChange,
        flags: frozenset[str],
        *,
        unchanged_since: ModSeq | None = None,
    ) -> Coroutine[Any, Any, FlagsStored]:
        order = FlagOrder(uids, change, flags)
        return self._messages.writing.whole(self._messages.storing.store_flags(mailbox, order, unchanged_since))

    def store_flags_in_turn(
        self, mailbox: MailboxId, orders: Sequence[FlagOrder]
    ) -> Coroutine[Any, Any, Sequence[FlagsStored]]:
        return self._messages.writing.whole(self._messages.storing.store_flags_in_turn(mailbox, orders))

    def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Coroutine[Any, Any, Copied]:
        writing = self._messages.writing
        return writing.whole(writing.copy(mailbox, uids, target))

    async def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        writing = self._messages.writing
        moved = await writing.whole(writing.move(mailbox, uids, target))
        self.indexer.wake()
        return moved

    async def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Expunged:
        writing = self._messages.writing
        expunged = await writing.whole(writing.expunge(mailbox, uids))
        self.indexer.wake()
        return expunged

    async def remove(self, mailbox: MailboxId, uids: Uids) -> Expunged:
        writing = self._messages.writing
        removed = await writing.whole(writing.remove(mailbox, uids))
        self.indexer.wake()
        return removed

    # Mail of another server

    def adopt_mailbox(
        self,
        name: str,
        uidvalidity: UidValidity | None,
        uidnext: Uid,
        *,
        highestmodseq: ModSeq = NO_MODSEQ,
        special_use: str | None = None,
    ) -> Coroutine[Any, Any, Mailbox]:
        adopting = self._adopting.adopt_mailbox(
            name, uidvalidity, uidnext, highestmodseq=highestmodseq, special_use=special_use
        )
        return self._whole(adopting)

    def adopt(self, mailbox: MailboxId, messages: Sequence[Adopted]) -> Coroutine[Any, Any, Adoption]:
        return self._whole(self._adopting.adopt(mailbox, messages))

    def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> Coroutine[Any, Any, frozenset[bytes]]:
        return self._adopting.imported(mailbox, keys)

    def _whole(self, work: Coroutine[Any, Any, T]) -> Coroutine[Any, Any, T]:
        """*work*, which goes on to its end where the caller is cancelled: a commit has to be told."""
        return self._messages.writing.whole(work)

    # Notification

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._database.notifier.watch(self.id, mailbox)

    def watch_account(self) -> AccountWatch:
        return self._database.notifier.watch_account(self.id)
