"""The state of an account, and a transaction that changes it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace
from itertools import chain

from mektup.store.arrival import Arrival
from mektup.store.interface import Expunged, Mailbox
from mektup.store.mailbox_changes import GoneMailbox, LoggedMailbox, LoggedSubscription
from mektup.store.rules.counters import DELETED, SEEN, Box, next_uidvalidity
from mektup.store.rules.keyword_sets import KeywordSets
from mektup.store.rules.mailbox_names import inferiors, new_mailboxid, no_such_mailbox
from mektup.store.rules.mailbox_tree import populate
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import ACCOUNT_ITSELF, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids


@dataclass(frozen=True, slots=True)
class Message:
    """A message in a mailbox."""

    uid: Uid
    word: int
    modseq: ModSeq
    content: ContentId
    size: int
    arrived: int
    zone: int


@dataclass(slots=True)
class Folder:
    """A mailbox. Nothing is stored that can be counted."""

    id: MailboxId
    name: str
    uidvalidity: UidValidity
    highestmodseq: ModSeq
    mailboxid: str
    created: ModSeq
    changed: ModSeq
    special_use: str | None = None
    selectable: bool = True
    uidnext: int = 1
    recent_from: int = 1
    keywords: str = ""
    messages: dict[Uid, Message] = field(default_factory=dict)
    """By UID, ascending."""
    expunged: list[tuple[ModSeq, Uids]] = field(default_factory=list)

    def copy(self) -> Folder:
        return replace(self, messages=dict(self.messages), expunged=list(self.expunged))

    @property
    def uids(self) -> Uids:
        return NumberSet.of_sorted(self.messages)

    def some(self, uids: Uids) -> list[Message]:
        """The UIDs of *uids* that exist."""
        return [self.messages[uid] for uid in self.uids & uids]

    def changed_since(self, modseq: int) -> Uids:
        return NumberSet.of_sorted([each.uid for each in self.messages.values() if each.modseq > modseq])

    def expunged_since(self, modseq: int) -> Uids:
        return NumberSet(chain.from_iterable(uids.runs for at, uids in self.expunged if at > modseq))

    def counted(self) -> Mailbox:
        there = self.messages.values()
        numbers = self.id, self.name, self.uidvalidity, Uid(self.uidnext), self.highestmodseq
        unseen, deleted = sum(not each.word & SEEN for each in there), sum(bool(each.word & DELETED) for each in there)
        size, recent = sum(each.size for each in there), sum(each.uid >= self.recent_from for each in there)
        counters = len(there), unseen, deleted, size, recent
        return Mailbox(*numbers, *counters, self.mailboxid, self.special_use, self.selectable)

    def logged(self) -> LoggedMailbox:
        named = self.id, self.name, self.uidvalidity, self.mailboxid, self.special_use, self.selectable
        return LoggedMailbox(*named, self.created, self.changed)


@dataclass(slots=True)
class State:
    """Everything that is stored of an account."""

    modseq: int = 0
    uidvalidity: int = 0
    """The highest that was ever assigned; so are the next numbers."""
    last_folder: int = 0
    last_content: int = 0
    folders: dict[MailboxId, Folder] = field(default_factory=dict)
    subscriptions: dict[str, LoggedSubscription] = field(default_factory=dict)
    """Includes ended ones."""
    gone: list[GoneMailbox] = field(default_factory=list)
    log_floor: int = 0
    contents: dict[ContentId, Arrival] = field(default_factory=dict)
    keyword_sets: dict[int, str] = field(default_factory=dict)

    def copy(self) -> State:
        copied = {each.name: copy(getattr(self, each.name)) for each in fields(self)}
        return State(**copied | {"folders": {number: each.copy() for number, each in self.folders.items()}})

    def messages(self) -> Iterator[Message]:
        """The messages of all folders."""
        return chain.from_iterable(folder.messages.values() for folder in self.folders.values())

    def selectable(self, mailbox: MailboxId) -> Folder:
        """The folder of that id. Raises Refused(NONEXISTENT)."""
        folder = self.folders.get(mailbox)
        if folder is None or not folder.selectable:
            raise no_such_mailbox()
        return folder

    def subscribed(self) -> frozenset[str]:
        return frozenset(name for name, each in self.subscriptions.items() if each.subscribed)

    def named(self, name: str) -> Folder | None:
        """The folder of that name, in any spelling."""
        return next((folder for folder in self.folders.values() if folder.name == mailbox_key(name)), None)


class Transaction:
    """A write in progress; if it fails, the old state is restored."""

    def __init__(self, state: State) -> None:
        self.state, self._modseq = state, 0
        self.touched: set[MailboxId] = set()
        self.on_rollback: list[Callable[[], None]] = []

    @property
    def modseq(self) -> ModSeq:
        return ModSeq(self._modseq or self.take(1)[0])

    def take(self, count: int) -> range:
        """Takes *count* modseqs; the last one is the transaction's."""
        self._modseq = self.state.modseq = self.state.modseq + count
        return range(self._modseq - count + 1, self._modseq + 1)

    @contextmanager
    def opened(self, folder: Folder) -> Iterator[Box]:
        """A box for changes of *folder*, which gets its values at the end; its counters are compared with a count."""
        uidnext, modseq, before = folder.uidnext, folder.highestmodseq, folder.counted()
        box = Box(folder.id, folder.uidvalidity, uidnext, modseq, folder.recent_from, folder.keywords)
        yield box
        if not self._modseq:
            return  # nothing was changed
        folder.uidnext, folder.keywords, folder.highestmodseq = box.uidnext, box.keywords, self.modseq
        now = folder.counted()
        for each in ("messages", "unseen", "deleted", "size", "recent"):
            assert getattr(box, each) == getattr(now, each) - getattr(before, each)
        self.touched.add(folder.id)

    # A ``rules.mailbox_tree.Tree``

    def find(self, name: str) -> Mailbox | None:
        folder = self.state.named(name)
        return None if folder is None else folder.counted()

    def below(self, name: str) -> list[tuple[MailboxId, str]]:
        low, high = inferiors(name)
        return [(each.id, each.name) for each in self.state.folders.values() if low <= each.name < high]

    def has_special_use(self, special_use: str) -> bool:
        return any(each.special_use == special_use for each in self.state.folders.values())

    def count(self) -> int:
        return len(self.state.folders)

    def insert(self, name: str, *, special_use: str | None = None, selectable: bool = True) -> Folder:
        state, now = self.state, self.modseq
        state.last_folder += 1
        number, state.uidvalidity = MailboxId(state.last_folder), next_uidvalidity(state.uidvalidity, int(time.time()))
        made = Folder(number, name, state.uidvalidity, now, new_mailboxid(), now, now, special_use, selectable)
        state.folders[number] = made
        self.touched.add(number)
        return made

    def remove(self, mailbox: MailboxId) -> None:
        gone = self.state.folders.pop(mailbox)
        self.state.gone.append(GoneMailbox(mailbox, gone.name, gone.mailboxid, gone.created, self.modseq))
        self.touched.add(mailbox)

    def rename(self, mailbox: MailboxId, name: str) -> None:
        folder = self.state.folders[mailbox]
        folder.name, folder.changed = name, self.modseq
        self.touched.add(mailbox)

    def is_subscribed(self, name: str) -> bool:
        return name in self.state.subscribed()

    def subscribe(self, name: str, *, subscribed: bool = True) -> None:
        self.state.subscriptions[name] = LoggedSubscription(name, subscribed, self.modseq)
        self.touched.add(ACCOUNT_ITSELF)

    def unsubscribe(self, name: str) -> None:
        self.subscribe(name, subscribed=False)

    def count_subscriptions(self) -> int:
        return len(self.state.subscribed())

    # Messages

    def put(self, folder: Folder, box: Box, messages: Sequence[Message]) -> Uids:
        """Adds *messages* with new UIDs and the modseq of this transaction."""
        uids = box.name_uids(len(messages))
        for uid, message in zip(uids, messages, strict=True):
            folder.messages[Uid(uid)] = replace(message, uid=Uid(uid), modseq=self.modseq)
            box.count(message.word, message.size, uid, 1)
        return NumberSet.span(uids.start, uids.stop - 1)

    def keep(self, arrival: Arrival) -> ContentId:
        """Stores a content."""
        self.state.last_content += 1
        self.state.contents[ContentId(self.state.last_content)] = arrival
        return ContentId(self.state.last_content)

    def take_out(self, folder: Folder, messages: Sequence[Message]) -> Expunged:
        """Removes *messages*, ascending, with the modseq of this transaction."""
        gone: Uids = NumberSet.of_sorted([message.uid for message in messages])
        if not messages:
            return Expunged(gone, folder.highestmodseq)
        with self.opened(folder) as box:
            for message in messages:
                del folder.messages[message.uid]
                box.count(message.word, message.size, message.uid, -1)
            folder.expunged.append((self.modseq, gone))
        return Expunged(gone, self.modseq)

    def forget_contents(self) -> None:
        """Removes the contents that no message refers to."""
        used = {each.content for each in self.state.messages()}
        self.state.contents = {number: each for number, each in self.state.contents.items() if number in used}


def new_account(change: Transaction) -> None:
    """Makes the mailboxes of a new account."""
    populate(change)
    change.state.log_floor = change.modseq


class NaiveKeywordSets(KeywordSets[Transaction]):
    """Sets of keywords; none is ever removed."""

    __slots__ = ()

    def _load(self, change: Transaction) -> None:
        self.learn(sorted(change.state.keyword_sets.items()))

    def _kept(self, change: Transaction) -> frozenset[int]:
        return frozenset(change.state.keyword_sets)

    def _highest_word(self, change: Transaction) -> int:
        return max((each.word for each in change.state.messages()), default=0)

    def _keep(self, change: Transaction, number: int, names: str, undo: Callable[[], None]) -> None:
        change.state.keyword_sets[number] = names
        change.on_rollback.append(undo)
