"""The state of an account, and a transaction that changes it."""

from __future__ import annotations

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
from mektup.store.rules.threads import joined, keys_of
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.quota import Resource
from mektup.terms.rights import Rights
from mektup.terms.sets import NumberSet, Uids

Rows = dict[tuple[MailboxId, AccountId, str], tuple[int, bytes | None]]
"""Metadata: modseq and value by mailbox, user and entry."""


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
    saved: int
    thread: int


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
    access: dict[str, Rights] = field(default_factory=dict)
    imported: set[bytes] = field(default_factory=set)

    def copy(self) -> Folder:
        lists = {"expunged": list(self.expunged), "access": dict(self.access), "imported": set(self.imported)}
        return replace(self, messages=dict(self.messages), **lists)

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


@dataclass(frozen=True, slots=True)
class KeptRow:
    """An expunged message that is kept."""

    mailbox: MailboxId
    message: Message
    removed: int


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
    thread_keys: dict[int, int] = field(default_factory=dict)
    keyword_sets: dict[int, str] = field(default_factory=dict)
    metadata: Rows = field(default_factory=dict)
    own_limits: dict[Resource, int | None] = field(default_factory=dict)
    kept: dict[int, KeptRow] = field(default_factory=dict)
    last_kept: int = 0
    last_names: dict[MailboxId, tuple[str, str | None]] = field(default_factory=dict)
    """Of deleted mailboxes: the name and the special use."""

    def copy(self) -> State:
        copied = {each.name: copy(getattr(self, each.name)) for each in fields(self)}
        return State(**copied | {"folders": {number: each.copy() for number, each in self.folders.items()}})

    def messages(self) -> Iterator[Message]:
        """The messages of all folders."""
        return chain.from_iterable(folder.messages.values() for folder in self.folders.values())

    def adopt_metadata(self, source: MailboxId, target: MailboxId, rows: Rows) -> None:
        """Gives *target* what *source* has in *rows*."""
        for (mailbox, user, entry), (_, value) in rows.items():
            if mailbox == source and value is not None:
                self.metadata[target, user, entry] = self.modseq, value

    def usage(self) -> dict[Resource, int]:
        """What the account holds."""
        there = list(self.messages())
        mailboxes = sum(folder.selectable for folder in self.folders.values())
        octets = sum(message.size for message in there)
        return {Resource.STORAGE: octets, Resource.MESSAGE: len(there), Resource.MAILBOX: mailboxes}

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

    def __init__(self, state: State, moment: int, *, keeps: bool) -> None:
        """*moment* is in seconds since 1970; with *keeps*, expunged messages are kept."""
        self.state, self._modseq = state, 0
        self.moment, self.keeps = moment, keeps
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

    def insert(
        self,
        name: str,
        *,
        special_use: str | None = None,
        selectable: bool = True,
        uidvalidity: UidValidity | None = None,
    ) -> Folder:
        state, now = self.state, self.modseq
        state.last_folder += 1
        number = MailboxId(state.last_folder)
        used = next_uidvalidity(state.uidvalidity, self.moment) if uidvalidity is None else uidvalidity
        state.uidvalidity = max(state.uidvalidity, used)
        made = Folder(number, name, used, now, new_mailboxid(), now, now, special_use, selectable)
        state.folders[number] = made
        self.touched.add(number)
        return made

    def inherit(self, name: str, above: MailboxId) -> None:
        made = self.state.named(name)
        assert made is not None
        made.access = dict(self.state.folders[above].access)

    def remove(self, mailbox: MailboxId) -> None:
        gone = self.state.folders.pop(mailbox)
        self.keep_expunged(gone, list(gone.messages.values()))
        self.state.last_names[mailbox] = gone.name, gone.special_use
        self.state.metadata = {key: row for key, row in self.state.metadata.items() if key[0] != mailbox}
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

    # A ``rules.adoption.AdoptingTree``

    def renumber(self, mailbox: MailboxId, uidvalidity: UidValidity) -> None:
        old, metadata = self.state.folders[mailbox], dict(self.state.metadata)
        self.remove(mailbox)
        made = self.insert(old.name, special_use=old.special_use, uidvalidity=uidvalidity)
        made.access = old.access
        self.state.adopt_metadata(mailbox, made.id, metadata)

    def with_special_use(self, special_use: str) -> Mailbox | None:
        found = (each for each in self.state.folders.values() if each.special_use == special_use)
        return next((each.counted() for each in found), None)

    def set_special_use(self, mailbox: MailboxId, special_use: str | None) -> None:
        folder = self.state.folders[mailbox]
        folder.special_use, folder.changed = special_use, self.modseq
        self.touched.add(mailbox)

    # Messages

    def put(self, folder: Folder, box: Box, messages: Sequence[Message]) -> Uids:
        """Adds *messages* with new UIDs and the modseq of this transaction."""
        uids = box.name_uids(len(messages))
        for uid, message in zip(uids, messages, strict=True):
            folder.messages[Uid(uid)] = replace(message, uid=Uid(uid), modseq=self.modseq)
            box.count(message.word, message.size, uid, 1)
        return NumberSet.span(uids.start, uids.stop - 1)

    def keep_expunged(self, folder: Folder, messages: Sequence[Message]) -> None:
        """Keeps *messages*, which leave *folder*."""
        for message in messages if self.keeps else ():
            self.state.last_kept += 1
            self.state.kept[self.state.last_kept] = KeptRow(folder.id, message, self.moment)

    def place_of(self, mailbox: MailboxId) -> tuple[str, bool]:
        """The name of a mailbox, and whether it was deleted."""
        folder = self.state.folders.get(mailbox)
        if folder is not None and folder.selectable:
            return folder.name, False
        return self.state.last_names[mailbox][0], True

    def keep(self, arrival: Arrival) -> tuple[ContentId, int]:
        """Stores a content; returns its ID and its thread."""
        state = self.state
        state.last_content += 1
        content = ContentId(state.last_content)
        state.contents[content] = arrival
        keys = keys_of(arrival.message_id, arrival.references)
        thread, unknown = joined(keys, state.thread_keys, arrival.digest)
        state.thread_keys |= dict.fromkeys(unknown, thread)
        return content, thread

    def take_out(self, folder: Folder, messages: Sequence[Message], *, moved: bool = False) -> Expunged:
        """Removes *messages*, ascending, with the modseq of this transaction."""
        gone: Uids = NumberSet.of_sorted([message.uid for message in messages])
        if not messages:
            return Expunged(gone, folder.highestmodseq)
        if not moved:
            self.keep_expunged(folder, messages)
        with self.opened(folder) as box:
            for message in messages:
                del folder.messages[message.uid]
                box.count(message.word, message.size, message.uid, -1)
            folder.expunged.append((self.modseq, gone))
        return Expunged(gone, self.modseq)

    def forget_contents(self) -> None:
        """Removes the contents that no message refers to."""
        used = {each.content for each in self.state.messages()}
        used |= {each.message.content for each in self.state.kept.values()}
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
        words = (each.word for each in change.state.messages())
        return max(chain(words, (each.message.word for each in change.state.kept.values())), default=0)

    def _keep(self, change: Transaction, number: int, names: str, undo: Callable[[], None]) -> None:
        change.state.keyword_sets[number] = names
        change.on_rollback.append(undo)
