"""The search program: what SEARCH asks for, as a tree of frozen values.

``wire`` builds it from the client's words. The session replaces sequence numbers, ``$`` and \\Recent,
which only a session knows, by :class:`Uids`. The store compiles it. Text is decoded, never bytes.
RFC 9051 §6.4.4, RFC 3501 §6.4.4; WITHIN of RFC 5032.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

from mektup.terms.numbers import Uid
from mektup.terms.sets import NumberSet, SavedResult, SequenceSet, Uids


class When(Enum):
    """How a date compares with a day: before it, on it, or on it and after."""

    BEFORE = "before"
    ON = "on"
    SINCE = "since"


class Part(Enum):
    """The part of a result that its highest modseq is about (RFC 4731 §3.2), and that ``$`` becomes."""

    ALL = "all"
    FIRST = "first"
    LAST = "last"
    ENDS = "first and last"

    def of(self, found: Uids | Sequence[Uid]) -> Uids:
        """This part of *found*, where first and last are meant in the order of *found*."""
        if not found or self is Part.ALL:
            return found if isinstance(found, NumberSet) else NumberSet.of(found)
        first, last = (found.first, found.last) if isinstance(found, NumberSet) else (found[0], found[-1])
        parts = {Part.FIRST: (first,), Part.LAST: (last,), Part.ENDS: (first, last)}
        return NumberSet.of(parts[self])


class AddressField(Enum):
    """The address fields that have a search key of their own."""

    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"


@dataclass(frozen=True, slots=True)
class All:
    """ALL: every message."""


@dataclass(frozen=True, slots=True)
class HasFlag:
    """SEEN, KEYWORD x, ...: a flag, in any case of letters, backslash included for system flags."""

    flag: str


@dataclass(frozen=True, slots=True)
class Recent:
    """RECENT of RFC 3501: the session resolves it."""


@dataclass(frozen=True, slots=True)
class InSeqs:
    """A sequence set of sequence numbers, or ``$``: the session resolves it."""

    numbers: SequenceSet | SavedResult


@dataclass(frozen=True, slots=True)
class InUidSet:
    """UID and a sequence set of UIDs, or ``$``: the session resolves it."""

    numbers: SequenceSet | SavedResult


@dataclass(frozen=True, slots=True)
class InUids:
    """One of these UIDs."""

    uids: NumberSet[Uid]


@dataclass(frozen=True, slots=True)
class Arrived:
    """BEFORE, ON, SINCE: the day of the internal date, in the zone that it was given with."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class Sent:
    """SENTBEFORE, SENTON, SENTSINCE: the day of the Date header, in its own zone."""

    when: When
    day: date


@dataclass(frozen=True, slots=True)
class Older:
    """OLDER (RFC 5032): arrived at least so many seconds ago."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Younger:
    """YOUNGER (RFC 5032): arrived at most so many seconds ago."""

    seconds: int


@dataclass(frozen=True, slots=True)
class Larger:
    """LARGER: more octets than this."""

    octets: int


@dataclass(frozen=True, slots=True)
class Smaller:
    """SMALLER: fewer octets than this."""

    octets: int


@dataclass(frozen=True, slots=True)
class InAddress:
    """FROM, TO, CC, BCC: a substring of that field, decoded."""

    field: AddressField
    text: str


@dataclass(frozen=True, slots=True)
class InSubject:
    """SUBJECT: a substring of the decoded subject."""

    text: str


@dataclass(frozen=True, slots=True)
class InHeader:
    """HEADER: a substring of any field of that name (lower case); with empty text, the field must only exist."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class InBody:
    """BODY: a substring of the decoded text parts."""

    text: str


@dataclass(frozen=True, slots=True)
class InText:
    """TEXT: a substring of the header or of the decoded text parts."""

    text: str


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """MODSEQ (RFC 7162 §3.1.5): a modseq greater than or equal to this."""

    modseq: int


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    key: SearchKey


@dataclass(frozen=True, slots=True)
class Or:
    """OR."""

    left: SearchKey
    right: SearchKey


@dataclass(frozen=True, slots=True)
class And:
    """Several keys, all of which must hold; never empty."""

    keys: tuple[SearchKey, ...]


SearchKey = (
    All
    | HasFlag
    | Recent
    | InSeqs
    | InUidSet
    | InUids
    | Arrived
    | Sent
    | Older
    | Younger
    | Larger
    | Smaller
    | InAddress
    | InSubject
    | InHeader
    | InBody
    | InText
    | ChangedSince
    | Not
    | Or
    | And
)


def names_seqs(key: SearchKey) -> bool:
    """Whether *key* contains a sequence number; ``$`` does not count."""
    todo: list[SearchKey] = [key]
    while todo:
        match todo.pop():
            case InSeqs(numbers):
                if isinstance(numbers, SequenceSet):
                    return True
            case Not(below):
                todo.append(below)
            case Or(left, right):
                todo += (left, right)
            case And(keys):
                todo += keys
    return False
