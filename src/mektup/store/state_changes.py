"""A change of a mailbox's blocks and tail: worked out on what was read, and written if that is still so.

A writer reads the blocks and the tail at one moment, works out the change, and hands over the blocks anew, with the
modseqs that they were built on. The engine writes nothing where a block has another modseq by then, or where a row of
the tail that is folded is gone; then the writer reads these blocks again. A change of flags has no other condition, so
each block that changes takes with it the rows of the tail that belong to it: else a row that somebody folded meanwhile,
which does not change a block's modseq where the row is older, would be lost.

The new modseq is not known yet, so it is 0 here, and those before it are -1, -2 and so on: a STORE of several orders
takes one for each (see ``state_blocks``).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import compress
from operator import ne
from typing import Final

from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.state_blocks import (
    BLOCK_BITS,
    GONE,
    NOBODYS,
    SLOT_MASK,
    SLOTS,
    FactBlock,
    FactBlocks,
    FlagBlock,
    FlagBlocks,
    Ints,
    TailRow,
    blocks_of,
    packed_facts,
    packed_flags,
    uids_of,
    unseen_in,
)
from mektup.terms.numbers import ContentId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Run, Uids

NEW: Final = 0
"""The modseq of the change; the ones before it are negative."""

FOLD_ROWS: Final = 512
"""A tail with more rows is folded behind the arrivals."""


@dataclass(frozen=True, slots=True)
class Put:
    """What an engine writes. Lists that belong together have the same order."""

    blocks: list[int]
    """The blocks of flags to write."""
    built_on: list[int]
    """The modseq that each had when it was read; 0: there was none."""
    modseqs: list[int]
    """The new modseq of each; at most 0: relative to the highest that the change takes."""
    unseen: list[int]
    """How many unseen messages each has then."""
    flags: list[bytes]
    fact_blocks: list[int]
    """The blocks of facts to write."""
    facts: list[bytes]
    folded: list[int]
    """UIDs of rows of the tail to delete; each must still be there."""
    expunged: tuple[Run, ...]
    contents: list[ContentId]
    """The content of each removed message; one may be there several times."""
    messages: int
    """The differences of the mailbox's counters. That of \\Recent depends on what is claimed meanwhile."""
    unseen_messages: int
    deleted: int
    size: int

    @property
    def is_only_fold(self) -> bool:
        """Whether nothing changes but the place of rows: that takes no modseq, and nobody is told."""
        return not self.expunged and all(modseq > 0 for modseq in self.modseqs)


@dataclass(slots=True)
class _Edited:
    """A block during a change."""

    built_on: int
    modseq: int
    words: Ints
    modseqs: Ints
    facts: FactBlock | None
    has_new_facts: bool = False


@dataclass(slots=True)
class StateChange:
    """A change of messages. Call ``put`` at the end, once."""

    blocks: FlagBlocks
    """All blocks of the messages that change, as they were read; those that are missing have no message."""
    facts: FactBlocks
    """The facts of the blocks for which ``facts_needed`` says so."""
    tail: Sequence[TailRow]
    """All rows of the blocks that change."""
    _tail: dict[int, list[TailRow]] = field(default_factory=dict, init=False)
    """By block."""
    _edited: dict[int, _Edited] = field(default_factory=dict, init=False)
    _folded: list[int] = field(default_factory=list, init=False)
    _expunged: list[Run] = field(default_factory=list, init=False)
    _contents: list[ContentId] = field(default_factory=list, init=False)
    _unseen: int = field(default=0, init=False)
    _deleted: int = field(default=0, init=False)
    _size: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        for row in self.tail:
            self._tail.setdefault(row.uid >> BLOCK_BITS, []).append(row)

    def words(self, uids: Uids) -> dict[Uid, int]:
        """The flag words of *uids*, as they are now in this change."""
        found: dict[Uid, int] = {}
        for uid in uids:
            word = self._block(uid >> BLOCK_BITS).words[uid & SLOT_MASK]
            if word != GONE:
                found[uid] = word
        return found

    def set_words(self, words: Mapping[Uid, int], modseqs: Mapping[Uid, int]) -> None:
        """Gives existing messages new flag words; *modseqs* are relative: NEW, or one before it."""
        for uid, word in words.items():
            block = self._block(uid >> BLOCK_BITS)
            slot, modseq = uid & SLOT_MASK, modseqs[uid]
            self._count(block.words[slot], -1)
            self._count(word, 1)
            block.words[slot], block.modseqs[slot] = word, modseq
            # the highest modseq is the one that is nearest to the end
            block.modseq = modseq if block.modseq > 0 else max(block.modseq, modseq)

    def rewrite(self, uids: Uids, new: Mapping[int, int]) -> Uids:
        """Gives each existing message of *uids* the word that *new* has for its old one; returns those that changed.

        *new* has every word of these messages.
        """
        changed: list[int] = []
        for number in blocks_of(uids):
            block = self._block(number)
            start = number << BLOCK_BITS
            for first, last in (uids & uids_of(number)).runs:
                part = slice(first - start, last - start + 1)
                old = block.words[part]
                words = array("q", [new[word] if word != GONE else GONE for word in old])
                if words != old:
                    differ = list(map(ne, old, words))
                    for one, other in zip(compress(old, differ), compress(words, differ), strict=True):
                        self._count(one, -1)
                        self._count(other, 1)
                    modseqs = block.modseqs[part]
                    block.modseqs[part] = array(
                        "q", [NEW if differs else modseq for differs, modseq in zip(differ, modseqs, strict=True)]
                    )
                    block.words[part] = words
                    block.modseq = NEW
                    changed += compress(range(first, last + 1), differ)
        return NumberSet.of_sorted(changed)

    def remove(self, uids: Uids) -> None:
        """Removes the existing messages of *uids*, whose facts must be there."""
        removed: list[int] = []
        for uid in uids:
            block = self._block(uid >> BLOCK_BITS)
            slot = uid & SLOT_MASK
            word = block.words[slot]
            if word != GONE:
                if block.facts is None:
                    raise KeyError(uid >> BLOCK_BITS)
                removed.append(uid)
                self._contents.append(ContentId(block.facts.contents[slot]))
                self._size -= block.facts.sizes[slot]
                self._count(word, -1)
                block.words[slot], block.modseq = GONE, NEW
        self._expunged += NumberSet[Uid].of_sorted(removed).runs

    def fold(self, numbers: Iterable[int]) -> None:
        """Puts the rows of the tail into the blocks *numbers*."""
        for number in numbers:
            self._block(number)

    def put(self) -> Put:
        """What to write: all blocks that were touched here."""
        edited = sorted(self._edited.items())
        changed = [(number, block) for number, block in edited if block.modseq != block.built_on or block.has_new_facts]
        with_facts = [
            (number, block.facts, block.words) for number, block in changed if block.has_new_facts and block.facts
        ]
        folded = sorted(self._folded)
        expunged: Uids = NumberSet(self._expunged)
        return Put(
            blocks=[number for number, _ in changed],
            built_on=[block.built_on for _, block in changed],
            modseqs=[block.modseq for _, block in changed],
            unseen=[unseen_in(block.words) for _, block in changed],
            flags=[packed_flags(block.words, _written_out(block)) for _, block in changed],
            fact_blocks=[number for number, _, _ in with_facts],
            facts=[packed_facts(facts, words) for _, facts, words in with_facts],
            folded=folded,
            expunged=expunged.runs,
            contents=self._contents,
            messages=-len(self._contents),
            unseen_messages=self._unseen,
            deleted=self._deleted,
            size=self._size,
        )

    def _count(self, word: int, by: int) -> None:
        if not word & SEEN:
            self._unseen += by
        if word & DELETED:
            self._deleted += by

    def _block(self, number: int) -> _Edited:
        """The block, with its rows of the tail folded into it."""
        block = self._edited.get(number)
        if block is None:
            block = self._edited[number] = _opened(number, self.blocks.get(number), self.facts.get(number))
            rows = self._tail.get(number)
            if rows:
                if block.facts is None:
                    # facts of other messages would be lost
                    raise KeyError(number)
                _fold(block, rows)
                block.has_new_facts = True
                self._folded += [row.uid for row in rows]
        return block


