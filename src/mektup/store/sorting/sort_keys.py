"""The sort and thread keys of a mailbox's messages: read once, remembered, and updated.

The keys of a message never change: it keeps its dates, subject and references, and flags do not matter here. So keys
are remembered as of a modseq. The next query removes the messages expunged since and adds those that arrived, all at
one moment. So no answer is older than its query.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, NamedTuple, Protocol

from mektup.store import texts
from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.sorting.columns import Column, MessageIds, Numbers, OrderedTexts, Texts
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId, MailboxId, Uid
from mektup.terms.sets import Uids
from mektup.terms.sorting import COMPARED, MessageThreads, SortCriterion, SortKey, ThreadAlgorithm

KEY_LETTERS: Final = 256
"""The first characters of a text, by which messages are sorted and threaded. Texts that differ only later are equal.

A Subject may have 256 KiB, and a sort holds each different one of a mailbox in memory. Message-IDs need no such bound,
because only a hash of each is held.
"""

SMALL_PART: Final = 8
"""Where no keys of a mailbox are remembered, a query for less than one in so many messages remembers none."""


MOST_ANSWERS: Final = 8
"""How many answers about a mailbox are remembered."""


class ThreadKey(Enum):
    """The keys that THREAD needs in addition to sort keys."""

    IS_REPLY = "is reply"
    MESSAGE_IDS = "message IDs"


class ComparedKey(NamedTuple):
    """A text key that is ordered by another comparator than the default one."""

    key: SortKey
    comparator: Comparator


Key = SortKey | ThreadKey | ComparedKey

KINDS: Final[Mapping[Key, Callable[[], Column]]] = {
    SortKey.ARRIVAL: Numbers,
    SortKey.CC: Texts,
    SortKey.DATE: Numbers,
    SortKey.DISPLAYFROM: Texts,
    SortKey.DISPLAYTO: Texts,
    SortKey.FROM: Texts,
    SortKey.SIZE: Numbers,
    SortKey.SUBJECT: Texts,
    SortKey.TO: Texts,
    ThreadKey.IS_REPLY: Numbers,
    ThreadKey.MESSAGE_IDS: MessageIds,
}
"""The kind of column for each key but ComparedKeys."""


def column_for(key: Key) -> Column:
    """An empty column for *key*."""
    return OrderedTexts() if isinstance(key, ComparedKey) else KINDS[key]()


def compared(key: SortKey, comparator: Comparator) -> Key:
    """*key*, or the ComparedKey where *comparator* makes a difference."""
    return key if comparator is DEFAULT or key not in COMPARED else ComparedKey(key, comparator)


TEXT_FIELDS: Final[Mapping[Key, str]] = {
    SortKey.CC: "cc_key",
    SortKey.DISPLAYFROM: "display_from",
    SortKey.DISPLAYTO: "display_to",
    SortKey.FROM: "from_key",
    SortKey.SUBJECT: "base_subject",
    SortKey.TO: "to_key",
}
"""The field of an Arrival that each text key is; only its first KEY_LETTERS count."""

How = tuple[ThreadAlgorithm, Comparator] | tuple[SortCriterion, ...]
"""The order or the threading that a query asked for."""
Answer = MessageThreads | Sequence[Uid]


@dataclass(frozen=True, slots=True)
class SortKeys:
    """Columns of all or some messages of a mailbox as of a modseq, with an entry for each of *uids*."""

    uids: Uids
    columns: Mapping[Key, Column]
    modseq: int = 0
    """0 where the columns are of some messages only."""
    uidnext: int = 1
    gone: int = 0
    """How many expunged messages may still have texts in the columns."""
    answers: Mapping[How, Answer] = field(default_factory=dict)
    """The remembered answers about all these messages."""

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""
        numbers = len(self.uids) * len(self.answers) * 2
        return sum(column.octets for column in self.columns.values()) + 4 * numbers + self.uids.octets

    def answered(self, how: How, answer: Answer) -> SortKeys:
        """A copy with the *answer* for *how* added, and old answers beyond MOST_ANSWERS removed."""
        others = list(self.answers.items())[1 - MOST_ANSWERS :]
        return replace(self, answers={**dict(others), how: answer})

    def of(self, uids: Uids) -> SortKeys:
        """A copy with only *uids*, all of which exist; the columns are not shared."""
        columns = {key: column.copy() for key, column in self.columns.items()}
        gone = len(self.uids) - len(uids)
        if gone:
            kept = bytearray(len(self.uids))
            for first, last in self.uids.positions(uids).runs:
                kept[first - 1 : last] = b"\1" * (last - first + 1)
            for column in columns.values():
                column.thin(kept)
        return SortKeys(uids, columns, gone=self.gone + gone)


_NOTHING: Final = SortKeys(Uids(), {})

Place = tuple[AccountId, MailboxId]


class Remembered:
    """The sort keys of the mailboxes of all accounts that were queried last. For any thread."""

    def __init__(self, memory: Memory, references: int = DEFAULT_LIMITS.thread_references) -> None:
        """*references*: the most references of the contents that may be threaded."""
        self.references = references
        self._keys: Memo[Place, SortKeys] = Memo(memory, MemoKind.SORT_KEYS)

    def get(self, place: Place) -> SortKeys:
        """The remembered keys of the mailbox at *place*; empty where there are none."""
        return self._keys.get(place) or _NOTHING

    def put(self, place: Place, keys: SortKeys) -> None:
        """Remembers *keys*, see ``Memo.put``."""
        self._keys.put(place, keys, keys.octets)


class Source(Protocol):
    """A mailbox at one moment, read by an engine."""

    def state(self) -> tuple[int, int, int]:
        """HIGHESTMODSEQ, UIDNEXT and the number of messages. Raises Refused(NONEXISTENT)."""

    def expunged_since(self, modseq: int) -> Uids:
        """The UIDs expunged since *modseq*; may include UIDs expunged before."""

    def read(self, uids: Uids, columns: Mapping[Key, Column], most: int) -> Uids:
        """Feeds the messages of *uids* to *columns*, which are not shared, and settles them.

        Returns the UIDs that exist. Raises Refused(LIMIT) for more than *most* references, see ``require_few``.
        """


def keys_of(
    source: Source, place: Place, candidates: Uids, needed: Collection[Key], remembered: Remembered
) -> SortKeys:
    """The *needed* columns of a mailbox at this moment, of all its messages or only of *candidates*.

    Raises Refused(NONEXISTENT) where the mailbox is gone.
    """
    modseq, uidnext, messages = source.state()
    known = remembered.get(place)
    missing = {key: column_for(key) for key in needed if key not in known.columns}
    if missing and len(candidates) * SMALL_PART < messages:
        columns = {key: column_for(key) for key in needed}
        return SortKeys(source.read(candidates, columns, remembered.references), columns)
    keys = known
    if keys.modseq != modseq:
        # the known keys are too new where a later query was faster
        keys = _followed(source, keys if keys.modseq < modseq else _NOTHING, modseq, uidnext, remembered)
    missing = {key: column_for(key) for key in needed if key not in keys.columns}
    if missing:
        _read_all(source, keys.uids, missing, remembered)
        keys = replace(keys, columns={**keys.columns, **missing})
    if keys is not known:
        remembered.put(place, keys)
    return keys


def _followed(source: Source, known: SortKeys, modseq: int, uidnext: int, remembered: Remembered) -> SortKeys:
    """*known* without the messages expunged since, and with those that arrived."""
    expunged = source.expunged_since(known.modseq)
    stayed = known.uids - expunged
    arrived = Uids.span(known.uidnext, uidnext - 1) - expunged
    if not arrived and len(stayed) == len(known.uids):
        return replace(known, modseq=modseq, uidnext=uidnext)
    keys = known.of(stayed)
    if keys.gone > len(stayed):
        # columns keep the texts of expunged messages; when these are the larger part, read all again
        keys = replace(keys, columns={}, gone=0)
    if keys.columns:
        try:
            _read_all(source, arrived, keys.columns, remembered)
        except Refused as refusal:
            if refusal.code is not Code.LIMIT:
                raise
            # SORT needs no references, so read only the needed columns again
            keys = replace(keys, columns={}, gone=0)
    return replace(keys, uids=stayed | arrived, modseq=modseq, uidnext=uidnext)


def _read_all(source: Source, uids: Uids, columns: Mapping[Key, Column], remembered: Remembered) -> None:
    """Calls ``Source.read`` for messages that must all exist. Raises Refused(CORRUPTION) where one does not."""
    if source.read(uids, columns, remembered.references) != uids:
        raise Refused(Code.CORRUPTION, texts.FILE_DAMAGED)


def require_few(column: MessageIds, most: int) -> None:
    """Raises Refused(LIMIT) where *column* has more than *most* references; copies of a message count once."""
    if len(column.others) > most:
        raise Refused(Code.LIMIT, texts.TOO_MANY_REFERENCES.of(references=most))
