"""Blocks of message state: the flags, and the facts that never change, of 256 UIDs as one row of a table.

An engine across a network keeps the messages of a mailbox as blocks and a tail. A block has the messages whose UIDs
differ only in their last bits. New messages are rows of the tail, until they are folded into their block (see
``state_changes``); so a block and the tail can both have messages of the same 256 UIDs, but none of them twice.

A block of flags has flag words and modseqs. It is written before the engine has taken the new modseq, so a modseq in
it that is not above 0 is relative: 0 is the block's own, which is the highest in it, and -1 is the one before. A block
of facts has what a message keeps for as long as it is in its mailbox; where the message is gone, it has no meaning.
Only the words say which messages exist.

The octets are a format octet, the first slot, and the columns from that slot on, as 64-bit integers. Of these, all
lowest octets come first, then all second ones, and so on, which compresses better; then zstandard, where it helps.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, repeat
from operator import ne
from typing import Final, NamedTuple, TypeAlias, cast

import zstandard

from mektup.store.rules.counters import SEEN
from mektup.store.rules.packs import UnreadableError
from mektup.terms.numbers import ContentId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Run, Uids

BLOCK_BITS: Final = 8
"""The number of low bits in which the UIDs of a block differ."""

SLOTS: Final = 1 << BLOCK_BITS
"""How many UIDs a block has; a slot is the place of a UID in its block."""

SLOT_MASK: Final = SLOTS - 1

GONE: Final = -1
"""In place of a flag word: there is no message with that UID."""

NOBODYS: Final = 1
"""The modseq in a slot that never had a message."""

PLAIN: Final = 1
"""The format of columns that are not compressed."""

ZSTD: Final = 2
"""The format of columns that are compressed with zstandard."""

LEVEL: Final = 3
"""The level of zstandard."""

TINY: Final = 64
"""Fewer octets than this are not compressed: it would not make them shorter."""

_HEAD: Final = 2
_ITEM: Final = 8
_FLAG_COLUMNS: Final = 2
_FACT_COLUMNS: Final = 5

Ints: TypeAlias = "array[int]"
"""Signed, of 64 bits, one for each slot."""

FlagRow = tuple[Uid, int, ModSeq]
"""UID, flag word and modseq."""


class FactRow(NamedTuple):
    """What a message keeps for as long as it is in its mailbox."""

    uid: Uid
    content: ContentId
    size: int
    arrived: int
    """The internal date, seconds since 1970 UTC."""
    zone: int
    """Minutes east of UTC in which the internal date is shown."""
    saved: int
    """When it was added to its mailbox, seconds since 1970 UTC."""


class TailRow(NamedTuple):
    """A message that is not in a block yet."""

    uid: Uid
    flags: int
    modseq: ModSeq
    content: ContentId
    size: int
    arrived: int
    zone: int
    saved: int

    @property
    def facts(self) -> FactRow:
        """What the message keeps."""
        return FactRow(self.uid, self.content, self.size, self.arrived, self.zone, self.saved)


@dataclass(frozen=True, slots=True, eq=False)
class FlagBlock:
    """The flags of the messages of a block. The columns must not be changed."""

    number: int
    modseq: ModSeq
    """The block's own: the highest modseq of a message that is or was in it."""
    words: Ints
    """GONE where there is no message."""
    modseqs: Ints
    """All above 0, also where there is no message."""

    @classmethod
    def read(cls, number: int, modseq: ModSeq, octets: bytes) -> FlagBlock:
        """The block *number*, whose own modseq is *modseq*. Raises UnreadableError."""
        first, (words, modseqs) = _columns(octets, _FLAG_COLUMNS)
        if modseqs and min(modseqs) <= 0:
            modseqs = array("q", [one if one > 0 else modseq + one for one in modseqs])
        return cls(number, modseq, _spread(first, words, GONE), _spread(first, modseqs, NOBODYS))

    @property
    def uids(self) -> Uids:
        """The UIDs of all its messages."""
        return NumberSet(_existing(self))

    @property
    def unseen(self) -> int:
        """How many of its messages do not have \\Seen."""
        return unseen_in(self.words)


