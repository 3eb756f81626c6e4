"""The store's interface: Protocols that every engine implements.

Rules that hold for every method here:

* It is asynchronous, and one IMAP command needs at most one read and one write.
* A write is one transaction with one new modseq, shared by all messages, mailboxes and subscriptions that it changed
  (``store_flags_in_turn`` uses one modseq for each order). When it returns, the change and the counters are on disk
  (for flags alone, see ``limits.sync_flags``), and every Watch on that mailbox has fired, in this process and, through
  the bus, in the others. The store fires watches itself, inside its commit, so no caller can forget to.
* UIDs ascend and are never used twice; modseqs never go back; 1 is the smallest of each.
* Mailbox names are decoded text in NFC, with "/" between levels; INBOX in any letter case is INBOX.
* Messages are named by UID, never by sequence number: sequence numbers belong to a session's view.
* A UID that does not exist (any more) is ignored; it is not an error.
* A mailbox that is gone raises Refused(NONEXISTENT, NO_SUCH_MAILBOX). A fault of the machine, such as a full disk,
  raises FaultRefused after it was reported to ``Faults``. Errors of an engine's library are never raised.
* A write that raises has changed nothing. One exception: ``Refused.uncertain`` says that this is not known. Such a
  refusal must not be taken for a failure that may simply be tried again: a message could then be there twice.
* A flag word that this object has handed out is known: ``flag_names`` does not wait for it. So an engine loads the
  keywords with the answer that has the words.
* A read may be cancelled at any await, and a generator closed before its end. Its connection is then free at once for
  the next read, and nothing else fails because of it.
* On a full disk, reads still work, and so do writes that free space: \\Deleted, expunge, remove, move, delete.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum, auto
from typing import Any, NamedTuple, Protocol

from mektup.store.arrival import Arrival
from mektup.store.mailbox_changes import MailboxChanges
from mektup.store.memo import Memory
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import AccountId, ContentId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.peer import Watch
from mektup.terms.search import Part, SearchKey
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
    """RFC 8474; ASCII; a rename keeps it."""
    special_use: str | None
    """One of SPECIAL_USES."""
    selectable: bool
    """False for a name that exists only because it has children."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The state of a mailbox when a session opens it, read at one consistent moment."""

    mailbox: Mailbox
    uids: Uids
    """The UIDs of all messages."""
    first_unseen: Uid | None
    """The lowest UID without \\Seen (for RFC 3501's UNSEEN)."""
    keywords: tuple[str, ...]
    """Every keyword ever set in this mailbox, in the order of first use."""
    recent: Uids
    """The messages that this session claimed as \\Recent; empty where it did not ask for them."""


@dataclass(frozen=True, slots=True)
class Changes:
    """The differences from a state given by two modseqs, without messages that came and went in between."""

    modseq: ModSeq
    """The state after these changes; the next call's *since*."""
    uidnext: Uid
    arrived: Uids
    """Messages that arrived since then and still exist."""
    recent: Uids
    """The part of *arrived* that this call claimed as \\Recent."""
    changed: Uids
    """Messages that existed then and whose flags changed since."""
    flags: Sequence[tuple[Uid, int, ModSeq]] | None
    """UID, flag word and modseq of each message of *changed*, by UID; None where there are many."""
    expunged: Uids
    """UIDs expunged since *expunged_since*. May include UIDs that the caller never saw or already knows as gone."""
    keywords: tuple[str, ...]
    """All of them, as in Selection."""


@dataclass(frozen=True, slots=True)
class Touched:
    """The messages of a mailbox that changed or were expunged after a modseq."""

    changed: Uids
    """Messages with a higher modseq, new ones included."""
    expunged: Uids
    """UIDs expunged since then. May include UIDs expunged before, and UIDs that came and went since."""
    flags: Sequence[tuple[Uid, int, ModSeq]] | None
    """UID, flag word and modseq of each message of *changed*, by UID; None where there are many."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message to append to a mailbox."""

    arrival: Arrival
    flags: frozenset[str] = frozenset()
    """System flags and keywords, without \\Recent."""
    internaldate: int | None = None
    """Seconds since 1970 UTC; None: now."""
    zone: int = 0
    """Minutes east of UTC in which the internal date is shown and compared."""


