"""The store as its users see it: the verbs of mail, as Protocols that every engine fulfils.

Rules that hold for every method here:

* It is asynchronous, and one IMAP command needs at most one read and one write.
* A write is one transaction with one new modseq, the same for all that it touched (``store_flags_in_turn`` has
  one for each order). When it returns, the change is on disk (flags alone: as ``limits.sync_flags`` says),
  counters included, and every Watch on that mailbox has been fired, here and, through the bus, in other
  processes. The store does that itself, inside its commit, so no caller can forget it.
* UIDs ascend and are never used twice; modseqs never go back; 1 is the smallest of each.
* Names of mailboxes are decoded text in NFC, levels parted by "/"; INBOX in any case of letters is INBOX.
* Messages are named by UID, never by sequence number: those belong to a session's view.
* A UID that is not there (any more) is passed over in silence, not an error.
* A mailbox that is gone raises Refused(NONEXISTENT, NO_SUCH_MAILBOX); a fault of the machine, as a full disk, a
  FaultRefused, and whoever keeps the book of them has heard of it. Errors of an engine's library never come out.
* On a full disk all that only reads goes on, and so does what makes room: \\Deleted, expunge, remove, move, delete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Any, Protocol

from mektup.store.arrival import Arrival
from mektup.store.faults import Fault
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import Watch
from mektup.terms.search import SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, ThreadAlgorithm


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox and its counters at one moment."""

    id: MailboxId
    name: str
    uidvalidity: UidValidity
    uidnext: Uid
    highestmodseq: ModSeq
    messages: int
    unseen: int
    deleted: int
    size: int
    """Octets of all messages (RFC 8438)."""
    recent: int
    """Messages that no session has claimed as \\Recent yet (RFC 3501 §2.3.2)."""
    mailboxid: str
    """RFC 8474; ASCII, kept through renames."""
    special_use: str | None
    """One of SPECIAL_USES."""
    selectable: bool
    """False for a name that is there only for what lies below it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a session learns on opening a mailbox: one consistent moment."""

    mailbox: Mailbox
    uids: Uids
    """Of every message there is."""
    first_unseen: Uid | None
    """The lowest UID without \\Seen (for RFC 3501's UNSEEN)."""
    keywords: tuple[str, ...]
    """Every keyword ever set in this mailbox, in the order of first use."""
    recent: Uids
    """Those this session has claimed as \\Recent; empty where it did not ask to."""


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs from a state that two modseqs name; a message that came and went in between is not mentioned."""

    modseq: ModSeq
    """The state that these changes lead to; ask from here the next time."""
    uidnext: Uid
    arrived: Uids
    """New since, still there."""
    recent: Uids
    """Of *arrived*, those claimed as \\Recent by this call."""
    changed: Uids
    """There, with flags that changed since, and did not arrive since."""
    flags: Sequence[tuple[Uid, int, ModSeq]] | None
    """UID, flag word and modseq of each that *changed*, by UID; None where these are many."""
    expunged: Uids
    """Gone since *expunged_since*. May name UIDs that the asker never saw, and UIDs that it was told of already."""
    keywords: tuple[str, ...]
    """As in Selection, complete."""


@dataclass(frozen=True, slots=True)
class Touched:
    """Which messages of a mailbox a modseq is no longer the last word on."""

    changed: Uids
    """There, with a higher modseq; those that arrived since included."""
    expunged: Uids
    """Gone since. May name UIDs that were gone before, and UIDs that came and went since."""
    flags: Sequence[tuple[Uid, int, ModSeq]] | None
    """UID, flag word and modseq of each that *changed*, by UID; None where these are many."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message on its way into a mailbox."""

    arrival: Arrival
    flags: frozenset[str] = frozenset()
    """System flags and keywords; \\Recent is not among them."""
    internaldate: int | None = None
    """Seconds since 1970 UTC; None: now."""
    zone: int = 0
    """Minutes east of UTC in which the internal date is shown and compared."""


@dataclass(frozen=True, slots=True)
class Appended:
    """Where messages went, in the order in which they were given (RFC 4315 APPENDUID)."""

    uidvalidity: UidValidity
    uids: Uids
    modseq: ModSeq