@dataclass(frozen=True, slots=True, eq=False)
class FactBlock:
    """The facts of the messages of a block. The columns must not be changed."""

    number: int
    contents: Ints
    sizes: Ints
    arrived: Ints
    zones: Ints
    saved: Ints

    @classmethod
    def read(cls, number: int, octets: bytes) -> FactBlock:
        """The block *number*. Raises UnreadableError."""
        first, columns = _columns(octets, _FACT_COLUMNS)
        return cls(number, *[_spread(first, column, 0) for column in columns])

    @property
    def columns(self) -> tuple[Ints, Ints, Ints, Ints, Ints]:
        """In the order of FactRow."""
        return self.contents, self.sizes, self.arrived, self.zones, self.saved

    def of(self, uid: Uid) -> FactRow:
        """The facts of a message that exists."""
        slot = uid & SLOT_MASK
        return FactRow(uid, ContentId(self.contents[slot]), *[column[slot] for column in self.columns[1:]])


FlagBlocks = Mapping[int, FlagBlock]
"""By their numbers; a block that has no message may be missing."""

FactBlocks = Mapping[int, FactBlock]


_fact_row: Final = partial(tuple.__new__, FactRow)
"""A FactRow of its values, in the time that a tuple takes."""


# UIDs and blocks


def blocks_of(uids: Uids) -> list[int]:
    """The numbers of the blocks of *uids*, ascending; *uids* must not be larger than a mailbox."""
    numbers = {block for first, last in uids.runs for block in range(first >> BLOCK_BITS, (last >> BLOCK_BITS) + 1)}
    return sorted(numbers)


def uids_of(block: int) -> Uids:
    """All UIDs of a block."""
    return NumberSet.span(max(1, block << BLOCK_BITS), ((block + 1) << BLOCK_BITS) - 1)


def unseen_in(words: Ints) -> int:
    """How many messages of these words do not have \\Seen."""
    # GONE has all bits
    return len(words) - sum([word & SEEN for word in words])


# Octets


def packed_flags(words: Ints, modseqs: Ints) -> bytes:
    """The octets of a block of flags; *modseqs* may be relative."""
    there = [slot for slot, word in enumerate(words) if word != GONE]
    if not there:
        return _packed(0, [])
    part = slice(there[0], there[-1] + 1)
    return _packed(part.start, [words[part], modseqs[part]])


def packed_facts(facts: FactBlock, words: Ints) -> bytes:
    """The octets of a block of facts; *words* are those of its block of flags, and say which messages exist."""
    there = [slot for slot, word in enumerate(words) if word != GONE]
    if not there:
        return _packed(0, [])
    part = slice(there[0], there[-1] + 1)
    return _packed(part.start, [column[part] for column in facts.columns])


def _packed(first: int, columns: Sequence[Ints]) -> bytes:
    octets = b"".join([column.tobytes() for column in map(_swapped, columns)])
    octets = b"".join([octets[at::_ITEM] for at in range(_ITEM)])
    if len(octets) >= TINY:
        shorter = zstandard.ZstdCompressor(LEVEL).compress(octets)
        if len(shorter) < len(octets):
            return bytes((ZSTD, first)) + shorter
    return bytes((PLAIN, first)) + octets


def _columns(octets: bytes, count: int) -> tuple[int, list[Ints]]:
    """The first slot, and so many columns, of equal length. Raises UnreadableError."""
    if len(octets) < _HEAD or octets[0] not in (PLAIN, ZSTD):
        raise UnreadableError("not a block of state")
    most = SLOTS * _ITEM * count
    inner = octets[_HEAD:]
    if octets[0] == ZSTD:
        try:
            if zstandard.frame_content_size(inner) > most:
                raise UnreadableError("a block of state is too long")
            # a new object each time, because one must not be used by two threads
            inner = zstandard.ZstdDecompressor().decompress(inner, max_output_size=most)
        except zstandard.ZstdError as error:
            raise UnreadableError(str(error)) from error
    slots, rest = divmod(len(inner), _ITEM * count)
    if rest or octets[1] + slots > SLOTS:
        raise UnreadableError("a block of state has a wrong length")
    together = bytearray(len(inner))
    for at in range(_ITEM):
        together[at::_ITEM] = inner[at * slots * count : (at + 1) * slots * count]
    values = array("q")
    values.frombytes(together)
    values = _swapped(values)
    return octets[1], [values[start : start + slots] for start in range(0, slots * count, slots)] if slots else [
        array("q") for _ in range(count)
    ]


def _swapped(column: Ints) -> Ints:
    """*column*, little-endian where this machine is not, and back."""
    if sys.byteorder == "big":
        column = column[:]
        column.byteswap()
    return column


def _spread(first: int, column: Ints, empty: int) -> Ints:
    """*column*, which starts at the slot *first*, with *empty* in all other slots."""
    if len(column) == SLOTS:
        return column
    return array("q", (empty,)) * first + column + array("q", (empty,)) * (SLOTS - first - len(column))