@dataclass(frozen=True, slots=True)
class Appended:
    """The UIDs of appended messages, in the order in which the messages were given (RFC 4315 APPENDUID)."""

    uidvalidity: UidValidity
    uids: Uids
    modseq: ModSeq


@dataclass(frozen=True, slots=True)
class FlagOrder:
    """One requested change of flags."""

    uids: Uids
    change: FlagChange
    flags: frozenset[str]


@dataclass(frozen=True, slots=True)
class FlagsStored:
    """The result of a STORE."""

    modseq: ModSeq
    """The modseq of this change; when nothing changed, the mailbox's highest."""
    changed: Uids
    """Messages whose flags are different now."""
    previous: ModSeq
    """The mailbox's highest modseq just before this change; shows whether another session changed something."""
    failed: Uids
    """Messages that changed after *unchanged_since* and were left as they are (RFC 7162 §3.1.3 MODIFIED)."""
    flags: Sequence[tuple[Uid, int, ModSeq]] | None
    """The current UID, flag word and modseq of each message that did not fail; None where there are many."""
    keywords: tuple[str, ...]
    """Keywords of this change that the mailbox has, spelled as FETCH shows them; empty where nothing changed."""


@dataclass(frozen=True, slots=True)
class Copied:
    """The result of a COPY or MOVE (RFC 4315 COPYUID): the nth source became the nth target, both ascending."""

    uidvalidity: UidValidity
    """UIDVALIDITY of the target mailbox."""
    sources: Uids
    targets: Uids
    modseq: ModSeq


class Found(NamedTuple):
    """The result of a search."""

    uids: Uids
    modseq: ModSeq | None
    """The highest modseq of the part that was asked for; None where no part was, or nothing was found."""


class Sorted(NamedTuple):
    """The result of a search, in the order that was asked for."""

    uids: Sequence[Uid]
    modseq: ModSeq | None
    """As in Found."""


@dataclass(frozen=True, slots=True)
class SearchStatus:
    """The state and the size of an account's text index. Copies of a message count once."""

    messages: int
    indexed: int
    """Messages that a search of BODY or TEXT finds by the index; it reads all others."""
    text_bytes: int
    """Octets of the indexed texts: decoded, case-folded, in UTF-8."""
    packed_bytes: int
    """Octets of the compressed texts that are kept to check what the index proposes."""
    index_bytes: int
    """Octets of the index itself."""


@dataclass(frozen=True, slots=True)
class Expunged:
    """The result of an EXPUNGE."""

    uids: Uids
    modseq: ModSeq


class Column(IntEnum):
    """Data of a message that a fetch can return; all are stored ready to send, without parsing or rendering."""

    UID = auto()
    """int."""
    FLAGS = auto()
    """int: the flag word; ``Account.flag_names`` gives its flags. Equal words mean equal flags."""
    MODSEQ = auto()
    """int."""
    INTERNALDATE = auto()
    """bytes: a date-time of RFC 9051 §9 with its quotes, in its original zone."""
    SIZE = auto()
    """int: RFC822.SIZE, octets."""
    ENVELOPE = auto()
    """bytes: wire form, parentheses included."""
    BODY = auto()
    """bytes: wire form of BODY, without extension data, for IMAP4rev2."""
    BODYSTRUCTURE = auto()
    """bytes: wire form, for IMAP4rev2."""
    BODY_REV1 = auto()
    """BODY for IMAP4rev1, where message/global is a basic body."""
    BODYSTRUCTURE_REV1 = auto()
    CONTENT = auto()
    """int: the ContentId, for ``Account.content``."""
    LAYOUT = auto()
    """bytes: the packed part offsets, which ``message.layout.unpack`` reads."""
    HEADER = auto()
    """bytes: the message's header, with the empty line that ends it."""
    RAW = auto()
    """bytes, or None where the message is too large to hold and ``Account.content`` must stream it."""
    PREVIEW = auto()
    """str: the first characters of its text (RFC 8970)."""
    EMAILID = auto()
    """str: the identifier of the content (RFC 8474)."""


