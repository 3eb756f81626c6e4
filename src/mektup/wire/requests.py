"""A client's requests: one frozen value per command, built by ``wire.commands`` and carried out by ``imap.commands``.

Mailbox names are decoded text (from modified UTF-7, or UTF-8). Flags are str with their backslash. The grammar is
checked already; the session checks whether the request is possible now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

from msgspec import Struct

from mektup.terms import search
from mektup.terms.flags import FlagChange
from mektup.terms.mailbox_events import Event
from mektup.terms.mailbox_sources import MailboxSource
from mektup.terms.partial_range import PartialRange
from mektup.terms.rights import RightsChange
from mektup.terms.search import SearchKey
from mektup.terms.sets import SavedResult, Seqs, SequenceSet, Uids
from mektup.terms.sorting import SortCriterion, ThreadAlgorithm
from mektup.wire.fetch_items import FetchItem

NumbersAsked = SequenceSet | SavedResult


class StoredLiteral(Protocol):
    """A message literal that went into one of the session's sinks, not through the parser (see ``wire.receiver``)."""

    @property
    def size(self) -> int:
        """The announced number of octets."""


class Request(Struct, frozen=True):
    """Any command, with its tag, which the answer repeats."""

    tag: bytes


# Any state


class Capability(Request, frozen=True):
    """RFC 9051 §6.1.1."""


class Noop(Request, frozen=True):
    """RFC 9051 §6.1.2."""


class Logout(Request, frozen=True):
    """RFC 9051 §6.1.3."""


class Id(Request, frozen=True):
    """RFC 2971 §3.1: field (as sent) and value, None for NIL; empty for ``ID NIL``."""

    fields: tuple[tuple[bytes, bytes | None], ...]


class Language(Request, frozen=True):
    """RFC 5255 §3.2: language ranges in lower case, in the order of preference; none asks for the list."""

    ranges: tuple[str, ...]


# Not authenticated


class StartTls(Request, frozen=True):
    """RFC 9051 §6.2.1."""


class Authenticate(Request, frozen=True):
    """RFC 9051 §6.2.2."""

    mechanism: str
    """Upper case."""
    initial: bytes | None
    """Initial response, base64 decoded; None if there is none, empty for ``=`` (RFC 4959)."""

    def __repr__(self) -> str:
        # The response of PLAIN contains the password.
        return f"Authenticate(mechanism={self.mechanism!r})"


class Login(Request, frozen=True):
    """RFC 9051 §6.2.3: octets as sent, expected to be UTF-8."""

    user: bytes
    password: bytes

    def __repr__(self) -> str:
        return f"Login(user={self.user!r})"


# Authenticated


class Compress(Request, frozen=True):
    """RFC 4978 §3. DEFLATE is the only algorithm."""


class ChooseComparator(Request, frozen=True):
    """RFC 5255 §4.7."""

    patterns: tuple[str, ...]
    """Names of comparators, as the client spelled them; ``*`` is a wildcard."""


class Enable(Request, frozen=True):
    """RFC 9051 §6.3.1: names in upper case, known or not."""

    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KnownState:
    """``(QRESYNC (...))``: the state of a mailbox that a returning client knows (RFC 7162 §3.2.5)."""

    uidvalidity: int
    modseq: int
    uids: Uids | None = None
    """The messages that the client asks about; None for all."""
    sample: tuple[Seqs, Uids] | None = None
    """Some sequence numbers that the client knew, and as many UIDs: the nth number belongs to the nth UID."""


class Select(Request, frozen=True):
    """RFC 9051 §6.3.2, and EXAMINE §6.3.3 with *read_only*."""

    mailbox: str
    read_only: bool
    condstore: bool = False
    """``(CONDSTORE)``, RFC 7162 §3.1.8."""
    old_name: str | None = None
    """The name as the client wrote it, if the client uses UTF-8 and the name differs (RFC 9051 §6.3.9.7)."""
    qresync: KnownState | None = None


class Create(Request, frozen=True):
    """RFC 9051 §6.3.4; without a trailing delimiter. *use* is from ``(USE (...))``, RFC 6154 §3."""

    mailbox: str
    use: tuple[str, ...] = ()
    old_name: str | None = None
    """As in Select."""


class Delete(Request, frozen=True):
    """RFC 9051 §6.3.5."""

    mailbox: str
    old_name: str | None = None
    """As in Select."""


class Rename(Request, frozen=True):
    """RFC 9051 §6.3.6."""

    old: str
    new: str
    old_name: str | None = None
    """*old* as the client wrote it, if *old* or *new* differs from what it wrote; else as in Select."""


class Subscribe(Request, frozen=True):
    """RFC 9051 §6.3.7."""

    mailbox: str


class Unsubscribe(Request, frozen=True):
    """RFC 9051 §6.3.8."""

    mailbox: str