# Reading


def existing(blocks: Iterable[FlagBlock], tail: Iterable[TailRow]) -> Uids:
    """The UIDs of all messages in *blocks* and in the *tail*."""
    runs = chain.from_iterable(map(_existing, blocks))
    return NumberSet(chain(runs, [(row.uid, row.uid) for row in tail]))


def _existing(block: FlagBlock) -> Iterable[Run]:
    start = block.number << BLOCK_BITS
    if GONE not in block.words:
        return ((start, start + SLOT_MASK),)
    there: Uids = NumberSet.of_sorted(compress(range(start, start + SLOTS), map(ne, block.words, repeat(GONE))))
    return there.runs


def flags_of(uids: Uids, blocks: FlagBlocks, tail: Iterable[TailRow]) -> list[FlagRow]:
    """The flags of the messages of *uids* that exist, ascending."""
    found: list[FlagRow] = []
    for block, first, last in _pieces(uids, blocks):
        words = block.words[first : last + 1]
        start = block.number << BLOCK_BITS
        rows = zip(range(start + first, start + last + 1), words, block.modseqs[first : last + 1], strict=True)
        found += cast("Iterator[FlagRow]", rows if GONE not in words else compress(rows, map(ne, words, repeat(GONE))))
    return _with_tail(found, [(row.uid, row.flags, row.modseq) for row in tail if row.uid in uids])


def changed_since(since: ModSeq, blocks: Iterable[FlagBlock], tail: Iterable[TailRow]) -> list[FlagRow]:
    """The flags of the messages that arrived or were changed after *since*, ascending."""
    found: list[FlagRow] = []
    for block in sorted((block for block in blocks if block.modseq > since), key=lambda block: block.number):
        start = block.number << BLOCK_BITS
        rows = zip(range(start, start + SLOTS), block.words, block.modseqs, strict=True)
        found += [(Uid(uid), word, ModSeq(modseq)) for uid, word, modseq in rows if modseq > since and word != GONE]
    return _with_tail(found, [(row.uid, row.flags, row.modseq) for row in tail if row.modseq > since])


def _with_tail(found: list[FlagRow], rows: list[FlagRow]) -> list[FlagRow]:
    """Both together, ascending; *found* is."""
    if rows:
        found += rows
        found.sort()
    return found


def facts_of(uids: Uids, facts: FactBlocks, blocks: FlagBlocks, tail: Iterable[TailRow]) -> list[FactRow]:
    """The facts of the messages of *uids* that exist, ascending. *facts* has each of the *blocks* of *uids*."""
    found: list[FactRow] = []
    for block, first, last in _pieces(uids, blocks):
        part = slice(first, last + 1)
        words = block.words[part]
        start = block.number << BLOCK_BITS
        columns = [column[part] for column in facts[block.number].columns]
        rows = zip(range(start + first, start + last + 1), *columns, strict=True)
        there = rows if GONE not in words else compress(rows, map(ne, words, repeat(GONE)))
        found += map(_fact_row, there)
    rows_of_tail = [row.facts for row in tail if row.uid in uids]
    if rows_of_tail:
        found += rows_of_tail
        found.sort()
    return found


def _pieces(uids: Uids, blocks: FlagBlocks) -> Iterator[tuple[FlagBlock, int, int]]:
    """The blocks of *uids*, ascending, and the first and the last slot of each run in them."""
    for number in sorted(_numbers(uids, blocks)):
        start = number << BLOCK_BITS
        for first, last in (uids & uids_of(number)).runs:
            yield blocks[number], first - start, last - start


def _numbers(uids: Uids, blocks: FlagBlocks) -> Iterable[int]:
    """The numbers of the *blocks* that may have some of *uids*."""
    few = sum([(last >> BLOCK_BITS) - (first >> BLOCK_BITS) + 1 for first, last in uids.runs]) < len(blocks)
    return blocks.keys() & blocks_of(uids) if few else blocks


def first_unseen(blocks: Iterable[FlagBlock], tail: Iterable[TailRow]) -> Uid | None:
    """The lowest UID without \\Seen in *blocks* and in the *tail*; None where there is none."""
    unseen = [row.uid for row in tail if not row.flags & SEEN]
    for block in sorted(blocks, key=lambda block: block.number):
        slot = next((slot for slot, word in enumerate(block.words) if not word & SEEN), None)
        if slot is not None:
            unseen.append(Uid(block.number << BLOCK_BITS | slot))
            break
    return min(unseen, default=None)