def facts_needed(uids: Uids, blocks: FlagBlocks, tail: Iterable[TailRow], *, removed: bool) -> list[int]:
    """The blocks whose facts a change of *uids* needs; *removed*: it removes them."""
    numbers = set(blocks_of(uids))
    if not removed:
        numbers &= {row.uid >> BLOCK_BITS for row in tail}
    return sorted(numbers & blocks.keys())


def _opened(number: int, block: FlagBlock | None, facts: FactBlock | None) -> _Edited:
    if block is None:
        nobody = array("q", (GONE,)) * SLOTS
        facts = FactBlock(number, *[array("q", (0,)) * SLOTS for _ in range(5)])
        return _Edited(0, 0, nobody, array("q", (NOBODYS,)) * SLOTS, facts)
    return _Edited(block.modseq, block.modseq, block.words[:], block.modseqs[:], facts)


def _fold(block: _Edited, rows: Sequence[TailRow]) -> None:
    for row in rows:
        slot = row.uid & SLOT_MASK
        block.words[slot], block.modseqs[slot] = row.flags, row.modseq
        block.modseq = max(block.modseq, row.modseq)
    if block.facts is not None:
        columns = [column[:] for column in block.facts.columns]
        for row in rows:
            for column, value in zip(columns, row.facts[1:], strict=True):
                column[row.uid & SLOT_MASK] = value
        block.facts = FactBlock(block.facts.number, *columns)


def _written_out(block: _Edited) -> Ints:
    """The modseqs of *block*, relative to its own where they are new."""
    if block.modseq >= 0:
        return block.modseqs
    # from relative to the highest of the change, to relative to the block's own
    return array("q", [one if one > 0 else one - block.modseq for one in block.modseqs])


def relative(modseqs: Mapping[Uid, ModSeq], highest: ModSeq) -> dict[Uid, int]:
    """New *modseqs*, of which *highest* is the last one that the change takes, as ``set_words`` wants them."""
    return {uid: modseq - highest for uid, modseq in modseqs.items()}


def folded(
    blocks: FlagBlocks, facts: FactBlocks, tail: Iterable[TailRow]
) -> tuple[Mapping[int, FlagBlock], Mapping[int, FactBlock]]:
    """*blocks* and *facts* with the *tail* in them, for a reader; facts that are missing stay missing."""
    by_block: dict[int, list[TailRow]] = {}
    for row in tail:
        by_block.setdefault(row.uid >> BLOCK_BITS, []).append(row)
    if not by_block:
        return blocks, facts
    flags_with, facts_with = dict(blocks), dict(facts)
    for number, rows in by_block.items():
        block = _opened(number, blocks.get(number), facts.get(number))
        _fold(block, rows)
        flags_with[number] = FlagBlock(number, ModSeq(block.modseq), block.words, block.modseqs)
        if block.facts is not None:
            facts_with[number] = block.facts
    return flags_with, facts_with
