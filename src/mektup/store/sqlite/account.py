"""One account's mail: decides where each query and change runs.

Small ones run in the loop, long ones in a thread (see ``database``). The SQL is in the modules of ``tables``.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from mektup.store.adoption import Adopted, Adoption
from mektup.store.columns import AnyColumn, Form, Lines, Row
from mektup.store.faults import FaultRefused, Kind
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
from mektup.store.memo import Memo, MemoKind, Memory, Recall
from mektup.store.quota import DefaultQuota
from mektup.store.rules.changes import Known, Since, with_recent, with_recent_arrived, with_recent_unclaimed
from mektup.store.rules.octets import octets_of
from mektup.store.shared_reads import SharedReads
from mektup.store.sqlite.access_lists import SqliteAccessLists
from mektup.store.sqlite.fetching import Fetching
from mektup.store.sqlite.file import free_pages
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.indexer import Indexer
from mektup.store.sqlite.loop_limits import (
    FEW_BYTES,
    FEW_CHANGED,
    FEW_EXPUNGED,
    FEW_LISTED,
    FEW_ON_A_FULL_DISK,
    FEW_RENAMED,
    FEW_ROWS,
    FEW_SCANNED,
    ROW_BYTES,
)
from mektup.store.sqlite.metadata import SqliteMetadata
from mektup.store.sqlite.moments import SqliteMoment, snapshot
from mektup.store.sqlite.quota import SqliteQuota
from mektup.store.sqlite.retention import SqliteRetention
from mektup.store.sqlite.searching import Searching, learn_keywords
from mektup.store.sqlite.tables import account_log, adoption, adoption_keys, changes, mailboxes, recovery, text_index
from mektup.store.sqlite.tables import messages as writing
from mektup.store.sqlite.tables.audit import Audit
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.watch import ChangeNotifier
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX, mailbox_key
from mektup.terms.numbers import MAX_UINT32, NO_MODSEQ, AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import AccountWatch, Watch
from mektup.terms.search import HasFlag, Part, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm

if TYPE_CHECKING:
    from mektup.store.sorting.sort_keys import Remembered
    from mektup.store.sqlite.file.change import Change
    from mektup.store.sqlite.file.database import Database
    from mektup.store.sqlite.past_opener import PastOpener
    from mektup.store.sqlite.tables.chunk_compression import Packing

T = TypeVar("T")
H = TypeVar("H")


class SqliteAccount:
    """An ``interface.Account`` in one file."""

    def __init__(
        self,
        account: AccountId,
        name: str,
        database: Database,
        notifier: ChangeNotifier,
        limits: Limits,
        packing: Packing,
        sort_keys: Remembered,
        memory: Memory,
        indexing: asyncio.Lock,
        searching: asyncio.Semaphore,
        access_lists: SqliteAccessLists,
        quota: DefaultQuota,
    ) -> None:
        """*indexing* is held by the account that is being indexed, one at a time; *searching* limits all searches."""
        self.id = account
        self.name = name
        self.access_lists = access_lists
        self.database = database
        database.owner = weakref.ref(self)
        # a weak reference, because else the account would outlive its last user
        self._keyword_sets = SqliteKeywordSets(partial(_lost_keywords, weakref.ref(self)), limits.keyword_sets_bytes)
        self.indexer = Indexer(self.database, limits, packing, indexing, self._keyword_sets)
        self._audit = Audit(database)
        self._fetching = Fetching(database, self._audit)
        self.pasts: PastOpener | None = None
        """Is set once, after the account was made."""
        self.filling = asyncio.Lock()
        """Is held while mailboxes of the past are brought up to date."""
        self._searching = Searching(
            account, database, self.indexer, searching, limits, self._keyword_sets, sort_keys, memory
        )
        self.quota = SqliteQuota(database, quota)
        self.metadata = SqliteMetadata(database, limits)
        self.retention = SqliteRetention(database, self.quota, self._keyword_sets, self.indexer, limits)
        self._recall = Recall(self.database, memory, octets_of)
        self._targets = Recall(self.database.names, memory, octets_of)
        self._shared = SharedReads(self.database)
        self._recall_long = Recall(self._shared, memory, octets_of)
        self._notifier = notifier
        self._limits = limits
        self._packing = packing
        self._loop = asyncio.get_running_loop()
        self._mending: asyncio.Task[None] | None = None
        self._known: Memo[MailboxId, Known] = Memo(memory, MemoKind.UIDS)
        self._select = partial(changes.select, known=self._known, most=FEW_SCANNED)

    async def close(self, why: Refused) -> None:
        """Waits for running work, then closes for good: later calls raise *why*. May be called twice."""
        if self.pasts is not None:
            await self.pasts.close()
        await self.indexer.close()
        await self._audit.close()
        await self.database.close(why)
        if self._mending is not None:
            await asyncio.wait((self._mending,))

    async def learn_keywords(self) -> None:
        """Loads new sets of keywords. Call it where many may have been added since the last load."""
        await learn_keywords(self.database, self._keyword_sets)

    # The file

    async def renew(self) -> None:
        """See ``interface.Account``, also for the other methods."""
        await self.database.write(recovery.renew, long=True)

    async def compact(self) -> None:
        if not self.database.in_memory:
            await self.database.read_long(free_pages.compact)

    def snapshot(self) -> AbstractAsyncContextManager[SqliteMoment]:
        return snapshot(self.database)

    # The past

    async def deleted_mail(self) -> Account:
        assert self.pasts is not None
        return self.pasts.deleted_mail()

    async def at(self, moment: int) -> Account:
        assert self.pasts is not None
        return await self.pasts.at(moment)

    # Mailboxes

    async def mailboxes(self) -> Sequence[Mailbox]:
        few = await self._recall.read(mailboxes.highest) <= FEW_LISTED
        return await (self._recall if few else self._recall_long).read(mailboxes.mailboxes)

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        found = await self.database.read(account_log.changes, since, FEW_LISTED)
        if found is None:
            found = await self.database.read_long(account_log.changes, since)
        assert found is not None
        return found

    async def subscriptions(self) -> frozenset[str]:
        return await self._recall.read(mailboxes.subscriptions)

    async def mailbox(self, name: str) -> Mailbox:
        return await self._recall.read(mailboxes.mailbox, name)

    def target(self, name: str) -> Coroutine[Any, Any, MailboxId]:
        return self._targets.read(mailboxes.target, name)

    async def create(self, name: str, *, special_use: str | None = None) -> Mailbox:
        make = partial(mailboxes.create, name=name, special_use=special_use, limits=self._limits)
        return await self.database.write(self.quota.within(make))

    async def delete(self, name: str) -> None:
        doomed = await self.mailbox(name)
        long = doomed.messages > FEW_EXPUNGED
        make = partial(mailboxes.delete, name=name)
        try:
            await self.database.write(make, long=long, room=Room.FREES)
            self.indexer.wake_for_sets()
            await self.indexer.forget_in_memory()
        except FaultRefused as refused:
            if not long or refused.fault.kind is not Kind.FULL:
                raise
            await self._in_pieces(writing.remove, doomed.id, NumberSet.span(Uid(1), doomed.uidnext))
            await self.database.write(make, room=Room.FREES)

    async def rename(self, old: str, new: str) -> None:
        if mailbox_key(old) == INBOX:
            inbox = await self.mailbox(old)
            empty = partial(writing.rename_inbox, new=new, keyword_sets=self._keyword_sets, limits=self._limits)
            await self.database.write(self.quota.within(empty), long=inbox.messages > FEW_ROWS)
        else:
            long = await self.database.read(mailboxes.count_below, old) > FEW_RENAMED
            make = partial(mailboxes.rename, old=old, new=new, limits=self._limits)
            await self.database.write(self.quota.within(make), long=long)

    async def subscribe(self, name: str) -> None:
        await self.database.write(partial(mailboxes.subscribe, name=name, limits=self._limits))

    async def unsubscribe(self, name: str) -> None:
        await self.database.write(partial(mailboxes.unsubscribe, name=name))

    # One mailbox, read

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        selection = await self._recall.read(self._select, name)
        if selection is None:
            selection = await self.database.read_long(changes.select, name, self._known)
        assert selection is not None
        if claim_recent and selection.mailbox.recent:
            try:
                return await self.database.write(partial(self._select_and_claim, name), durable=False)
            except Refused as refusal:
                if refusal.code is Code.NONEXISTENT:
                    raise
                return with_recent_unclaimed(selection)
        return selection

    def _select_and_claim(self, name: str, change: Change) -> Selection:
        first = changes.claim_recent(change, mailboxes.mailbox(change.cursor, name).id)
        # only committed state may be remembered; this transaction changes nothing that is remembered
        selection = changes.select(change.cursor, name, self._known)
        assert selection is not None
        return with_recent(selection, first)

    def modseq(self, mailbox: MailboxId) -> Coroutine[Any, Any, ModSeq]:
        # Returns the coroutine of the read and adds none, because every NOOP calls this.
        return self._recall.read(changes.modseq, mailbox)

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        state = Since(since, expunged_since, uidnext)
        found: Changes | None = None
        if not self._shared.is_asked(changes.changes, mailbox, state, told=FEW_CHANGED):
            found = await self.database.read(changes.changes, mailbox, state, FEW_CHANGED)
        if found is None:
            found = await self._shared.read(changes.changes, mailbox, state, told=FEW_CHANGED)
        assert found is not None
        if claim_recent and found.arrived:
            claim = partial(self._claim_arrived, mailbox, state)
            try:
                found = await self.database.write(claim, durable=False, long=len(found.arrived) > FEW_CHANGED)
            except Refused as refusal:
                if refusal.code is Code.NONEXISTENT:
                    raise
                found = replace(found, recent=found.arrived)  # as in ``select``
        return found

    def _claim_arrived(self, mailbox: MailboxId, state: Since, change: Change) -> Changes:
        found = changes.changes(change.cursor, mailbox, state, told=FEW_CHANGED)
        assert found is not None
        first = changes.claim_recent(change, mailbox)
        return with_recent_arrived(found, first)

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        found = await self.database.read(changes.touched, mailbox, since, FEW_CHANGED)
        if found is None:
            found = await self.database.read_long(changes.touched, mailbox, since)
        assert found is not None
        return found

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        return self._fetching.fetch(mailbox, uids, columns)

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        return self._fetching.lines(mailbox, uids, form, number)

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        return self._fetching.content(content, start, stop)

    def have_keywords_mended(self) -> None:
        """Removes lost keywords from messages, because a flag word names a set that does not exist. For any thread."""
        self._loop.call_soon_threadsafe(self._begin_mending)

    def _begin_mending(self) -> None:
        if self._mending is None:
            self._mending = self._loop.create_task(self._mend())

    async def _mend(self) -> None:
        """Removes lost keywords from messages, and notifies their sessions."""
        try:
            messages = await self.database.write(writing.mend_flags, long=True)
            if messages:
                self.database.note_damage(
                    f"the keywords of {messages} messages were lost; they have none now", lasts=False
                )
        except Refused:
            pass  # the next use of a lost set calls this again
        finally:
            self._mending = None

    def flag_names(self, word: int) -> tuple[str, ...]:
        # a database in memory has no other process that adds sets, and a thread may have its connection
        if not self._keyword_sets.known(word) and not self.database.in_memory:
            self.database.read_now(partial(self._keyword_sets.load_of, word=word))
        return self._keyword_sets.flags(word)

    def known_words(self, most: int) -> Sequence[tuple[int, tuple[str, ...]]] | None:
        return self._keyword_sets.known_words(most)

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

    async def search_status(self) -> SearchStatus:
        return await self.database.read_long(text_index.status)

    # One mailbox, written

    async def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Appended:
        make = partial(
            writing.append,
            mailbox=mailbox,
            messages=messages,
            keyword_sets=self._keyword_sets,
            packing=self._packing,
            limits=self._limits,
        )
        weight = sum(each.arrival.size + ROW_BYTES for each in messages)
        try:
            appended = await self.database.write(
                self.quota.within(make),
                long=weight > FEW_BYTES,
                room=Room.GROWS,
                undo=lambda change, done: _take_back(change, mailbox, done.uids),
            )
        except FaultRefused:
            self.indexer.wake()  # on a full disk, what is kept of expunged messages has to go
            raise
        self.indexer.wake()
        return appended

    async def replace(self, mailbox: MailboxId, uid: Uid, target: MailboxId, message: Incoming) -> Appended:
        make = partial(
            writing.replace_message,
            mailbox=mailbox,
            uid=uid,
            target=target,
            message=message,
            keyword_sets=self._keyword_sets,
            packing=self._packing,
            limits=self._limits,
        )
        long = message.arrival.size + ROW_BYTES > FEW_BYTES
        appended = await self.database.write(self.quota.within(make), long=long, room=Room.GROWS)
        self.indexer.wake_for_sets()
        return appended

    async def store_flags(
        self,
        mailbox: MailboxId,
        uids: Uids,
        change: FlagChange,
        flags: frozenset[str],
        *,
        unchanged_since: ModSeq | None = None,
    ) -> FlagsStored:
        order = FlagOrder(uids, change, flags)
        make = partial(
            writing.store_flags,
            mailbox=mailbox,
            order=order,
            unchanged_since=unchanged_since,
            keyword_sets=self._keyword_sets,
            limits=self._limits,
        )
        room = _room_for(change, flags)
        replaces = change is FlagChange.REPLACE
        return await self._store(make, flags, replaces=replaces, long=len(uids) > FEW_ROWS, room=room)

    async def store_flags_in_turn(self, mailbox: MailboxId, orders: Sequence[FlagOrder]) -> Sequence[FlagsStored]:
        make = partial(
            writing.store_flags_in_turn,
            mailbox=mailbox,
            orders=orders,
            keyword_sets=self._keyword_sets,
            limits=self._limits,
        )
        long = sum(len(order.uids) for order in orders) > FEW_ROWS
        rooms = {_room_for(order.change, order.flags) for order in orders}
        room = Room.FREES if rooms == {Room.FREES} else Room.USUAL
        flags = frozenset().union(*(order.flags for order in orders))
        replaces = any(order.change is FlagChange.REPLACE for order in orders)
        return await self._store(make, flags, replaces=replaces, long=long, room=room)

    async def _store(
        self, make: Callable[[Change], T], flags: frozenset[str], *, replaces: bool, long: bool, room: Room
    ) -> T:
        names_keywords = _names_keywords(flags)
        if names_keywords:
            await self.learn_keywords()
        stored = await self.database.write(make, durable=self._limits.sync_flags, long=long, room=room)
        if names_keywords or replaces:
            self.indexer.wake_for_sets()
        return stored

    async def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        def undo(change: Change, copied: Copied) -> None:
            _take_back(change, mailboxes.mailbox(change.cursor, target).id, copied.targets)

        return await self._transfer(writing.copy, mailbox, uids, target, Room.GROWS, undo)

    async def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        # a move is mostly to Trash, before messages are expunged to free space
        return await self._transfer(writing.move, mailbox, uids, target, Room.FREES, None)

    async def _transfer(
        self,
        how: Callable[..., Copied],
        mailbox: MailboxId,
        uids: Uids,
        target: str,
        room: Room,
        undo: Callable[[Change, Copied], None] | None,
    ) -> Copied:
        make = partial(
            how, mailbox=mailbox, uids=uids, target=target, keyword_sets=self._keyword_sets, limits=self._limits
        )
        copied = await self.database.write(self.quota.within(make), long=len(uids) > FEW_ROWS, room=room, undo=undo)
        self.indexer.wake()
        return copied

    async def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Expunged:
        long = uids is None or len(uids) > FEW_EXPUNGED
        if long:
            long = await self.database.read(changes.deleted, mailbox) > FEW_EXPUNGED
        expunged = await self._take_out(writing.expunge, mailbox, uids, long=long)
        self.indexer.wake_for_sets()
        await self.indexer.forget_in_memory()
        return expunged

    async def remove(self, mailbox: MailboxId, uids: Uids) -> Expunged:
        removed = await self._take_out(writing.remove, mailbox, uids, long=len(uids) > FEW_EXPUNGED)
        self.indexer.wake_for_sets()
        await self.indexer.forget_in_memory()
        return removed

    async def _take_out(
        self, how: Callable[..., Expunged], mailbox: MailboxId, uids: Uids | None, *, long: bool
    ) -> Expunged:
        try:
            return await self.database.write(partial(how, mailbox=mailbox, uids=uids), long=long, room=Room.FREES)
        except FaultRefused as refused:
            if not long or refused.fault.kind is not Kind.FULL:
                raise
        if uids is None:
            deleted = await self.search(mailbox, HasFlag("\\Deleted"), NumberSet.span(Uid(1), Uid(MAX_UINT32)))
            uids = deleted.uids
        return await self._in_pieces(how, mailbox, uids)

    async def _in_pieces(self, how: Callable[..., Expunged], mailbox: MailboxId, uids: Uids) -> Expunged:
        """For a full disk: removes some at a time, because the reserve is smaller than the WAL for all of them."""
        gone, modseq = Uids(), ModSeq(0)
        for piece in uids.slices(FEW_ON_A_FULL_DISK):
            done = await self.database.write(partial(how, mailbox=mailbox, uids=piece), long=True, room=Room.FREES)
            gone, modseq = gone | done.uids, done.modseq
            await self.database.checkpoints.give_room_back()
        return Expunged(gone, modseq)

    # Mail of another server

    async def adopt_mailbox(
        self,
        name: str,
        uidvalidity: UidValidity | None,
        uidnext: Uid,
        *,
        highestmodseq: ModSeq = NO_MODSEQ,
        special_use: str | None = None,
    ) -> Mailbox:
        make = partial(
            adoption.adopt_mailbox,
            name=name,
            uidvalidity=uidvalidity,
            uidnext=uidnext,
            highestmodseq=highestmodseq,
            special_use=special_use,
            limits=self._limits,
        )
        return await self.database.write(self.quota.within(make), long=True)

    async def adopt(self, mailbox: MailboxId, messages: Sequence[Adopted]) -> Adoption:
        make = partial(
            adoption.adopt,
            mailbox=mailbox,
            messages=messages,
            keyword_sets=self._keyword_sets,
            packing=self._packing,
            limits=self._limits,
        )
        adopted = await self.database.write(self.quota.within(make), long=True, room=Room.GROWS)
        self.indexer.wake()
        return adopted

    def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> Coroutine[Any, Any, frozenset[bytes]]:
        return self.database.read_long(adoption_keys.known, mailbox, keys)

    # Notification

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._notifier.watch(self.id, mailbox)

    def watch_account(self) -> AccountWatch:
        return self._notifier.watch_account(self.id)


def _lost_keywords(account: weakref.ref[SqliteAccount]) -> None:
    found = account()
    if found is not None:
        found.have_keywords_mended()


def _names_keywords(flags: Iterable[str]) -> bool:
    return any(not flag.startswith("\\") for flag in flags)


def _room_for(change: FlagChange, flags: frozenset[str]) -> Room:
    """A STORE that sets \\Deleted may use the reserve, because an expunge follows and frees space."""
    marks = change is not FlagChange.REMOVE and ("\\Deleted" in flags or "\\deleted" in map(str.lower, flags))
    return Room.FREES if marks else Room.USUAL


def _take_back(change: Change, mailbox: MailboxId, uids: Uids) -> None:
    """Removes messages that arrived, because the disk may not have stored them."""
    if uids:
        change.keep_nothing()
        writing.remove(change, mailbox, uids)
