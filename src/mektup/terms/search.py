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
from itertools import compress
from typing import Final

from mektup.terms.comparators import Comparator
from mektup.terms.numbers import Uid
from mektup.terms.partial_range import PartialRange
from mektup.terms.sets import NumberSet, SavedResult, SequenceSet, Uids


class When(Enum):
    """How a date compares with a day: before it, on it, or on it and after."""

    BEFORE = "before"
    ON = "on"
    SINCE = "since"


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a result that its highest modseq is about (RFC 4731 §3.2), and that ``$`` becomes.

    All of it, unless *first*, *last* or a *page* is asked for; then these together.
    """

    first: bool = False
    last: bool = False
    page: PartialRange | None = None

    def of(self, found: Uids | Sequence[Uid]) -> Uids:
        """This part of *found*, where first, last and page are meant in the order of *found*."""
        if not found or self == WHOLE:
            return found if isinstance(found, NumberSet) else NumberSet.of(found)
        ends = (found.first, found.last) if isinstance(found, NumberSet) else (found[0], found[-1])
        part: Uids = NumberSet.of(compress(ends, (self.first, self.last)))
        if self.page is None:
            return part
        if isinstance(found, NumberSet):
            return part | self.page.of_set(found)
        return part | NumberSet.of(self.page.of_list(found))


WHOLE: Final = Part()
"""The whole result."""


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
class Saved:
    """SAVEDBEFORE, SAVEDON, SAVEDSINCE (RFC 8514 §4.3): the day, in UTC, when the message came into its mailbox."""

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
class Fuzzy:
    """FUZZY (RFC 6203) and a key of texts, which may match nearly. FUZZY before other keys changes nothing."""

    key: InAddress | InSubject | InHeader | InBody | InText


@dataclass(frozen=True, slots=True)
class Compared:
    """A key of texts, compared by another comparator than the default one (RFC 5255 §4.2): the session adds it."""

    key: InAddress | InSubject | InHeader | InBody | InText
    comparator: Comparator


@dataclass(frozen=True, slots=True)
class ChangedSince:
    """MODSEQ (RFC 7162 §3.1.5): a modseq greater than or equal to this."""

    modseq: int


@dataclass(frozen=True, slots=True)
class HasEmailId:
    """EMAILID (RFC 8474 §6): a message with this content."""

    objectid: str


@dataclass(frozen=True, slots=True)
class InThread:
    """THREADID (RFC 8474 §6): a message of this conversation."""

    objectid: str


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


@dataclass(frozen=True, slots=True)
class Filter:
    """FILTER of RFC 5466: the session replaces it by the criteria that are stored under this name, in lower case."""

    name: str


@dataclass(frozen=True, slots=True)
class WithFilters:
    """A whole program that has a Filter in it, so that one test shows whether there is any."""

    key: SearchKey
    needs_fuzzy: bool = False
    """Whether one of the filters must have FUZZY, because the command asks for RELEVANCY (RFC 6203 §4)."""


SearchKey = (
    All
    | Filter
    | WithFilters
    | HasFlag
    | Recent
    | InSeqs
    | InUidSet
    | InUids
    | Arrived
    | Saved
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
    | Fuzzy
    | Compared
    | ChangedSince
    | HasEmailId
    | InThread
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
            case WithFilters(below):
                todo.append(below)
            case Not(below):
                todo.append(below)
            case Or(left, right):
                todo += (left, right)
            case And(keys):
                todo += keys
    return False