@dataclass(frozen=True, slots=True)
class HeaderFields:
    """A column of some header fields: not stored on arrival, but the engine may keep it after the first fetch.

    bytes: a literal, as ``BODY[HEADER.FIELDS (...)]`` has it (RFC 9051 §6.4.5.1).
    """

    names: frozenset[bytes]
    """In lower case; without NUL."""


class HeaderColumn(Enum):
    """A message's header, for a fetch that must not load a large one."""

    SMALL = auto()
    """bytes, as Column.HEADER; None where it is too large to hold and ``Account.content`` must stream it."""
    SIZE = auto()
    """int: the header's size in octets."""


AnyColumn = Column | HeaderColumn | HeaderFields


@dataclass(frozen=True, slots=True)
class Form:
    """A template for the line of one message: fixed octets and columns, in order."""

    pieces: tuple[bytes | AnyColumn | None, ...]
    """None stands for the message's number, which the caller counts."""
    words: tuple[tuple[int, bytes], ...] = ()
    """Flag words, and the octets to write for each."""


Lines = tuple[Uids, bytes | None, ModSeq]
"""Some messages, their lines, and the highest modseq of them. None where the caller has to use ``Account.fetch``."""

Row = tuple[Any, ...]
"""One message: its UID, then the requested columns in order. See Column for the types; mypy does not check them."""