@dataclass(frozen=True, slots=True)
class FlagOrder:
    """A change of flags that is asked for."""

    uids: Uids
    change: FlagChange
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class FlagsStored:
    """What a STORE did."""

    modseq: ModSeq
    """Of this change; when nothing changed, the mailbox's highest."""
    changed: Uids
    """Those whose flags differ now from before."""
    previous: ModSeq
    """The mailbox's highest just before this change: tells whether somebody else changed something in between."""
    failed: Uids
    """Those changed after *unchanged_since* and left alone (RFC 7162 §3.1.3 MODIFIED)."""
    flags: Sequence[tuple[Uid, int, ModSeq]] | None
    """UID, flag word and modseq of each that did not fail, as they are now; None where these are many."""
    keywords: tuple[str, ...]
    """Those of this change that the mailbox has, in the spelling that FETCH shows; empty where it changed nothing."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a COPY or MOVE did (RFC 4315 COPYUID): the nth source became the nth target, both ascending."""

    uidvalidity: UidValidity
    """Of the target mailbox."""
    sources: Uids
    targets: Uids
    modseq: ModSeq


@dataclass(frozen=True, slots=True)
class SearchStatus:
    """How far an account's index of texts has come, and what it costs. Copies of a message count as one."""

    messages: int
    indexed: int
    """Of them, how many a search of BODY or TEXT looks up; the others it reads."""
    text_bytes: int
    """Of those that are indexed: decoded, case-folded, in UTF-8."""
    packed_bytes: int
    """What is kept of these texts, to look into where the index has proposed them."""
    index_bytes: int
    """What the index itself takes."""


@dataclass(frozen=True, slots=True)
class Expunged:
    """What an EXPUNGE removed."""

    uids: Uids
    modseq: ModSeq


class Column(IntEnum):
    """What a fetch can ask of each message; every one is ready as stored, nothing is parsed or rendered."""

    UID = auto()
    """int."""
    FLAGS = auto()
    """int: the flag word, which ``Account.flag_names`` spells out. Equal words are equal flags."""
    MODSEQ = auto()
    """int."""
    INTERNALDATE = auto()
    """bytes: a date-time of RFC 9051 §9 with its quotes, in the zone that it came with."""
    SIZE = auto()
    """int: RFC822.SIZE, octets."""
    ENVELOPE = auto()
    """bytes: wire form, parentheses included."""
    BODY = auto()
    """bytes: wire form of BODY, without extension data, for IMAP4rev2."""
    BODYSTRUCTURE = auto()
    """bytes: wire form, for IMAP4rev2."""
    BODY_REV1 = auto()
    """The same for IMAP4rev1, where message/global is a basic body."""
    BODYSTRUCTURE_REV1 = auto()
    CONTENT = auto()
    """int: the ContentId, for ``Account.content``."""
    LAYOUT = auto()
    """bytes: the packed part offsets, which ``message.layout.unpack`` reads."""
    HEADER = auto()
    """bytes: the message's header, the empty line that ends it included."""
    RAW = auto()
    """bytes, or None where the message is larger than RAW_BYTES and ``Account.content`` must stream it."""
    PREVIEW = auto()
    """str: the first characters of its text (RFC 8970)."""
    EMAILID = auto()
    """str: names the content (RFC 8474)."""


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """A column that is not stored, but may be kept once it was asked for: some fields of the message's header.

    bytes: a literal, as ``BODY[HEADER.FIELDS (...)]`` has it (RFC 9051 §6.4.5.1).
    """

    names: frozenset[bytes]
    """In lower case; without NUL."""


class HeaderColumn(Enum):
    """A message's header, where it is not to be read whole if it is large."""

    SMALL = auto()
    """bytes, as Column.HEADER; None where it is larger than RAW_BYTES and ``Account.content`` must stream it."""
    SIZE = auto()
    """int: its octets."""


AnyColumn = Column | HeaderColumn | HeaderFields

RAW_BYTES = 256 * 1024
"""The largest message, in octets, that a fetch hands out whole."""

SLICE_ROWS = 500
"""How many messages a fetch reads at a time."""


@dataclass(frozen=True, slots=True)
class Form:
    """What is to be written of each message: octets as they are, and the value of each column in its place."""

    pieces: tuple[bytes | AnyColumn | None, ...]
    """None stands for the message's number, as the caller counts them."""
    words: tuple[tuple[int, bytes], ...] = ()
    """Flag words, and what to write for them."""


FORM_BYTES = 4096
"""What a column may have of a message that is written in a Form."""

Row = tuple[Any, ...]
"""One message: its UID, then the columns in the order asked for. Typed by Column, not by mypy: it is the hot path."""


