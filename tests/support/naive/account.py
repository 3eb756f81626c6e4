"""An account in memory: an ``interface.Account``."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any, Concatenate, ParamSpec, TypeVar

from msgspec.structs import replace as replace_struct

from mektup.store import interface as store
from mektup.store.interface import Column, Found, Row
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.rules import mailbox_names as names
from mektup.store.rules import mailbox_tree as tree
from mektup.store.rules.account_log import LogSince
from mektup.store.rules.changes import Known, Since, selection, with_recent, with_recent_arrived
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.rules.flag_changes import FEW_SHOWN, changed_since, store_in_turn
from mektup.store.rules.keyword_sets import Flags
from mektup.store.rules.refusals import message_is_gone, require_not_too_big
from mektup.store.sorting import answers
from mektup.store.sorting.sort_keys import Remembered, keys_of
from mektup.store.watch import ChangeNotifier
from mektup.terms.errors import Refused
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX, mailbox_key
from mektup.terms.numbers import AccountId, ContentId, MailboxId, ModSeq, Uid
from mektup.terms.peer import Watch
from mektup.terms.search import Part, SearchKey
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm
from tests.support.naive.columns import KeysOfFolder, line, search, value
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
        self, account: AccountId, name: str, notifier: ChangeNotifier, limits: Limits, sort_keys: Remembered
    ) -> None:
        self.id, self.name = account, name
        self.ended: Refused | None = None
        self._state = State()
        self._notifier, self._limits, self._sort_keys = notifier, limits, sort_keys
        self._keyword_sets = NaiveKeywordSets(most=limits.keyword_sets_bytes)
        self.flag_names, self.known_words = self._keyword_sets.flags, self._keyword_sets.known_words

    def _read(self) -> State:
        if self.ended is not None:
            raise self.ended
        return self._state

    def write(self, make: Callable[[Transaction], T]) -> T:
        """Runs *make* in a transaction, and fires the watches."""
        before = self._read()
        self._state = before.copy()
        change = Transaction(self._state)
        try:
            result = make(change)
        except Refused:
            self._state = before
            for undo in reversed(change.on_rollback):
                undo()
            raise
        change.forget_contents()
        for mailbox in change.touched:
            self._notifier.changed(self.id, mailbox, change.modseq)
        return result

    # The file

    @writes
    def renew(self, change: Transaction) -> None:
        for old in list(change.state.folders.values()):
            change.remove(old.id)
            made = change.insert(old.name, special_use=old.special_use, selectable=old.selectable)
            made.uidnext, made.recent_from, made.keywords = old.uidnext, old.recent_from, old.keywords
            made.messages = {uid: replace(each, modseq=change.modseq) for uid, each in old.messages.items()}
        change.state.log_floor = change.modseq

    async def compact(self) -> None:
        self._read()

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
            self._transfer(change, inbox.id, inbox.uids, tree.create(change, new, None, self._limits).name, moving=True)
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
        self, mailbox: MailboxId, key: SearchKey, within: Uids, algorithm: ThreadAlgorithm
    ) -> MessageThreads:
        find = self._finder(mailbox, key, within)
        return answers.thread(find, (self.id, mailbox), self._sort_keys, algorithm)

    def _finder(self, mailbox: MailboxId, key: SearchKey, within: Uids) -> answers.Find:
        candidates = self._search(mailbox, key, within)
        source = KeysOfFolder(self._state, self._state.selectable(mailbox))
        keys = partial(keys_of, source, (self.id, mailbox), candidates, remembered=self._sort_keys)
        return lambda needed: answers.of_candidates(keys(needed=needed), candidates)

    async def search_status(self) -> store.SearchStatus:
        return store.SearchStatus(len(self._read().contents), 0, 0, 0, 0)

    # One mailbox, written

    @writes
    def append(self, change: Transaction, mailbox: MailboxId, messages: Sequence[store.Incoming]) -> store.Appended:
        folder = change.state.selectable(mailbox)
        if not messages:
            return store.Appended(folder.uidvalidity, NumberSet(), folder.highestmodseq)
        now, new = int(time.time()), []
        with change.opened(folder) as box:
            for message in messages:
                arrival = message.arrival
                require_not_too_big(arrival.size, self._limits)
                word = self._keyword_sets.word(change, Flags.of(message.flags))
                box.use_keywords(self._keyword_sets.keywords(word), self._limits)
                content = change.keep(replace_struct(arrival, raw=bytes(arrival.raw[: arrival.size])))
                arrived = now if message.internaldate is None else message.internaldate
                new.append(Message(Uid(1), word, ModSeq(0), content, arrival.size, arrived, message.zone))
            uids = change.put(folder, box, new)
        return store.Appended(folder.uidvalidity, uids, change.modseq)

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
            change.take_out(source, messages)
        with change.opened(to) as box:
            for word in sorted({message.word for message in messages}):
                box.use_keywords(self._keyword_sets.keywords(word), self._limits)
            targets = change.put(to, box, messages)
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

    # Watches

    def watch(self, mailbox: MailboxId | None) -> Watch:
        return self._notifier.watch(self.id, mailbox)


def _flags(messages: Sequence[Message]) -> list[tuple[Uid, int, ModSeq]]:
    return [(message.uid, message.word, message.modseq) for message in messages]