class List(Request, frozen=True):
    """RFC 9051 §6.3.9, basic and extended (RFC 5258, RFC 5819, RFC 6154 §2)."""

    reference: str
    patterns: tuple[str, ...]
    """``*`` matches any text, ``%`` any text without the delimiter."""
    extended: bool
    """Whether it has selection options, a list of patterns or RETURN. If so, ``LIST "" ""`` is no special query."""
    select_subscribed: bool = False
    select_remote: bool = False
    select_special_use: bool = False
    recursive_match: bool = False
    return_subscribed: bool = False
    return_children: bool = False
    return_special_use: bool = False
    return_status: tuple[str, ...] | None = None
    """STATUS items, upper case."""
    return_myrights: bool = False
    """RFC 8440."""
    return_metadata: tuple[str, ...] | None = None
    """The entries of METADATA (RFC 9590), in lower case, each once; None without it."""


class Lsub(Request, frozen=True):
    """RFC 3501 §6.3.9."""

    reference: str
    pattern: str


class SetAcl(Request, frozen=True):
    """RFC 4314 §3.1."""

    mailbox: str
    identifier: str
    """A name of a user, or anyone; after a dash: negative rights."""
    change: RightsChange


class DeleteAcl(Request, frozen=True):
    """RFC 4314 §3.2."""

    mailbox: str
    identifier: str


class GetAcl(Request, frozen=True):
    """RFC 4314 §3.3."""

    mailbox: str


class ListRights(Request, frozen=True):
    """RFC 4314 §3.4."""

    mailbox: str
    identifier: str


class MyRights(Request, frozen=True):
    """RFC 4314 §3.5."""

    mailbox: str


class Unauthenticate(Request, frozen=True):
    """RFC 8437 §3."""


class Namespace(Request, frozen=True):
    """RFC 9051 §6.3.10."""


class Status(Request, frozen=True):
    """RFC 9051 §6.3.11: items in upper case, in the client's order; all are known items."""

    mailbox: str
    items: tuple[str, ...]


class GetMetadata(Request, frozen=True):
    """RFC 5464 §4.2: entries in lower case, each once; the mailbox is empty for the server."""

    mailbox: str
    entries: tuple[str, ...]
    maxsize: int | None
    """The largest value that is wanted, in octets."""
    depth: int | None
    """How many levels below the entries are wanted; None for all."""


class SetMetadata(Request, frozen=True):
    """RFC 5464 §4.3: entries in lower case and their values; None removes an entry."""

    mailbox: str
    values: tuple[tuple[str, bytes | None], ...]


class GetQuota(Request, frozen=True):
    """RFC 9208 §4.1.1: the name of a quota root, as sent."""

    root: bytes


class GetQuotaRoot(Request, frozen=True):
    """RFC 9208 §4.1.2."""

    mailbox: str


class SetQuota(Request, frozen=True):
    """RFC 9208 §4.1.3: resources in upper case, known or not, each once, and their limits as sent."""

    root: bytes
    limits: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Url:
    """An IMAP URL as the client wrote it (RFC 4469 §3, RFC 5092)."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Catenated:
    """A message that consists of texts and of parts of other messages (RFC 4469 §3)."""

    parts: tuple[StoredLiteral | Url, ...]


@dataclass(frozen=True, slots=True)
class Replaced:
    """The message that a REPLACE removes."""

    number: SequenceSet
    """One number, or ``*``."""
    by_uid: bool


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message of an APPEND or a REPLACE."""

    flags: tuple[str, ...]
    internaldate: tuple[int, int] | None
    """Seconds since 1970 UTC, and zone in minutes east."""
    message: StoredLiteral | Catenated


@dataclass(frozen=True, slots=True)
class AppendStart:
    """The part of an APPEND or a REPLACE before a literal, which decides whether the literal is accepted.

    RFC 9051 §6.3.12, RFC 8508 §3.2.
    """

    tag: bytes
    mailbox: str
    flags: tuple[str, ...]
    internaldate: tuple[int, int] | None
    old_name: str | None = None
    """As in Select."""
    replaced: Replaced | None = None
    """For a REPLACE."""
    catenates: bool = False
    """Whether the literal is within the parts of a CATENATE."""
    is_message: bool = True
    """Whether the literal is a message or a text of one; false for that of a URL."""
    parenthesized: bool = False
    """Whether a parenthesis follows the literal: ``UTF8 (~{n}``."""


class Append(Request, frozen=True):
    """RFC 9051 §6.3.12."""

    mailbox: str
    messages: tuple[AppendMessage, ...]
    old_name: str | None = None
    """As in Select."""


class Replace(Request, frozen=True):
    """RFC 8508 §3.2, §3.3."""

    by_uid: bool
    number: SequenceSet
    """One number, or ``*``."""
    mailbox: str
    message: AppendMessage
    old_name: str | None = None
    """As in Select."""


class Idle(Request, frozen=True):
    """RFC 9051 §6.3.13."""


class EventGroup(Struct, frozen=True):
    """Some mailboxes, and the events of them that a client wants to be told of (RFC 5465 §8 event-group)."""

    source: MailboxSource
    events: frozenset[Event]
    """Empty for NONE."""
    items: tuple[FetchItem, ...] = ()
    """What to tell of new messages; for the selected mailbox only."""
    has_unknown: bool = False
    """Whether there were other events, of some later extension."""