class Account(Protocol):
    """One account's mail."""

    @property
    def id(self) -> AccountId: ...

    @property
    def name(self) -> str:
        """The account's name, spelled as it was added."""

    # The file

    async def renew(self) -> None:
        """Gives every mailbox a new UIDVALIDITY, after an older copy was restored (RFC 9051 §2.3.1.1).

        Clients drop their caches, and sessions lose their open mailboxes. Raises Refused(LIMIT).
        """

    async def compact(self) -> None:
        """Rewrites the account's file without free space. Meanwhile others can read; their writes wait."""

    # Mailboxes

    async def mailboxes(self) -> Sequence[Mailbox]:
        """All mailboxes at one consistent moment: INBOX first, then by name, parents before children."""

    async def mailbox_changes(self, since: ModSeq) -> MailboxChanges:
        """The mailboxes and subscriptions that changed after *since*, read at one consistent moment.

        *since* is the ``modseq`` of an earlier answer, or 0 for everything. Where the log does not reach back so far,
        the answer is ``whole``. Changes of messages are not part of the log.
        """

    async def subscriptions(self) -> frozenset[str]:
        """The subscribed names; some may not exist (RFC 9051 §6.3.7)."""

    async def mailbox(self, name: str) -> Mailbox:
        """The current state of one mailbox. Raises Refused(NONEXISTENT)."""

    async def target(self, name: str) -> MailboxId:
        """The ID of a mailbox that messages can be added to. Cheaper than ``mailbox`` while mail comes in.

        Raises Refused(NONEXISTENT), also where the name is not selectable.
        """

    async def create(self, name: str, *, special_use: str | None = None) -> Mailbox:
        """Creates *name* and any missing level above it (RFC 9051 §6.3.4).

        A name that exists but is not selectable becomes selectable. Raises Refused(ALREADYEXISTS, for INBOX too;
        CANNOT for an invalid name: empty level, too long, control characters; USEATTR for a special use that another
        mailbox has; LIMIT).
        """

    async def delete(self, name: str) -> None:
        """Removes a mailbox and its messages (RFC 9051 §6.3.5); with children, its name stays but is not selectable.

        Raises Refused(NONEXISTENT; CANNOT for INBOX; HASCHILDREN for a name that is already not selectable).
        """

    async def rename(self, old: str, new: str) -> None:
        """Renames a mailbox and all below it; for INBOX, moves its messages to *new* and leaves it empty.

        The mailbox keeps its MAILBOXID and UIDVALIDITY. Missing levels above *new* are created. Subscriptions do not
        change (RFC 9051 §6.3.6). Raises Refused(NONEXISTENT, ALREADYEXISTS, CANNOT).
        """

    async def subscribe(self, name: str) -> None:
        """Subscribes *name*, whether or not it exists."""

    async def unsubscribe(self, name: str) -> None:
        """Ends the subscription of *name*; does nothing where there is none."""

    # One mailbox, read

    async def select(self, name: str, *, claim_recent: bool) -> Selection:
        """Opens *name*. With *claim_recent*, no other session will see these messages as \\Recent.

        Raises Refused(NONEXISTENT), also where the name is not selectable.
        """

    async def modseq(self, mailbox: MailboxId) -> ModSeq:
        """The mailbox's highest modseq now, with other processes' commits. The cheapest call of all."""

    async def changes(
        self, mailbox: MailboxId, *, since: ModSeq, expunged_since: ModSeq, uidnext: Uid, claim_recent: bool
    ) -> Changes:
        """The differences from the state that the caller knows (RFC 7162 §3.2.6).

        The caller knows arrivals and flags up to the modseq *since*, messages with UIDs below *uidnext*, and expunges
        up to the modseq *expunged_since*, which may be older because a session may not report expunges at any time.
        The caller decides which changes it may send (RFC 9051 §7.5.1).
        """

    async def touched(self, mailbox: MailboxId, since: ModSeq) -> Touched:
        """The messages that changed or were expunged after *since*, for a client that resynchronises.

        The cost depends on the size of the answer, not of the mailbox or its history. RFC 7162 §3.1.4.1, §3.2.6.
        """

    def fetch(self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]) -> AsyncGenerator[list[Row], None]:
        """The existing messages of *uids*, ascending, in slices of bounded rows and octets, which the engine chooses.

        Each row is the UID and then the *columns*. Slices that take long are read in a thread. The caller owns each
        list: emptying the list frees its memory, even before the next slice is asked for.
        """

    def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        """The lines of *form* for *uids*, joined in ascending order, in slices that the engine chooses.

        The slices ascend, and together they are *uids*. *number* gives the number of a message; those of consecutive
        UIDs are consecutive. An engine may leave the lines of any slice to the caller (see Lines), and it does where a
        message is gone, where a flag word is not in *form*, and where it does not build such lines.
        """

    def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        """Octets *start* to *stop* (excluded) of a message, in pieces of bounded size.

        Works as long as a message of the account has this content. Raises Refused(EXPUNGEISSUED) after that.
        """

    def flag_names(self, word: int) -> tuple[str, ...]:
        """The flags of a flag word of this account: system flags in their usual order, then keywords."""

    def known_words(self, most: int) -> Sequence[tuple[int, tuple[str, ...]]] | None:
        """The flag words that ``flag_names`` was asked for lately, each with its flags; None for more than *most*."""

    async def search(self, mailbox: MailboxId, key: SearchKey, within: Uids, modseq_of: Part | None = None) -> Found:
        """The messages of *within* that match *key*; the caller has already replaced InSeqs, InUidSet and Recent.

        Text matches as a case-insensitive substring. The answer is exact and current. With *modseq_of*, it has the
        highest modseq of that part, read at the same moment (RFC 7162 §3.1.5); without, it costs nothing for it.
        """

    async def sort(
        self,
        mailbox: MailboxId,
        key: SearchKey,
        within: Uids,
        criteria: Sequence[SortCriterion],
        modseq_of: Part | None = None,
    ) -> Sorted:
        """The result of ``search``, ordered by *criteria*, the most important one first, then by UID (RFC 5256 §3).

        Text is ordered without regard to case (RFC 5256 §7); *criteria* has no key twice.
        """

    async def thread(
        self, mailbox: MailboxId, key: SearchKey, within: Uids, algorithm: ThreadAlgorithm
    ) -> MessageThreads:
        """The result of ``search``, grouped into threads (RFC 5256 §3). Other messages have no influence."""

    async def search_status(self) -> SearchStatus:
        """The state of the text index. Reads the whole index, so it is for operators, not for sessions."""

    # One mailbox, written

    async def append(self, mailbox: MailboxId, messages: Sequence[Incoming]) -> Appended:
        """Adds all messages or none, durably.

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
        """Changes flags; messages whose flags stay the same keep their modseq. Raises Refused(LIMIT)."""

    async def store_flags_in_turn(self, mailbox: MailboxId, orders: Sequence[FlagOrder]) -> Sequence[FlagsStored]:
        """Carries out *orders*, of few messages, one after the other, each with its own modseq.

        Does all or none, in one transaction. Raises Refused(LIMIT).
        """

    async def copy(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """Copies all messages or none, with flags and internal date, durably.

        Raises Refused(TRYCREATE) where *target* does not exist or is not selectable.
        """

    async def move(self, mailbox: MailboxId, uids: Uids, target: str) -> Copied:
        """Copies and expunges in one transaction (RFC 6851 §3.3)."""

    async def expunge(self, mailbox: MailboxId, uids: Uids | None) -> Expunged:
        """Removes the messages with \\Deleted, among *uids* or among all, durably (RFC 9051 §6.4.3)."""

    async def remove(self, mailbox: MailboxId, uids: Uids) -> Expunged:
        """Removes *uids*, whatever their flags, durably; for POP3 (RFC 1939 §6)."""

    # Notification

    def watch(self, mailbox: MailboxId | None) -> Watch:
        """A Watch that fires at each change of *mailbox*; for None, at each change of any mailbox or subscription."""


@dataclass(frozen=True, slots=True)
class AccountEntry:
    """An account as the directory knows it."""

    id: AccountId
    name: str
    """The name as it was given, in NFC."""
    secrets: Mapping[str, str] = field(repr=False)
    """Made by auth, opaque to the store: ``password`` -> ``{SCHEME}hash``; ``SCRAM-SHA-256`` -> its keys."""
    shard: str = ""
    """The name of the part of the store that has the account's mail; empty where the store has no parts."""


