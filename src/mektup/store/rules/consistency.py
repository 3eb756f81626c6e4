"""What must hold in the mail of an account, whatever the engine; and the findings where it does not.

``mektup check`` tells them to an operator. A finding has a kind, a place and a detail: codes, names and numbers, which
the command line puts into sentences.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice
from typing import Final

from mektup.store.rules.mailbox_names import check_name, superiors
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.names import INBOX, mailbox_key
from mektup.terms.sets import NumberSet, Uids

MOST_SHOWN: Final = 10
"""How many of the messages or rows that have the same fault a finding names."""


RECOVERED: Final = "Recovered"
"""The mailbox into which a repair puts messages that are in no mailbox."""


class Mend(Enum):
    """What mends a finding."""

    REPAIR = auto()
    """``--repair``: the right value follows from other values."""
    ITSELF = auto()
    """Nobody needs to do anything: mektup mends it the next time that it opens the file."""
    OPERATOR = auto()
    """Only the operator can: with a backup, or by changing something outside the file."""


class Kind(Enum):
    """A kind of finding: its code, and what mends it."""

    # The files

    DAMAGED = ("damaged", Mend.OPERATOR)
    """Pages of the file are not what SQLite wrote."""
    NOT_OURS = ("not-ours", Mend.OPERATOR)
    """The file is empty, or is no file of mektup."""
    NEWER = ("newer-version", Mend.OPERATOR)
    OLDER = ("older-version", Mend.ITSELF)
    TABLES = ("tables", Mend.OPERATOR)
    """A table or a column is missing."""
    LOOKUP = ("lookup", Mend.REPAIR)
    """An index of SQLite is missing, or does not say what its table says."""
    UNREADABLE = ("unreadable", Mend.OPERATOR)
    """The system does not let us read the file."""
    IN_USE = ("in-use", Mend.OPERATOR)
    """Another program has locked the file."""
    CUT_OFF = ("cut-off", Mend.OPERATOR)
    """The WAL was removed while a process uses the file."""
    WAL_LOST = ("wal-lost", Mend.OPERATOR)
    """Changes at the end of the WAL cannot be read."""
    NOT_CHECKED = ("not-checked", Mend.OPERATOR)
    """A check could not be finished, because the stored values make no sense to it."""

    # The directory of accounts

    FILE_MISSING = ("file-missing", Mend.OPERATOR)
    FILE_UNKNOWN = ("file-unknown", Mend.OPERATOR)
    OTHER_ACCOUNT = ("other-account", Mend.OPERATOR)
    OLDER_COPY = ("older-copy", Mend.ITSELF)
    UNFINISHED = ("unfinished", Mend.REPAIR)
    ACCESS = ("access", Mend.REPAIR)
    """A file or directory has another owner than the data directory, or others can read it."""
    SECRETS = ("secrets", Mend.OPERATOR)
    NAME = ("account-name", Mend.OPERATOR)
    TLS_PAIR = ("tls-pair", Mend.ITSELF)

    # An account's mailboxes

    COUNTERS = ("counters", Mend.REPAIR)
    UIDNEXT = ("uidnext", Mend.REPAIR)
    MODSEQ = ("modseq", Mend.REPAIR)
    NUMBERS = ("numbers", Mend.REPAIR)
    """A number that the account says is the highest is not."""
    FLAGS = ("flags", Mend.REPAIR)
    """A flag word names a set of keywords that does not exist."""
    KEYWORDS = ("keywords", Mend.REPAIR)
    """A mailbox does not list a keyword of its messages."""
    CHANGED_RUNS = ("changed-runs", Mend.REPAIR)
    EXPUNGED_RUNS = ("expunged-runs", Mend.REPAIR)
    TREE = ("tree", Mend.REPAIR)
    """INBOX or a level above a mailbox is missing."""
    MAILBOX_NAME = ("mailbox-name", Mend.OPERATOR)
    LOG = ("log", Mend.REPAIR)
    METADATA = ("metadata", Mend.REPAIR)
    """Metadata of no mailbox, with an impossible name, or with a modseq above that of the account."""
    QUOTA = ("quota", Mend.REPAIR)
    """A limit of the account is none: of an unknown resource, or negative."""

    RETAINED = ("retained", Mend.REPAIR)
    """What is kept of expunged messages and of the history does not fit together."""

    # Messages and what they refer to

    NO_MAILBOX = ("no-mailbox", Mend.REPAIR)
    """Messages of a mailbox that does not exist or holds none."""
    NO_CONTENT = ("no-content", Mend.REPAIR)
    LOST_MESSAGE = ("lost-message", Mend.REPAIR)
    """Octets to which no mailbox refers."""
    NO_DERIVED = ("no-derived", Mend.REPAIR)
    """The structure or the texts of a message are missing."""
    LEFT_OVER = ("left-over", Mend.REPAIR)
    """Derived rows that belong to nothing."""
    COPIES = ("copies", Mend.REPAIR)
    SIZE = ("size", Mend.REPAIR)
    """The size of a message in its mailbox is not that of its octets."""
    DATE = ("date", Mend.REPAIR)
    """The internal date that FETCH shows is not the one that SEARCH and SORT use."""
    OCTETS = ("octets", Mend.REPAIR)
    """Octets of a message are missing, cannot be read, or differ from their digest."""
    RENDERED = ("rendered", Mend.REPAIR)
    """The stored ENVELOPE, structure or texts of a message are not what its octets say."""
    HEADER_FIELDS = ("header-fields", Mend.REPAIR)
    SEARCH_TEXT = ("search-text", Mend.REPAIR)
    TEXT_INDEX = ("text-index", Mend.REPAIR)

    def __init__(self, code: str, mend: Mend) -> None:
        self.code = code
        """What it is called in JSON."""
        self.mend = mend


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that does not hold."""

    kind: Kind
    place: str = ""
    """The name of the mailbox or of the file; empty for the account."""
    detail: str = ""
    """Numbers and names for an operator, the same in every language."""
    count: int = 1
    """How many messages, rows or values."""
    mendable: bool = field(kw_only=True, default=True)
    """False where ``--repair`` cannot mend this one, although it mends others of its kind."""

    @property
    def mend(self) -> Mend:
        """What mends it."""
        return self.kind.mend if self.mendable else Mend.OPERATOR


