"""The flags of a mailbox's messages, kept in memory, so that a search for flags alone reads no table.

One octet per message says which of the mailbox's different flag words it has. A search evaluates its key once per
word; then a translation of the octets marks the matching messages. Neither step makes an object per message. The index
is updated with the changes since its modseq.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import compress
from operator import and_, or_

from mektup.store.interface import Changes
from mektup.store.rules.keyword_sets import AnyKeywordSets
from mektup.terms import search as terms
from mektup.terms.numbers import MAX_UINT32, ModSeq, Uid
from mektup.terms.search import SearchKey
from mektup.terms.search_walk import Algebra, flags_in, narrowed, walk
from mektup.terms.sets import NumberSet, Uids

KINDS = 256
"""The most different flag words of an indexed mailbox: as many as an octet has values."""

ANSWERS = 16
"""How many answers are remembered for a mailbox."""

SMALL_PART = 8
"""A search of less than one in so many messages looks only at these, and its answer is not remembered."""

SMALL = 32
"""The most keys of a search whose answer is remembered; no frequent search has more."""

ANSWER_OCTETS = 2000
"""The approximate memory of a key and its answer, without the UIDs, in octets."""

WORD_OCTETS = 40

EVERY = Uid(MAX_UINT32 + 1)
"""Above every UID, so that changes include the flags of new messages."""


@dataclass(frozen=True, slots=True)
class FlagIndex:
    """A mailbox's flags as of a modseq."""

    modseq: ModSeq
    uids: Uids
    words: tuple[int, ...]
    """The different flag words."""
    kinds: bytes
    """For each message, in the order of the UIDs, the index of its word in *words*."""
    answered: Mapping[SearchKey, Uids] = field(default_factory=dict)
    """The matches in the whole mailbox for the last few keys, because clients repeat the same searches."""

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""
        answers = sum([answer.octets for answer in self.answered.values()]) + ANSWER_OCTETS * len(self.answered)
        return self.uids.octets + len(self.kinds) + WORD_OCTETS * len(self.words) + answers

    def search(self, key: SearchKey, within: Uids, keyword_sets: AnyKeywordSets) -> tuple[Uids, FlagIndex]:
        """The messages of *within* that match *key*, for which ``answers`` must be true; and the index to remember."""
        key, within = narrowed(key, within)
        if _size(key) > SMALL:
            return self._matching(key, keyword_sets) & within, self
        found = self.answered.get(key)
        if found is not None:
            return found & within, self
        if len(within) * SMALL_PART < len(self.uids):
            return self._matching_among(key, within, keyword_sets), self
        found = self._matching(key, keyword_sets)
        return found & within, self._answered(key, found)

    def _answered(self, key: SearchKey, found: Uids) -> FlagIndex:
        """A copy with the answer *found* for *key*, and old answers beyond ANSWERS removed."""
        others = list(self.answered.items())[1 - ANSWERS :]
        return replace(self, answered={**dict(others), key: found})

    def _matching(self, key: SearchKey, keyword_sets: AnyKeywordSets) -> Uids:
        return NumberSet.of_sorted(compress(self.uids, self.kinds.translate(self._table(key, keyword_sets))))

    def _matching_among(self, key: SearchKey, within: Uids, keyword_sets: AnyKeywordSets) -> Uids:
        """Like ``_matching``, but looks only at *within*: a watched search is evaluated at each change."""
        places = self.uids.positions(within)
        kinds = b"".join([self.kinds[first - 1 : last] for first, last in places.runs])
        return NumberSet.of_sorted(compress(self.uids.at(places), kinds.translate(self._table(key, keyword_sets))))

    def _table(self, key: SearchKey, keyword_sets: AnyKeywordSets) -> bytes:
        """For each kind, 1 if its word matches *key*, else 0."""
        every = (1 << len(self.words)) - 1
        words = keyword_sets.words_with(flags_in(key), self.words)

        def leaf(part: SearchKey) -> int:
            return words[part.flag.lower()] if isinstance(part, terms.HasFlag) else every

        # a set of words is an integer with a bit for each word
        matching = walk(
            key,
            Algebra(
                leaf=leaf,
                negation=lambda part: every ^ part,
                conjunction=lambda parts: reduce(and_, parts),
                disjunction=lambda parts: reduce(or_, parts),
            ),
        )
        return bytes(matching >> at & 1 for at in range(KINDS))


def _size(key: SearchKey) -> int:
    """The number of keys in *key*, which is at least its depth."""
    return walk(
        key, Algebra(lambda leaf: 1, lambda part: part + 1, lambda parts: sum(parts) + 1, lambda parts: sum(parts) + 1)
    )


def answers(key: SearchKey) -> bool:
    """Whether *key* depends only on flags, apart from UIDs that limit it."""
    flags = terms.All | terms.HasFlag
    return walk(narrowed(key, NumberSet())[0], Algebra(lambda leaf: isinstance(leaf, flags), bool, all, all))


NOT_ASKED = FlagIndex(ModSeq(0), NumberSet(), (), b"")
"""The index of a mailbox before its first search."""

TOO_MANY = FlagIndex(ModSeq(0), NumberSet(), (), b"")
"""Stands for the index of a mailbox with more than KINDS words."""


def followed(known: FlagIndex, found: Changes) -> FlagIndex:
    """*known*, updated with the changes *found* since, which include the flags of arrivals.

    Returns TOO_MANY where there are more than KINDS words.
    """
    gone = known.uids & found.expunged
    kept = known.uids - gone
    kinds = bytearray(known.kinds)
    if gone:
        still_there = bytearray(b"\1") * len(kinds)
        for first, last in known.uids.positions(gone).runs:
            still_there[first - 1 : last] = bytes(last - first + 1)
        kinds = bytearray(compress(kinds, still_there))
    words = list(known.words)
    flags = [(uid, word) for uid, word, _ in found.flags or ()]
    if not {word for _, word in flags}.issubset(words):
        words, kinds = _used(words, kinds)
    uids = _changed(kept, kinds, words, flags)
    if len(words) > KINDS:
        return TOO_MANY
    return FlagIndex(found.modseq, uids, tuple(words), bytes(kinds))


def _used(words: Sequence[int], kinds: bytearray) -> tuple[list[int], bytearray]:
    """The *words* that a message still has, and *kinds* for them: else words of the past would use up KINDS."""
    used = [kind for kind in range(len(words)) if kind in kinds]
    table = bytearray(KINDS)
    for number, kind in enumerate(used):
        table[kind] = number
    return [words[kind] for kind in used], kinds.translate(table)


def _changed(uids: Uids, kinds: bytearray, words: list[int], flags: Sequence[tuple[Uid, int]]) -> Uids:
    """Writes *flags*, ascending by UID, into *kinds* and *words*; returns the UIDs with new ones added."""
    numbers = {word: at for at, word in enumerate(words)}
    known_upto = uids.last if uids else 0
    arrived: list[int] = []
    for uid, word in flags:
        kind = numbers.setdefault(word, len(numbers))
        if kind >= KINDS:
            break
        if uid > known_upto:
            arrived.append(uid)
            kinds.append(kind)
        else:
            kinds[uids.rank(uid) - 1] = kind
    words[:] = numbers
    return uids | NumberSet.of_sorted(arrived)