class Account(Protocol):
    """One account's mail."""

    @property
    def id(self) -> AccountId: ...

    @property
    def name(self) -> str:
        """As it was added."""

    # The file

    async def renew(self) -> None:
        """Gives every mailbox a new UIDVALIDITY, as an older copy was put back (RFC 9051 §2.3.1.1).

        Clients forget what they held, and whoever has a mailbox open loses it. Raises Refused(LIMIT).
        """

    async def compact(self) -> None:
        """Writes the account's file anew, without what was removed; others read meanwhile, and wait to write."""

    # Mailboxes

    async def mailboxes(self) -> Sequence[Mailbox]:
        """All of them, one consistent moment: INBOX first, then by name, parents before children."""

    async def subscriptions(self) -> frozenset[str]:
        """The subscribed names, of which some may not exist (RFC 9051 §6.3.7)."""

    async def mailbox(self, name: str) -> Mailbox:
        """One of them, as it is now. Raises Refused(NONEXISTENT)."""

    async def create(self, name: str, *, special_use: str | None = None) -> Mailbox:
        """Makes *name*, and any level above it that is missing (RFC 9051 §6.3.4).

        A name that exists but is not selectable becomes so. Raises Refused(ALREADYEXISTS, for INBOX too; CANNOT for a
        name that cannot be: empty level, too long, control characters; USEATTR for a special use that is taken; LIMIT).
        """

    async def delete(self, name: str) -> None:
        """Removes a mailbox and its messages; with children it stays as a name that is not selectable.

        Raises Refused(NONEXISTENT; CANNOT for INBOX; HASCHILDREN for a name that was not selectable already).
        RFC 9051 §6.3.5.
        """

    async def rename(self, old: str, new: str) -> None:
        """Renames a mailbox and all below it; for INBOX, moves its messages to *new* and leaves it empty.

        MAILBOXID and UIDVALIDITY go along. Missing levels above *new* are made. Subscriptions stay as they are
        (RFC 9051 §6.3.6). Raises Refused(NONEXISTENT, ALREADYEXISTS, CANNOT).
        """

    async def subscribe(self, name: str) -> None:
        """Remembers *name* as subscribed, whether or not it exists."""

    async def unsubscribe(self, name: str) -> None:
        """Forgets it; not an error where it was not subscribed."""

    # One mailbox, read

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        """Opens *name*. With *claim_recent*, no other session will see these messages as \\Recent.

        Raises Refused(NONEXISTENT) also where the name is not selectable.
        """

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        """The mailbox's highest, at this moment, other processes' commits included. The cheapest question there is."""

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        """What differs from the state that the asker knows.

        *since* is the modseq up to which arrivals and flags are known, *uidnext* the first UID that is not,
        *expunged_since* the modseq up to which expunges are known (which may be older, as they cannot always be told).
        RFC 7162 §3.2.6; the caller decides what may be told (RFC 9051 §7.5.1).
        """

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        """What changed and what went after *since*, for a client that comes back with what it had then.

        Costs what it finds, not what the mailbox holds or ever held. RFC 7162 §3.1.4.1, §3.2.6.
        """

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        """The messages of *uids* that are there, ascending, in slices of SLICE_ROWS and of bounded octets.

        Each row starts with the UID, then the *columns* asked for. Slices that take long are read in a thread. A list
        is the caller's: who empties it has given back what it held, however long the next slice is waited for.
        """

    async def text(self, mailbox: MailboxId, uids: Uids, form: Form, number: int) -> tuple[bytes, ModSeq] | None:
        """The *form* of each message of *uids*, filled in, one behind the other in ascending order; and their highest
        modseq.

        *uids* is one run of at most SLICE_ROWS; *number* is that of its first, and the others count on from there.
        None, so that ``fetch`` has to be asked, where one of them is gone, has a flag word that *form* does not spell,
        has more than FORM_BYTES in a column, or header fields that are not kept.
        """

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Octets *start* to *stop* of a message, *stop* excluded, in pieces of bounded size.

        Readable as long as some message of the account refers to it. Raises Refused(EXPUNGEISSUED) when it is gone.
        """

    def flag_names(self, word: int) -> tuple[str, ...]:
        """The flags that a flag word of this account stands for: system flags in their usual order, then keywords."""

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids) -> Uids:
        """Those of *within* that match *key*, in which InSeqs, InUidSet and Recent stand no more.

        Text is compared as substring without regard to case. Exact and current.
        """

    async def sort(
        self, mailbox: MailboxId, key: SearchKey, within: Uids, criteria: Sequence[SortCriterion]
    ) -> Sequence[Uid]:
        """As search; in the order of *criteria*, the first of which counts most, then of UIDs (RFC 5256 §3).

        Text is ordered without regard to case (RFC 5256 §7); *criteria* holds no key twice.
        """

    async def thread(
        self, mailbox: MailboxId, key: SearchKey, within: Uids, algorithm: ThreadAlgorithm
    ) -> MessageThreads:
        """As search; gathered to threads (RFC 5256 §3). Messages that are not found do not count."""

    async def search_highest_modseq(self, mailbox: MailboxId, uids: Uids) -> ModSeq:
        """The highest modseq of *uids* (RFC 7162 §3.1.5); 0 when there is none."""

    async def search_status(self) -> SearchStatus:
        """How much of the account's mail can be looked up. Reads all of the index: for operators, not for sessions."""

    # One mailbox, written

    async def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Appended:
        """Adds messages, all or none, durably.

        Raises Refused(NONEXISTENT where the mailbox is gone; TOOBIG; LIMIT for too many keywords).
        """

    async def store_flags(
        self,
        mailbox: MailboxId,
        uids: Uids,
        change: FlagChange,
        flags: frozenset[str],
        *,
        unchanged_since: ModSeq | None = None,
    ) -> FlagsStored:
        """Changes flags; messages whose flags would be the same keep their modseq. Raises Refused(LIMIT)."""

    async def store_flags_in_turn(self, mailbox: MailboxId, orders: Sequence[FlagOrder]) -> Sequence[FlagsStored]:
        """What *orders*, of few messages, do one after the other, each with a modseq of its own.

        In one transaction: all or none. Raises Refused(LIMIT).
        """

    async def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """Copies messages with flags and internal date, all or none, durably.

        Raises Refused(TRYCREATE) where *target* is not there or not selectable.
        """

    async def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """Copies and expunges in one transaction (RFC 6851 §3.3)."""

    async def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Expunged:
        """Removes the messages that have \\Deleted, of *uids* or of all, durably (RFC 9051 §6.4.3)."""

    async def remove(self, mailbox: MailboxId, uids: Uids) -> Expunged:
        """Removes *uids* whatever their flags, durably; for POP3 (RFC 1939 §6)."""

    # Being told

    def watch(self, mailbox: MailboxId | None) -> Watch:
        """A Watch that fires at each change of *mailbox*, or of any mailbox of the account for None."""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as the directory knows it."""

    id: AccountId
    name: str
    """As given, NFC."""
    secrets: Mapping[str, str] = field(repr=False)
    """What auth keeps of the password: ``password`` -> ``{SCHEME}hash``; ``SCRAM-SHA-256`` -> its keys. Opaque here."""


class Directory(Protocol):
    """The accounts there are. Other processes' changes are seen at once.

    Names are compared in NFC and case-folded. Names are not empty, hold no control character and no "/".
    """

    async def find(self, name: str) -> AccountEntry | None:
        """The account of that name."""

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        """Adds an account, with the mailboxes of NEW_ACCOUNT_MAILBOXES. Raises Refused(ALREADYEXISTS, CANNOT)."""

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        """Replaces them. Raises Refused(NONEXISTENT)."""

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        """Replaces *old* by *new*, of the same password. False, and nothing done, where what is kept is not *old*."""

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        """What is kept of these accounts now; those that are gone are left out."""

    def state(self) -> bytes | None:
        """Octets that are others after every change, of this process or another; None where that is not known now.

        Costs microseconds.
        """

    async def remove(self, name: str) -> None:
        """Removes an account and its mail. Raises Refused(NONEXISTENT)."""

    async def entries(self) -> Sequence[AccountEntry]:
        """All accounts, by name."""


class Bus(Protocol):
    """How one process tells the others that a mailbox changed. Losing a notice delays, never corrupts."""

    def publish(self, account: AccountId, mailbox: MailboxId) -> None:
        """Tells the other processes; after the commit, from any thread, never blocks, never raises."""


class Faults(Protocol):
    """Who keeps the book of the machine's faults, for the operator."""

    def happened(self, fault: Fault) -> None:
        """A command was refused for it, or would have been; in the event loop's thread, never raises."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """What a look over a data directory found."""

    removed: int
    """Accounts whose files were removed, as a process that added or removed them had been killed at it."""
    strangers: Sequence[str]
    """Files of accounts that nobody knows; they stay."""


class Store(Protocol):
    """A data directory, or memory, opened."""

    @property
    def directory(self) -> Directory: ...

    async def account(self, account: AccountId) -> Account:
        """Opens an account, the same object for all who ask. Raises Refused(UNAVAILABLE) when it is gone or broken."""

    def changed_elsewhere(self, account: AccountId, mailbox: MailboxId) -> None:
        """Another process committed a change: fires the watches. Called by the bus, in the event loop's thread."""

    async def tidy(self) -> Tidied:
        """Finishes what a process that was killed had begun."""

    async def close(self) -> None:
        """Ends what is under way and closes every file; may be called twice."""