class Notify(Request, frozen=True):
    """RFC 5465 §3.1."""

    groups: tuple[EventGroup, ...]
    """Empty for NOTIFY NONE."""
    status: bool = False
    """Whether a STATUS is to be told of each mailbox first."""


# Selected


class Check(Request, frozen=True):
    """RFC 3501 §6.4.1."""


class Close(Request, frozen=True):
    """RFC 9051 §6.4.1."""


class Unselect(Request, frozen=True):
    """RFC 9051 §6.4.2."""


class Expunge(Request, frozen=True):
    """RFC 9051 §6.4.3; UID EXPUNGE §6.4.9 if *uids* is given."""

    uids: NumbersAsked | None


class Search(Request, frozen=True):
    """RFC 9051 §6.4.4, RFC 3501 §6.4.4."""

    by_uid: bool
    key: SearchKey
    return_options: frozenset[str] | None
    """MIN, MAX, ALL, COUNT, SAVE, PARTIAL, RELEVANCY, CONTEXT, UPDATE; None without RETURN; ``RETURN ()`` is ALL."""
    charset: str | None = None
    """The name in upper case; the text in *key* is decoded already."""
    page: PartialRange | None = None
    """The range of PARTIAL (RFC 9394 §3.1)."""
    update_items: tuple[FetchItem, ...] = ()
    """What UPDATE is to tell of new messages (RFC 5465 §7); empty for nothing."""


class Esearch(Request, frozen=True):
    """RFC 7377 §2. The answer has UIDs, even for the selected mailbox."""

    sources: tuple[MailboxSource, ...]
    key: SearchKey
    return_options: frozenset[str]
    """As in Search; never empty. SAVE only where the one source is the selected mailbox."""
    charset: str | None = None
    """As in Search."""
    page: PartialRange | None = None
    """As in Search."""
    update_items: tuple[FetchItem, ...] = ()
    """As in Search."""
    by_uid: ClassVar[bool] = True


class Sort(Request, frozen=True):
    """RFC 5256 §3 BASE.6.4.SORT, RFC 5267 §3.1."""

    by_uid: bool
    criteria: tuple[SortCriterion, ...]
    """At least one; no key twice."""
    key: SearchKey
    return_options: frozenset[str] | None
    """As in Search."""
    charset: str
    page: PartialRange | None = None
    """As in Search."""
    update_items: tuple[FetchItem, ...] = ()
    """As in Search."""


class CancelUpdate(Request, frozen=True):
    """RFC 5267 §4.3.5."""

    tags: tuple[bytes, ...]
    """The tags of the searches that are watched no longer; at least one."""


class Thread(Request, frozen=True):
    """RFC 5256 §3 BASE.6.4.THREAD."""

    by_uid: bool
    algorithm: ThreadAlgorithm
    key: SearchKey
    charset: str


class UidBatches(Request, frozen=True):
    """RFC 10022 §3.1."""

    size: int
    """The messages of a batch; at least 1."""
    wanted: tuple[int, int] | None = None
    """The first and the last batch that the client asks for, from 1, ascending; None for all."""


class Fetch(Request, frozen=True):
    """RFC 9051 §6.4.5; macros are expanded."""

    by_uid: bool
    numbers: NumbersAsked
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    """``(CHANGEDSINCE n)``, RFC 7162 §3.1.4.1."""
    vanished: bool = False
    """``(CHANGEDSINCE n VANISHED)``, RFC 7162 §3.2.6; never without *by_uid* and *changed_since*."""
    page: PartialRange | None = None
    """``(PARTIAL 1:50)``, RFC 9394 §3.3; never without *by_uid*."""


class Store(Request, frozen=True):
    """RFC 9051 §6.4.6."""

    by_uid: bool
    numbers: NumbersAsked
    change: FlagChange
    silent: bool
    flags: tuple[str, ...]
    unchanged_since: int | None = None
    """``(UNCHANGEDSINCE n)``, RFC 7162 §3.1.3."""


class Copy(Request, frozen=True):
    """RFC 9051 §6.4.7."""

    by_uid: bool
    numbers: NumbersAsked
    mailbox: str


class Move(Request, frozen=True):
    """RFC 9051 §6.4.8."""

    by_uid: bool
    numbers: NumbersAsked
    mailbox: str


def needs_seqs(request: Request) -> bool:
    """Whether *request* has sequence numbers, or an answer that has them. UIDONLY forbids these (RFC 9586 §3)."""
    if isinstance(request, Select):
        # RFC 9586 §3.7
        return request.qresync is not None and request.qresync.sample is not None
    return hasattr(request, "by_uid") and names_seqs(request)


def names_seqs(request: Request) -> bool:
    """Whether a command about messages contains sequence numbers, also in its search keys (RFC 7162 §3.2.10.2)."""
    if not getattr(request, "by_uid", False):
        return True
    return isinstance(request, Search | Esearch | Sort | Thread) and search.names_seqs(request.key)
