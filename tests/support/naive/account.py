"""An account in memory: an ``interface.Account``."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec.structs import replace as replace_struct

from mektup.store import interface as store
from mektup.store.adoption import Adopted, Adoption
from mektup.store.columns import Column, Row
from mektup.store.interface import Found
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.memo import Memory
from mektup.store.past_account import PastAccount
from mektup.store.quota import DefaultQuota
from mektup.store.retention import DELETED_MAIL
from mektup.store.rules import adoption
from mektup.store.rules import mailbox_names as names
from mektup.store.rules import mailbox_tree as tree
from mektup.store.rules.account_log import LogSince
from mektup.store.rules.changes import Known, Since, selection, with_recent, with_recent_arrived
from mektup.store.rules.counters import DELETED, SEEN, Box
from mektup.store.rules.flag_changes import FEW_SHOWN, changed_since, store_in_turn
from mektup.store.rules.keyword_sets import Flags
from mektup.store.rules.refusals import message_is_gone, require_not_too_big
from mektup.store.rules.retention import require_past
from mektup.store.sorting import answers
from mektup.store.sorting.sort_keys import Key, Remembered, SortKeys, keys_of
from mektup.store.sqlite.file.change import machine_clock
from mektup.store.watch import ChangeNotifier
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX, mailbox_key
from mektup.terms.numbers import NO_MODSEQ, AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import AccountWatch, Watch
from mektup.terms.search import Part, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, SortKey, ThreadAlgorithm
from tests.support.naive.access_lists import NaiveAccessLists
from tests.support.naive.columns import KeysOfFolder, line, relevancy, search, value
from tests.support.naive.metadata import NaiveMetadata
from tests.support.naive.moments import NaiveMoment
from tests.support.naive.quota import NaiveQuota
from tests.support.naive.retention import NaiveRetention
from tests.support.naive.state import Folder, Message, NaiveKeywordSets, State, Transaction

T = TypeVar("T")
P = ParamSpec("P")

PIECE_BYTES = 256 * 1024
ROWS, ROWS_OF_BYTES, LINES_AT_ONCE = 70, 4, 7
"""Rows in a slice; rows in a slice with all octets of the messages; lines in a slice. SQLite has other numbers."""


def writes(
    make: Callable[Concatenate[NaiveAccount, Transaction, P], T],
) -> Callable[Concatenate[NaiveAccount, P], Coroutine[Any, Any, T]]:
    """Turns a function that works in a transaction into a verb of the account."""

    async def verb(account: NaiveAccount, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return account.write(lambda change: make(account, change, *args, **kwargs))

    return verb


class NaiveAccount:
    """An account. Each verb is finished before the next begins, because none waits for anything."""

    def __init__(
        self,
        account: AccountId,
        name: str,
        notifier: ChangeNotifier,
        limits: Limits,
        sort_keys: Remembered,
        quota: DefaultQuota,
        clock: Callable[[], float] = machine_clock,
    ) -> None:
        self.clock = clock
        self.id, self.name = account, name
        self.quota = NaiveQuota(self._read, self.write, quota)
        self.metadata = NaiveMetadata(self._read, self.write, limits)
        self.retention = NaiveRetention(self._read, self.write, self)
        self.ended: Refused | None = None
        self.history: list[tuple[int, State]] = []
        """The state after each change, with its moment."""
        self._state = State()
        self._notifier, self._limits, self._sort_keys = notifier, limits, sort_keys
        self.limits = limits
        self.keyword_sets = self._keyword_sets = NaiveKeywordSets(most=limits.keyword_sets_bytes)
        self.flag_names, self.known_words = self._keyword_sets.flags, self._keyword_sets.known_words

    def _read(self) -> State:
        if self.ended is not None:
            raise self.ended
        return self._state

    def write(self, make: Callable[[Transaction], T]) -> T:
        """Runs *make* in a transaction, and fires the watches."""
        before = self._read()
        self._state = before.copy()
        change = Transaction(self._state, int(self.clock()), keeps=self.limits.expunged_seconds > 0)
        try:
            result = make(change)
            self.quota.require_growth_within(before, self._state)
        except Refused:
            self._state = before
            for undo in reversed(change.on_rollback):
                undo()
            raise
        change.forget_contents()
        self.history.append((change.moment, self._state))
        for mailbox in change.touched:
            self._notifier.changed(self.id, mailbox, change.modseq)
        return result

    def past(self, state: State) -> NaiveAccount:
        """An account in *state*, which is read and not changed."""
        made = NaiveAccount(
            self.id,
            self.name,
            ChangeNotifier(None),
            self._limits,
            Remembered(Memory(0), self._limits.thread_references),
            DefaultQuota(),
            self.clock,
        )
        made._state = state
        made._keyword_sets = self._keyword_sets
        return made

    # The file

    @writes
    def renew(self, change: Transaction) -> None:
        moved = dict(change.state.metadata)
        for old in list(change.state.folders.values()):
            kept = dict(change.state.kept)
            change.remove(old.id)
            change.state.kept = kept
            made = change.insert(old.name, special_use=old.special_use, selectable=old.selectable)
            made.uidnext, made.recent_from, made.keywords = old.uidnext, old.recent_from, old.keywords
            made.access, made.imported = old.access, old.imported
            change.state.adopt_metadata(old.id, made.id, moved)
            change.state.kept = {
                number: replace(each, mailbox=made.id) if each.mailbox == old.id else each
                for number, each in change.state.kept.items()
            }
            made.messages = {uid: replace(each, modseq=change.modseq) for uid, each in old.messages.items()}
        change.state.log_floor = change.modseq

    async def compact(self) -> None:
        self._read()

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[NaiveMoment]:
        yield NaiveMoment(self._read())

    @property
    def access_lists(self) -> NaiveAccessLists:
        return NaiveAccessLists(self, self._read, self._limits)

    # The past

    async def deleted_mail(self) -> store.Account:
        return PastAccount(self, self._deleted, is_deleted_mail=True)

    async def _deleted(self, mailbox: MailboxId | None) -> store.Account:
        """An account whose folders have the kept messages, with their numbers as UIDs."""
        real = self._read()
        state = real.copy()
        inbox = names.require_mailbox(real.named(INBOX))
        keywords = " ".join(dict.fromkeys(name for each in real.folders.values() for name in each.keywords.split()))
        folders: dict[str, Folder] = {}
        for number, row in real.kept.items():
            name = Transaction(real, 0, keeps=True).place_of(row.mailbox)[0]
            for each in (DELETED_MAIL, name):
                folder = folders.setdefault(
                    each,
                    Folder(
                        MailboxId(row.mailbox if each else 2**40),
                        each,
                        inbox.uidvalidity,
                        ModSeq(real.modseq),
                        f"D{each}",
                        ModSeq(1),
                        ModSeq(1),
                        keywords=keywords,
                    ),
                )
                word = row.message.word & ~DELETED
                folder.messages[Uid(number)] = replace(row.message, uid=Uid(number), word=word, saved=row.removed)
                folder.uidnext, folder.recent_from = real.last_kept + 1, 2**32 - 1
        for folder in folders.values():
            folder.expunged.append((ModSeq(real.modseq), NumberSet.span(1, folder.uidnext - 1) - folder.uids))
        state.folders = {each.id: each for each in folders.values()}
        return self.past(state)

    async def at(self, moment: int) -> store.Account:
        now = self.clock()
        require_past(moment, now, int(now - self.limits.expunged_seconds))
        state = State()
        for then, past in self.history:
            if then <= moment:
                state = past
        return PastAccount(self, partial(self._past, state.copy()), is_deleted_mail=False)

    async def _past(self, state: State, mailbox: MailboxId | None) -> store.Account:
        return self.past(state)

    # Mailboxes

    async def mailboxes(self) -> Sequence[store.Mailbox]:
        found = [folder.counted() for folder in self._read().folders.values()]
        return sorted(found, key=lambda each: names.listed_order(each.name))

    async def subscriptions(self) -> frozenset[str]:
        return self._read().subscribed()

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        state = self._read()
        asked = LogSince(since, ModSeq(state.log_floor), ModSeq(state.modseq))
        return asked.told((each.logged() for each in state.folders.values()), state.gone, state.subscriptions.values())

    async def mailbox(self, name: str) -> store.Mailbox:
        return names.require_mailbox(self._read().named(name)).counted()

    async def target(self, name: str) -> MailboxId:
        return self._read().selectable((await self.mailbox(name)).id).id

    @writes
    def create(self, change: Transaction, name: str, *, special_use: str | None = None) -> store.Mailbox:
        return tree.create(change, name, special_use, self._limits)

    @writes
    def delete(self, change: Transaction, name: str) -> None:
        tree.delete(change, name)

    @writes
    def rename(self, change: Transaction, old: str, new: str) -> None:
        if mailbox_key(old) == INBOX:
            inbox = names.require_mailbox(change.state.named(INBOX))
            made = tree.create(change, new, None, self._limits)
            change.state.adopt_metadata(inbox.id, made.id, dict(change.state.metadata))
            self._transfer(change, inbox.id, inbox.uids, made.name, moving=True)
        else:
            tree.rename(change, old, new, self._limits)

    @writes
    def subscribe(self, change: Transaction, name: str) -> None:
        tree.subscribe(change, name, self._limits)

    @writes
    def unsubscribe(self, change: Transaction, name: str) -> None:
        tree.unsubscribe(change, name)

    # One mailbox, read

    async def select(self, name: str, *, claim_recent: bool) -> store.Selection:
        folder = names.require_mailbox(self._read().named(name))
        if not folder.selectable:
            raise names.no_such_mailbox()
        first = self._claim_recent(folder) if claim_recent else None
        unseen = [each.uid for each in folder.messages.values() if not each.word & SEEN]
        known = Known(folder.highestmodseq, folder.uidnext, folder.uids, unseen[0] if unseen else None)
        found = selection(folder.counted(), known, folder.keywords.split())
        return with_recent(found, first)

    def _claim_recent(self, folder: Folder) -> Uid | None:
        if not folder.counted().recent:
            return None
        first, folder.recent_from = folder.recent_from, folder.uidnext
        return Uid(first)

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        return self._read().selectable(mailbox).highestmodseq

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> store.Changes:
        folder = self._read().selectable(mailbox)
        state = Since(since, expunged_since, uidnext)
        expunged = folder.expunged_since(expunged_since)
        changed = state.flags_changed(folder.changed_since(since), expunged)
        flags = _flags(folder.some(changed)) if len(changed) <= FEW_SHOWN else None
        found = state.told(folder.highestmodseq, Uid(folder.uidnext), folder.keywords, changed, flags, expunged)
        return with_recent_arrived(found, self._claim_recent(folder)) if claim_recent and found.arrived else found

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> store.Touched:
        folder = self._read().selectable(mailbox)
        changed = folder.changed_since(since)
        flags = tuple(_flags(folder.some(changed))) if len(changed) <= FEW_SHOWN else None
        return store.Touched(changed, folder.expunged_since(since), flags)

    async def fetch(
        self, mailbox: MailboxId, uids: Uids, columns: Sequence[store.AnyColumn]
    ) -> AsyncGenerator[Sequence[Row], None]:
        state = self._read()
        there = state.selectable(mailbox).some(uids)
        count = ROWS_OF_BYTES if {Column.RAW, Column.HEADER} & set(columns) else ROWS
        rows = [(one.uid, *(value(column, one, state.contents[one.content]) for column in columns)) for one in there]
        for start in range(0, len(rows), count):
            yield rows[start : start + count]

    async def lines(
        self, mailbox: MailboxId, uids: Uids, form: store.Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[store.Lines, None]:
        for some in uids.slices(LINES_AT_ONCE):
            state = self._read()
            there = state.folders[mailbox].some(some) if mailbox in state.folders else []
            lines = [line(form, number(each.uid), each, state.contents[each.content]) for each in there]
            if len(there) < len(some) or None in lines:
                yield some, None, ModSeq(0)
            else:
                yield some, b"".join(filter(None, lines)), max(each.modseq for each in there)

    async def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        arrival = self._read().contents.get(content)
        if arrival is None:
            raise message_is_gone()
        stop = min(stop, arrival.size)
        for first, last in pairwise([*range(start, stop, PIECE_BYTES), stop]):
            yield arrival.raw[first:last]

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None) -> Found:
        found = self._search(mailbox, key, within)
        return Found(found, self._highest_modseq(mailbox, found, modseq_of))

    def _search(self, mailbox: MailboxId, key: SearchKey, within: Uids) -> Uids:
        state = self._read()
        return search(state, state.selectable(mailbox), key, within, self._keyword_sets)

    def _highest_modseq(self, mailbox: MailboxId, found: Uids | Sequence[Uid], of: Part | None) -> ModSeq | None:
        some = NumberSet[Uid]() if of is None else of.of(found)
        return max((each.modseq for each in self._read().selectable(mailbox).some(some)), default=None)

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> store.Sorted:
        find = self._finder(mailbox, key, within)
        found = answers.sort(find, (self.id, mailbox), self._sort_keys, criteria)
        return store.Sorted(found, self._highest_modseq(mailbox, found, modseq_of))

    async def thread(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        algorithm: ThreadAlgorithm,
        comparator: Comparator = DEFAULT,
    ) -> MessageThreads:
        find = self._finder(mailbox, key, within)
        return answers.thread(find, (self.id, mailbox), self._sort_keys, algorithm, comparator)

    def _finder(self, mailbox: MailboxId, key: SearchKey, within: Uids) -> answers.Find:
        candidates = self._search(mailbox, key, within)
        source = KeysOfFolder(self._state, self._state.selectable(mailbox))
        keys = partial(keys_of, source, (self.id, mailbox), candidates, remembered=self._sort_keys)

        def find(needed: Collection[Key]) -> SortKeys:
            kept = [each for each in needed if each is not SortKey.RELEVANCY]
            found = answers.of_candidates(keys(needed=kept), candidates)
            if SortKey.RELEVANCY not in needed:
                return found
            folder = self._state.selectable(mailbox)
            return answers.with_relevancy(found, relevancy(self._state, folder, key, found.uids))

        return find

    async def relevancy(self, mailbox: MailboxId, key: SearchKey, uids: Uids) -> Sequence[int]:
        state = self._read()
        return relevancy(state, state.selectable(mailbox), key, uids)

    async def search_status(self) -> store.SearchStatus:
        return store.SearchStatus(len(self._read().contents), 0, 0, 0, 0)

    # One mailbox, written

    @writes
    def replace(
        self, change: Transaction, mailbox: MailboxId, uid: Uid, target: MailboxId, message: store.Incoming
    ) -> store.Appended:
        source = change.state.selectable(mailbox)
        if not change.take_out(source, source.some(NumberSet.span(uid, uid))).uids:
            raise message_is_gone()
        return self._append(change, target, [message])

    @writes
    def append(self, change: Transaction, mailbox: MailboxId, messages: Sequence[store.Incoming]) -> store.Appended:
        return self._append(change, mailbox, messages)

    def _append(self, change: Transaction, mailbox: MailboxId, messages: Sequence[store.Incoming]) -> store.Appended:
        folder = change.state.selectable(mailbox)
        if not messages:
            return store.Appended(folder.uidvalidity, NumberSet(), folder.highestmodseq)
        now = change.moment
        with change.opened(folder) as box:
            uids = change.put(folder, box, [self._row(change, box, each, now, now) for each in messages])
        return store.Appended(folder.uidvalidity, uids, change.modseq)

    def _row(self, change: Transaction, box: Box, message: store.Incoming, now: int, saved: int) -> Message:
        arrival = message.arrival
        require_not_too_big(arrival.size, self._limits)
        word = self._keyword_sets.word(change, Flags.of(message.flags))
        box.use_keywords(self._keyword_sets.keywords(word), self._limits)
        content, thread = change.keep(replace_struct(arrival, raw=bytes(arrival.raw[: arrival.size])))
        arrived = now if message.internaldate is None else message.internaldate
        return Message(Uid(1), word, NO_MODSEQ, content, arrival.size, arrived, message.zone, saved, thread)

    async def store_flags(
        self,
        mailbox: MailboxId,
        uids: Uids,
        change: FlagChange,
        flags: frozenset[str],
        *,
        unchanged_since: ModSeq | None = None,
    ) -> store.FlagsStored:
        uids = self._read().selectable(mailbox).uids & uids
        rows = _flags(self._read().selectable(mailbox).some(uids))
        failed = NumberSet[Uid]() if unchanged_since is None else changed_since(rows, unchanged_since)
        (stored,) = await self.store_flags_in_turn(mailbox, [store.FlagOrder(uids - failed, change, flags)])
        return replace(stored, failed=failed, flags=stored.flags if len(uids - failed) <= FEW_SHOWN else None)

    @writes
    def store_flags_in_turn(
        self, change: Transaction, mailbox: MailboxId, orders: Sequence[store.FlagOrder]
    ) -> Sequence[store.FlagsStored]:
        folder, sets = change.state.selectable(mailbox), self._keyword_sets
        words = {each.uid: each.word for each in folder.messages.values()}
        modseqs = {each.uid: each.modseq for each in folder.messages.values()}
        with change.opened(folder) as box:
            stored, altered = store_in_turn(change, box, words, modseqs, orders, sets, self._limits, change.take)
            for uid in altered:
                folder.messages[uid] = replace(folder.messages[uid], word=words[uid], modseq=modseqs[uid])
        return stored

    @writes
    def copy(self, change: Transaction, mailbox: MailboxId, uids: Uids, target: str) -> store.Copied:
        return self._transfer(change, mailbox, uids, target, moving=False)

    @writes
    def move(self, change: Transaction, mailbox: MailboxId, uids: Uids, target: str) -> store.Copied:
        return self._transfer(change, mailbox, uids, target, moving=True)

    def _transfer(
        self, change: Transaction, mailbox: MailboxId, uids: Uids, target: str, *, moving: bool
    ) -> store.Copied:
        source, to = change.state.selectable(mailbox), change.state.named(target)
        if to is None or not to.selectable:
            raise names.no_such_target()
        messages = source.some(uids)
        sources: Uids = NumberSet.of_sorted([message.uid for message in messages])
        if not messages:
            return store.Copied(to.uidvalidity, sources, sources, to.highestmodseq)
        if moving:
            change.take_out(source, messages, moved=True)
        with change.opened(to) as box:
            for word in sorted({message.word for message in messages}):
                box.use_keywords(self._keyword_sets.keywords(word), self._limits)
            now = change.moment
            targets = change.put(to, box, [replace(message, saved=now) for message in messages])
        return store.Copied(to.uidvalidity, sources, targets, change.modseq)

    @writes
    def expunge(self, change: Transaction, mailbox: MailboxId, uids: Uids | None) -> store.Expunged:
        folder = change.state.selectable(mailbox)
        there = folder.some(folder.uids if uids is None else uids)
        return change.take_out(folder, [each for each in there if each.word & DELETED])

    @writes
    def remove(self, change: Transaction, mailbox: MailboxId, uids: Uids) -> store.Expunged:
        folder = change.state.selectable(mailbox)
        return change.take_out(folder, folder.some(uids))

    # Mail of another server

    @writes
    def adopt_mailbox(
        self,
        change: Transaction,
        name: str,
        uidvalidity: UidValidity | None,
        uidnext: Uid,
        *,
        highestmodseq: ModSeq = NO_MODSEQ,
        special_use: str | None = None,
    ) -> store.Mailbox:
        adoption.require_uidnext(uidnext)
        adoption.require_modseq(highestmodseq)
        change.state.modseq = max(change.state.modseq, highestmodseq)
        made = adoption.adopt_mailbox(change, name, uidvalidity, special_use, self._limits)
        folder = change.state.folders[made.id]
        if uidnext > folder.uidnext:
            folder.expunged.append((change.modseq, NumberSet.span(folder.uidnext, uidnext - 1)))
            folder.uidnext, folder.highestmodseq = uidnext, change.modseq
        if folder.highestmodseq < highestmodseq:
            folder.highestmodseq = change.modseq
            folder.messages = {uid: replace(each, modseq=change.modseq) for uid, each in folder.messages.items()}
        return folder.counted()

    @writes
    def adopt(self, change: Transaction, mailbox: MailboxId, messages: Sequence[Adopted]) -> Adoption:
        folder = change.state.selectable(mailbox)
        digests = {each.uid: change.state.contents[each.content].digest for each in folder.messages.values()}
        known = frozenset(each.key for each in messages if each.key is not None) & folder.imported
        first, now = folder.uidnext, change.moment
        with change.opened(folder) as box:
            sorting = adoption.sort_out(box, messages, known, digests)
            box.recent_from = adoption.recent_from(box, first)
            for uid, message in sorting.new:
                arriving = message.incoming
                row = self._row(change, box, arriving, now, now if message.saved is None else message.saved)
                folder.messages[uid] = replace(row, uid=uid, modseq=change.modseq)
                box.count(row.word, row.size, uid, 1)
            if sorting.new:
                folder.recent_from = box.recent_from
                folder.expunged += [(change.modseq, NumberSet.span(*run)) for run in sorting.gaps]
        folder.imported |= set(sorting.keys)
        return sorting.answer(box, folder.highestmodseq)

    async def imported(self, mailbox: MailboxId, keys: Collection[bytes]) -> frozenset[bytes]:
        return frozenset(keys) & self._read().folders[mailbox].imported

    # Watches

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._notifier.watch(self.id, mailbox)

    def watch_account(self) -> AccountWatch:
        return self._notifier.watch_account(self.id)


def _flags(messages: Sequence[Message]) -> list[tuple[Uid, int, ModSeq]]:
    return [(message.uid, message.word, message.modseq) for message in messages]
