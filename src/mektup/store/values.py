"""The values that the verbs of the store take and return."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mektup.store.arrival import Arrival
from mektup.store.mailbox import Mailbox
from mektup.terms.flags import FlagChange
from mektup.terms.numbers import ModSeq, Uid, UidValidity
from mektup.terms.sets import Uids


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
