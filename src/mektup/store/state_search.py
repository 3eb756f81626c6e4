"""Searches for flags, dates, sizes, UIDs and modseqs in blocks of state (``state_blocks``)."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress, repeat
from operator import ne

from mektup.store.rules.flag_index import KINDS, TOO_MANY, FlagIndex
from mektup.store.rules.keyword_sets import AnyKeywordSets
from mektup.store.rules.search_cost import seconds_of
from mektup.store.state_blocks import (
    BLOCK_BITS,
    GONE,
    FactBlock,
    FactBlocks,
    FlagBlock,
    FlagBlocks,
    Ints,
    TailRow,
    existing,
)
from mektup.store.state_changes import folded
from mektup.terms import search as terms
from mektup.terms.numbers import ModSeq
from mektup.terms.search import SearchKey
from mektup.terms.sets import NumberSet, Uids

OF_STATE = (
    terms.All
    | terms.HasFlag
    | terms.InUids
    | terms.Arrived
    | terms.Saved
    | terms.Older
    | terms.Younger
    | terms.Larger
    | terms.Smaller
    | terms.ChangedSince
)
"""The keys that are answered here."""


@dataclass(frozen=True)
class StateColumns:
    """The state of messages as columns, with an entry for each of *uids*. Each column is made when it is asked for."""

    flags: Sequence[FlagBlock]
    """Ascending; all have the facts with them."""
    facts: Mapping[int, FactBlock]

    @classmethod
    def of(cls, within: Uids, flags: FlagBlocks, facts: FactBlocks, tail: Iterable[TailRow]) -> StateColumns:
        """The messages of the blocks of *within*, also those that are not in it."""
        flags, facts = folded(flags, facts, tail)
        numbers = [number for number in sorted(flags) if _meets(within, number)]
        return cls([flags[number] for number in numbers], facts)

    @cached_property
    def uids(self) -> Uids:
        """All messages."""
        return existing(self.flags, ())

    @cached_property
    def words(self) -> Ints:
        """The flag words."""
        return _joined(_there(block.words, block) for block in self.flags)

    @cached_property
    def modseqs(self) -> Ints:
        """The modseqs."""
        return _joined(_there(block.modseqs, block) for block in self.flags)

    @cached_property
    def contents(self) -> Ints:
        """The contents."""
        return self._fact(lambda facts: facts.contents)

    @cached_property
    def sizes(self) -> Ints:
        """Octets."""
        return self._fact(lambda facts: facts.sizes)

    @cached_property
    def arrived(self) -> Ints:
        """The internal dates."""
        return self._fact(lambda facts: facts.arrived)

    @cached_property
    def zones(self) -> Ints:
        """The zones of the internal dates, minutes east of UTC."""
        return self._fact(lambda facts: facts.zones)

    @cached_property
    def saved(self) -> Ints:
        """The save dates."""
        return self._fact(lambda facts: facts.saved)

    def _fact(self, column: Callable[[FactBlock], Ints]) -> Ints:
        return _joined(_there(column(self.facts[block.number]), block) for block in self.flags)

    def with_contents(self, contents: Collection[int]) -> Uids:
        """The messages that have one of *contents*."""
        return self._where(map(frozenset(contents).__contains__, self.contents))

    def part_of(self, column: Ints, uids: Uids) -> Ints:
        """The entries in *column* of *uids*, all of which are here."""
        return _joined(column[first - 1 : last] for first, last in self.uids.positions(uids).runs)

    def contents_of(self, uids: Uids) -> Ints:
        """The contents of *uids*, all of which are here."""
        return self.part_of(self.contents, uids)

    def sizes_of(self, uids: Uids) -> Ints:
        """The sizes of *uids*, all of which are here."""
        return self.part_of(self.sizes, uids)

    def matching(self, key: SearchKey, keyword_sets: AnyKeywordSets, now: int) -> Uids:
        """The messages that match *key*, one of OF_STATE; *now* is in seconds since 1970 UTC."""
        match key:
            case terms.All():
                return self.uids
            case terms.InUids(uids):
                return self.uids & uids
            case terms.HasFlag(flag):
                words = list(set(self.words))
                having = keyword_sets.words_with((flag.lower(),), words)[flag.lower()]
                chosen = frozenset(word for at, word in enumerate(words) if having >> at & 1)
                return self._where(map(chosen.__contains__, self.words))
            case terms.Arrived(when, day):
                dates = map(_local, self.arrived, self.zones)
                return self._where(map(seconds_of(when, day).__contains__, dates))
            case terms.Saved(when, day):
                return self._where(map(seconds_of(when, day).__contains__, self.saved))
            case terms.Older(seconds):
                return self._where([date <= now - seconds for date in self.arrived])
            case terms.Younger(seconds):
                return self._where([date >= now - seconds for date in self.arrived])
            case terms.Larger(octets):
                return self._where([size > octets for size in self.sizes])
            case terms.Smaller(octets):
                return self._where([size < octets for size in self.sizes])
            case terms.ChangedSince(since):
                return self._where([modseq >= since for modseq in self.modseqs])
            case _:
                raise TypeError(f"{type(key).__name__} needs more than the state")

    def highest_modseq(self, uids: Uids) -> ModSeq:
        """The highest modseq of *uids*; 0 where none of them is here."""
        positions = self.uids.positions(uids).runs
        return ModSeq(max((max(self.modseqs[first - 1 : last]) for first, last in positions), default=0))

    def flag_index(self, modseq: ModSeq) -> FlagIndex:
        """The index of the flags of all messages, which are as of *modseq*; TOO_MANY for too many words."""
        words = tuple(sorted(set(self.words)))
        if len(words) > KINDS:
            return TOO_MANY
        kind_of = {word: kind for kind, word in enumerate(words)}
        return FlagIndex(modseq, self.uids, words, bytes(map(kind_of.__getitem__, self.words)))

    def _where(self, matches: Iterable[bool]) -> Uids:
        return NumberSet.of_sorted(compress(self.uids, matches))


def _local(seconds: int, zone: int) -> int:
    return seconds + zone * 60


def _meets(uids: Uids, block: int) -> bool:
    start = block << BLOCK_BITS
    return uids.rank(start + (1 << BLOCK_BITS) - 1) > uids.rank(start - 1)


def _there(column: Ints, block: FlagBlock) -> Ints | Iterator[int]:
    """The entries of *column* for the messages that exist."""
    return column if GONE not in block.words else compress(column, map(ne, block.words, repeat(GONE)))


def _joined(columns: Iterable[Ints | Iterator[int]]) -> Ints:
    made = array("q")
    for column in columns:
        made.extend(column)
    return made