class Directory(Protocol):
    """All accounts. Changes of other processes are visible at once.

    Names are compared in NFC and case-folded. A name is not empty and has no control character and no "/".
    """

    async def find(self, name: str) -> AccountEntry | None:
        """The account with that name; None where there is none."""

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        """Adds an account, with the mailboxes of NEW_ACCOUNT_MAILBOXES. Raises Refused(ALREADYEXISTS, CANNOT)."""

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        """Replaces an account's secrets. Raises Refused(NONEXISTENT)."""

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        """Replaces *old* by *new*, for the same password. Does nothing and returns False where *old* is not stored."""

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        """The current secrets of these accounts, without accounts that are gone."""

    def state(self) -> bytes | None:
        """Octets that differ after every change by any process; None where they are not known now.

        Costs microseconds.
        """

    async def remove(self, name: str) -> None:
        """Removes an account and its mail. Raises Refused(NONEXISTENT)."""

    async def entries(self, after: str, most: int) -> Sequence[AccountEntry]:
        """The first *most* accounts, in the order of their names, of those after the name *after*.

        An account of that name need not exist; "" is before all. The order disregards case. ``all_entries`` of
        ``store.directory_pages`` gives all accounts.
        """


class Bus(Protocol):
    """Tells other processes that a mailbox changed. A lost notice delays an update, but corrupts nothing.

    A bus that knows of lost notices calls ``Store.missed_notices``.
    """

    def publish(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Tells the other processes, after the commit, from any thread. Never blocks, never raises.

        *mailbox* is ACCOUNT_ITSELF where the account changed, and no mailbox. *modseq* is that of the change; None
        where it is not known.
        """


@dataclass(frozen=True, slots=True)
class Tidied:
    """The result of ``Store.tidy``."""

    removed: int
    """Accounts whose files were removed, because a process was killed while it added or removed them."""
    strangers: Sequence[str]
    """Account files that the directory does not know; they stay."""


class Store(Protocol):
    """An open data directory, or an open store in memory."""

    @property
    def directory(self) -> Directory: ...

    @property
    def memory(self) -> Memory:
        """What this process remembers of the mail."""

    async def account(self, entry: AccountEntry) -> Account:
        """Opens the account of *entry*, of which only ``id`` and ``shard`` are used. All callers get the same object.

        Raises Refused(UNAVAILABLE) when it is gone or broken.
        """

    def changed_elsewhere(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Fires the watches, because another process committed a change. For the bus, in the event loop's thread.

        A notice costs nothing for a waiter that knows the change *modseq* already. None: it is not known.
        """

    def missed_notices(self) -> None:
        """Fires all watches, because notices may be lost. For the bus, in the event loop's thread."""

    async def tidy(self) -> Tidied:
        """Finishes the work that a killed process left undone."""

    async def close(self) -> None:
        """Ends all work and closes every file; may be called twice."""
