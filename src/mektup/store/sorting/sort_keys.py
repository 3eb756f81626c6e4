"""What a mailbox's messages are sorted and threaded by: read once, remembered, and brought up to date.

Nothing of it ever changes: a message keeps its dates, subject and references as long as it is there, and flags do
not matter here. So what is remembered of a mailbox is as of a modseq, and whoever asks again, within the moment of
its question, takes out what was expunged since and puts in what arrived since. No answer is older than its question.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from threading import Lock
from typing import Final, Protocol

from mektup.store.sorting.columns import Column, MessageIds, Numbers, Texts
from mektup.terms.errors import Code, Refused
from mektup.terms.limits import DEFAULT_LIMITS
from mektup.terms.numbers import AccountId, MailboxId, Uid
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, SortKey, ThreadAlgorithm

KEY_LETTERS: Final = 256
"""Of a text: what messages are sorted and threaded by. Texts that differ only behind it count as the same.

A Subject may have 256 KiB, and each different one of a mailbox is held while that is sorted. Message-IDs need no such
bound, as a hash of each is held.
"""

SMALL_PART: Final = 8
"""Of a mailbox of which nothing is remembered, at most one message in so many is read without remembering it."""


RUN_OCTETS: Final = 128
"""Of memory that a run of UIDs takes, about."""


MOST_ANSWERS: Final = 8
"""How many answers about a mailbox are remembered."""


class ThreadKey(Enum):
    """What THREAD looks at beyond sort keys."""

    IS_REPLY = "is reply"
    MESSAGE_IDS = "message IDs"


Key = SortKey | ThreadKey

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
"""The kind of column that each key makes."""

How = ThreadAlgorithm | tuple[SortCriterion, ...]
"""What was asked about a mailbox."""
Answer = MessageThreads | Sequence[Uid]


@dataclass(frozen=True, slots=True)
class SortKeys:
    """Columns of all messages of a mailbox as of a modseq, or of some of them; an entry for each of *uids*."""

    uids: Uids
    columns: Mapping[Key, Column]
    modseq: int = 0
    """0 for columns of a part of the mailbox."""
    uidnext: int = 1
    gone: int = 0
    """How many messages were expunged of which texts may still be there."""
    answers: Mapping[How, Answer] = field(default_factory=dict)
    """What was found out about all these messages."""

    @property
    def octets(self) -> int:
        """Of memory, about."""
        numbers = len(self.uids) * len(self.answers) * 2
        return sum(column.octets for column in self.columns.values()) + 4 * numbers + RUN_OCTETS * len(self.uids.runs)

    def answered(self, how: How, answer: Answer) -> SortKeys:
        """The same with the *answer* to *how*, and with as many others as are kept."""
        others = list(self.answers.items())[1 - MOST_ANSWERS :]
        return replace(self, answers={**dict(others), how: answer})

    def of(self, uids: Uids) -> SortKeys:
        """The same, of *uids* alone, all of which are there; the columns are nobody else's."""
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
    """Sort keys of the mailboxes that were asked about last, of all accounts. For any thread."""

    def __init__(self, octets: int, references: int = DEFAULT_LIMITS.thread_references) -> None:
        """*octets*: how much may be remembered. *references*: how many the contents of a mailbox
        may have for it to be threaded."""
        self._room = octets
        self.references = references
        self._keys: OrderedDict[Place, SortKeys] = OrderedDict()
        self._lock = Lock()

    def get(self, place: Place) -> SortKeys:
        """What is remembered of the mailbox at *place*."""
        with self._lock:
            keys = self._keys.get(place)
            if keys is None:
                return _NOTHING
            self._keys.move_to_end(place)
            return keys

    def put(self, place: Place, keys: SortKeys) -> None:
        """Remembers *keys*; what was asked about longest ago is forgotten where there is no room."""
        with self._lock:
            self._room += self._keys.pop(place, _NOTHING).octets - keys.octets
            self._keys[place] = keys
            while self._room < 0:
                _, forgotten = self._keys.popitem(last=False)
                self._room += forgotten.octets


class Source(Protocol):
    """A mailbox at one moment, as its engine reads it."""

    def state(self) -> tuple[int, int, int]:
        """HIGHESTMODSEQ, UIDNEXT and how many messages there are. Raises Refused(NONEXISTENT)."""

    def expunged_since(self, modseq: int) -> Uids:
        """What is gone since; may name others that are gone."""

    def read(self, uids: Uids, columns: Mapping[Key, Column], most: int) -> Uids:
        """Feeds the messages of *uids* to *columns*, which nobody else sees, and settles these.

        Returns those that were there. Raises Refused(LIMIT) for more than *most* references, see ``require_few``.
        """


def keys_of(
    source: Source, place: Place, candidates: Uids, needed: Collection[Key], remembered: Remembered
) -> SortKeys:
    """The columns *needed* of a mailbox as of this moment, of all its messages, or of those of *candidates* alone.

    Raises Refused(NONEXISTENT) where the mailbox is gone.
    """
    modseq, uidnext, messages = source.state()
    known = remembered.get(place)
    missing = {key: KINDS[key]() for key in needed if key not in known.columns}
    if missing and len(candidates) * SMALL_PART < messages:
        columns = {key: KINDS[key]() for key in needed}
        return SortKeys(source.read(candidates, columns, remembered.references), columns)
    keys = known
    if keys.modseq != modseq:
        # where somebody who asked later was faster, what is known says too much
        keys = _followed(source, keys if keys.modseq < modseq else _NOTHING, modseq, uidnext, remembered)
    missing = {key: KINDS[key]() for key in needed if key not in keys.columns}
    if missing:
        _read_all(source, keys.uids, missing, remembered)
        keys = replace(keys, columns={**keys.columns, **missing})
    if keys is not known:
        remembered.put(place, keys)
    return keys


def _followed(source: Source, known: SortKeys, modseq: int, uidnext: int, remembered: Remembered) -> SortKeys:
    """*known* without what was expunged since, and with what arrived."""
    expunged = source.expunged_since(known.modseq)
    stayed = known.uids - expunged
    arrived = Uids.span(known.uidnext, uidnext - 1) - expunged
    if not arrived and len(stayed) == len(known.uids):
        return replace(known, modseq=modseq, uidnext=uidnext)
    keys = known.of(stayed)
    if keys.gone > len(stayed):
        # texts of messages that are gone stay in their columns; when they are the larger part, it is time to read anew
        keys = replace(keys, columns={}, gone=0)
    if keys.columns:
        try:
            _read_all(source, arrived, keys.columns, remembered)
        except Refused as refusal:
            if refusal.code is not Code.LIMIT:
                raise
            # who sorts has no use for references: what is needed now is read anew
            keys = replace(keys, columns={}, gone=0)
    return replace(keys, uids=stayed | arrived, modseq=modseq, uidnext=uidnext)


def _read_all(source: Source, uids: Uids, columns: Mapping[Key, Column], remembered: Remembered) -> None:
    """As ``Source.read``, of messages that must be there, since nothing would fit else. Raises Refused(CORRUPTION)."""
    if source.read(uids, columns, remembered.references) != uids:
        raise Refused(Code.CORRUPTION, "The account's file is damaged")


def require_few(column: MessageIds, most: int) -> None:
    """Raises Refused(LIMIT) where *column* has more than *most* references, those of copies counted once."""
    if len(column.others) > most:
        raise Refused(Code.LIMIT, f"These messages have more than {most} references, too many to be threaded")