def finding(kind: Kind, place: str, name: str, values: Iterable[object], *, mendable: bool = True) -> Iterable[Finding]:
    """One finding for all *values*, of which it names the first; none where there are none. Reads one at a time."""
    left = iter(values)
    shown = list(islice(left, MOST_SHOWN))
    if shown:
        more = sum(1 for _ in left)
        yield Finding(kind, place, listed(name, shown, more), len(shown) + more, mendable=mendable)


def listed(name: str, shown: Sequence[object], more: int) -> str:
    """For example ``UID 1, 2, 3 +20``."""
    return f"{name} {', '.join(map(str, shown))}{f' +{more}' if more else ''}"


class Tally:
    """Findings about single messages, gathered by kind and mailbox, so that a thousand of them are one line."""

    def __init__(self) -> None:
        self._noted: dict[tuple[Kind, str, bool], tuple[list[object], int]] = {}

    def note(self, kind: Kind, place: str, value: object, *, mendable: bool = True) -> None:
        """Adds a message."""
        shown, more = self._noted.setdefault((kind, place, mendable), ([], 0))
        if len(shown) < MOST_SHOWN:
            shown.append(value)
        else:
            self._noted[kind, place, mendable] = shown, more + 1

    def findings(self, name: str) -> Iterable[Finding]:
        """One finding for each kind and mailbox; *name* says what its values are."""
        for (kind, place, mendable), (shown, more) in self._noted.items():
            yield Finding(kind, place, listed(name, shown, more), len(shown) + more, mendable=mendable)


@dataclass(frozen=True, slots=True)
class Counters:
    """The counters of a mailbox."""

    messages: int
    unseen: int
    deleted: int
    size: int
    recent: int


def wrong_counters(place: str, told: Counters, counted: Counters) -> Iterable[Finding]:
    """The counters that a mailbox tells, against the messages that were counted."""
    for name in Counters.__slots__:
        tells, has = getattr(told, name), getattr(counted, name)
        if tells != has:
            yield Finding(Kind.COUNTERS, place, f"{name} {tells}, counted {has}")


def wrong_gaps(place: str, gaps: Uids, expunged: Uids) -> Iterable[Finding]:
    """Every UID below UIDNEXT has a message or was expunged, and none is both.

    *gaps* are the UIDs without a message.
    """
    for name, uids in (("not noted", gaps - expunged), ("still there", expunged - gaps)):
        if uids:
            yield Finding(Kind.EXPUNGED_RUNS, place, f"{name}: UID {shown_uids(uids)}", len(uids))


def shown_uids(uids: Uids) -> str:
    """The first runs of *uids*, as a set in IMAP, and how many UIDs are left."""
    first: Uids = NumberSet(uids.runs[:MOST_SHOWN])
    more = len(uids) - len(first)
    runs = ",".join(str(start) if start == stop else f"{start}:{stop}" for start, stop in first.runs)
    return f"{runs} +{more}" if more else runs


def gaps_below(uidnext: int, runs: Iterable[tuple[int, int]]) -> Uids:
    """The UIDs below *uidnext* that are in none of *runs*, which ascend."""
    return NumberSet.span(1, uidnext - 1) - NumberSet(runs) if uidnext > 1 else NumberSet()


def missing_mailboxes(names: frozenset[str]) -> list[str]:
    """INBOX and all levels above *names* that are not among them, parents before children."""
    needed = {INBOX, *(level for name in names for level in superiors(name))}
    return sorted(needed - names, key=len)


def wrong_names(names: Iterable[str], limits: Limits) -> Iterable[Finding]:
    """The *names* of mailboxes or subscriptions that no client could have made."""
    for name in names:
        try:
            check_name(name, limits)
        except Refused:
            yield Finding(Kind.MAILBOX_NAME, ascii(name))
        else:
            if name != mailbox_key(name):
                yield Finding(Kind.MAILBOX_NAME, name)
