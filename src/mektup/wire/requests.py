"""A client's requests: one frozen value per command, built by ``wire.commands`` and carried out by ``imap.commands``.

Mailbox names are decoded text (from modified UTF-7, or UTF-8). Flags are str with their backslash. The grammar is
checked already; the session checks whether the request is possible now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct

from mektup.terms import search
from mektup.terms.flags import FlagChange
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


class Lsub(Request, frozen=True):
    """RFC 3501 §6.3.9."""

    reference: str
    pattern: str


class Namespace(Request, frozen=True):
    """RFC 9051 §6.3.10."""


class Status(Request, frozen=True):
    """RFC 9051 §6.3.11: items in upper case, in the client's order; all are known items."""

    mailbox: str
    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AppendMessage:
    """One message of an APPEND."""

    flags: tuple[str, ...]
    internaldate: tuple[int, int] | None
    """Seconds since 1970 UTC, and zone in minutes east."""
    message: StoredLiteral


@dataclass(frozen=True, slots=True)
class AppendStart:
    """The part of an APPEND before its message, which decides whether the message is accepted.

    RFC 9051 §6.3.12.
    """

    tag: bytes
    mailbox: str
    flags: tuple[str, ...]
    internaldate: tuple[int, int] | None
    old_name: str | None = None
    """As in Select."""


class Append(Request, frozen=True):
    """RFC 9051 §6.3.12."""

    mailbox: str
    messages: tuple[AppendMessage, ...]
    old_name: str | None = None
    """As in Select."""


class Idle(Request, frozen=True):
    """RFC 9051 §6.3.13."""


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
    """MIN, MAX, ALL, COUNT, SAVE; None without RETURN; ``RETURN ()`` is ALL."""
    charset: str | None = None
    """The name in upper case; the text in *key* is decoded already."""


class Sort(Request, frozen=True):
    """RFC 5256 §3 BASE.6.4.SORT, RFC 5267 §3.1."""

    by_uid: bool
    criteria: tuple[SortCriterion, ...]
    """At least one; no key twice."""
    key: SearchKey
    return_options: frozenset[str] | None
    """As in Search."""
    charset: str


class Thread(Request, frozen=True):
    """RFC 5256 §3 BASE.6.4.THREAD."""

    by_uid: bool
    algorithm: ThreadAlgorithm
    key: SearchKey
    charset: str


class Fetch(Request, frozen=True):
    """RFC 9051 §6.4.5; macros are expanded."""

    by_uid: bool
    numbers: NumbersAsked
    items: tuple[FetchItem, ...]
    changed_since: int | None = None
    """``(CHANGEDSINCE n)``, RFC 7162 §3.1.4.1."""
    vanished: bool = False
    """``(CHANGEDSINCE n VANISHED)``, RFC 7162 §3.2.6; never without *by_uid* and *changed_since*."""


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


def names_seqs(request: Request) -> bool:
    """Whether a command about messages contains sequence numbers, also in its search keys (RFC 7162 §3.2.10.2)."""
    if not getattr(request, "by_uid", False):
        return True
    return isinstance(request, Search | Sort | Thread) and search.names_seqs(request.key)
