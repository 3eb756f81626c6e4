"""The flags of a mailbox's messages, remembered in the process: a search for flags alone asks no table.

An octet for each message says which of the mailbox's different flag words it has. A search is decided once for each
word, and then a translation of these octets marks the messages that match; neither makes an object per message. It
is brought up to date from its modseq on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
"""How many different flag words a mailbox may have to be remembered: an octet tells so many apart."""

ANSWERS = 16
"""How many are remembered of a mailbox."""

SMALL = 32
"""How many keys a search may have for its answer to be remembered; none that is asked often has more."""

EVERY = Uid(MAX_UINT32 + 1)
"""Above every UID, so that new messages are told with their flags."""


@dataclass(frozen=True, slots=True)
class FlagIndex:
    """A mailbox's flags as of a modseq."""

    modseq: ModSeq
    uids: Uids
    words: tuple[int, ...]
    """The different flag words."""
    kinds: bytes
    """Of each message, in the order of the UIDs, the place of its word in *words*."""
    answered: dict[SearchKey, Uids] = field(default_factory=dict)
    """What was found for the last few keys, without regard to where: clients ask the same ones again and again."""

    def search(self, key: SearchKey, within: Uids, keyword_sets: AnyKeywordSets) -> Uids:
        """Those of *within* that match *key*, of which ``answers`` is true."""
        key, within = narrowed(key, within)
        if _size(key) > SMALL:
            return self._matching(key, keyword_sets) & within
        found = self.answered.get(key)
        if found is None:
            while len(self.answered) >= ANSWERS:
                del self.answered[next(iter(self.answered))]
            found = self.answered[key] = self._matching(key, keyword_sets)
        return found & within

    def _matching(self, key: SearchKey, keyword_sets: AnyKeywordSets) -> Uids:
        every = (1 << len(self.words)) - 1
        words = keyword_sets.words_with(flags_in(key), self.words)

        def leaf(part: SearchKey) -> int:
            return words[part.flag.lower()] if isinstance(part, terms.HasFlag) else every

        # a set of words is an integer with a bit for each
        matching = walk(
            key,
            Algebra(
                leaf=leaf,
                negation=lambda part: every ^ part,
                conjunction=lambda parts: reduce(and_, parts),
                disjunction=lambda parts: reduce(or_, parts),
            ),
        )
        table = bytes(matching >> at & 1 for at in range(KINDS))
        return NumberSet.of_sorted(compress(self.uids, self.kinds.translate(table)))


def _size(key: SearchKey) -> int:
    """How many keys stand in *key*, which is never less than how deep it is."""
    return walk(
        key, Algebra(lambda leaf: 1, lambda part: part + 1, lambda parts: sum(parts) + 1, lambda parts: sum(parts) + 1)
    )


def answers(key: SearchKey) -> bool:
    """Whether *key* asks for flags alone, but for UIDs to search among."""
    flags = terms.All | terms.HasFlag
    return walk(narrowed(key, NumberSet())[0], Algebra(lambda leaf: isinstance(leaf, flags), bool, all, all))


NOT_ASKED = FlagIndex(ModSeq(0), NumberSet(), (), b"")
"""Of a mailbox about which nothing is known."""


def followed(known: FlagIndex, found: Changes) -> FlagIndex:
    """*known*, brought up to date by what was *found* to have changed since, arrivals told with their flags.

    With more than KINDS words nothing is known again.
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
    uids = _changed(kept, kinds, words, [(uid, word) for uid, word, _ in found.flags or ()])
    if len(words) > KINDS:
        return NOT_ASKED
    return FlagIndex(found.modseq, uids, tuple(words), bytes(kinds))


def _changed(uids: Uids, kinds: bytearray, words: list[int], flags: Sequence[tuple[Uid, int]]) -> Uids:
    """Writes *flags*, ascending by UID, into *kinds* and *words*; returns the UIDs that there are then."""
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
