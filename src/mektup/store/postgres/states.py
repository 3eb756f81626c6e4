"""The state of messages that this node knows: blocks by mailbox, as of a moment, and how they are brought up to date.

A mailbox is remembered as the blocks that were read, whose modseqs say whether they are still right, and *covered*: the
numbers of the blocks that are known, also where there is nothing. What is known of a block is complete for all UIDs
below ``uidnext``, as no message arrives there any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from mektup.store.memo import Memo, MemoKind, Memory
from mektup.store.postgres.change import Params, Row
from mektup.store.postgres.keywords import PostgresKeywordSets
from mektup.store.postgres.tables import message_reads
from mektup.store.postgres.tables.message_reads import Kind
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.state_blocks import BLOCK_BITS, GONE, SLOT_MASK, FactBlock, FlagBlock, TailRow
from mektup.terms.numbers import NO_MODSEQ, AccountId, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Run, Uids

Ask = Callable[[str, Params], Awaitable[list[Row]]]

BLOCK_OCTETS: Final = 4700
FACTS_OCTETS: Final = 10_700
"""The approximate memory of a block of flags, and of one of facts."""

MANY_BLOCKS: Final = 64
"""So many blocks are asked for by their range alone."""


@dataclass(frozen=True, slots=True)
class BoxRow:
    """The row of a mailbox."""

    id: MailboxId
    uidvalidity: UidValidity
    uidnext: Uid
    highestmodseq: ModSeq
    recent_from: int
    claimed: int
    """The first UID that was claimed as \\Recent; 0 for none."""
    keywords: str


@dataclass(frozen=True, slots=True)
class KnownFacts:
    """The facts of a block."""

    block: FactBlock
    upto: int
    """The highest slot that has some."""


@dataclass(frozen=True, slots=True)
class State:
    """Some blocks of a mailbox, and the rows of the tail that belong to them."""

    uidnext: Uid
    """All messages below it are here, of the blocks that were asked for."""
    highestmodseq: ModSeq
    flags: Mapping[int, FlagBlock]
    facts: Mapping[int, KnownFacts]
    tail: tuple[TailRow, ...]
    box: BoxRow | None = None
    """The row of the mailbox, where the state was just read."""

    @property
    def fact_blocks(self) -> Mapping[int, FactBlock]:
        """The facts that hold for these flags."""
        return {number: facts.block for number, facts in self.facts.items() if self._is_right(number, facts)}

    def _is_right(self, number: int, facts: KnownFacts) -> bool:
        block = self.flags.get(number)
        return block is None or _highest_slot(block) <= facts.upto


@dataclass(slots=True)
class _Known:
    """What is remembered of a mailbox."""

    uidnext: Uid
    highestmodseq: ModSeq
    covered: NumberSet[int] = field(default_factory=NumberSet)
    """The numbers of the known blocks, plus 1."""
    flags: dict[int, FlagBlock] = field(default_factory=dict)
    facts: dict[int, KnownFacts] = field(default_factory=dict)
    tail: dict[int, tuple[TailRow, ...]] = field(default_factory=dict)
    """By block."""

    @property
    def octets(self) -> int:
        return len(self.flags) * BLOCK_OCTETS + len(self.facts) * FACTS_OCTETS + 200 * len(self.tail)


@dataclass(slots=True)
class Answer:
    """The rows of a statement, by their kinds."""

    box: BoxRow | None = None
    flags: list[tuple[int, ModSeq, bytes]] = field(default_factory=list)
    facts: list[tuple[int, bytes]] = field(default_factory=list)
    tail: list[TailRow] = field(default_factory=list)
    expunged: list[Run] = field(default_factory=list)
    counters: tuple[Any, ...] = ()
    names: tuple[Any, ...] = ()

    def require_box(self) -> BoxRow:
        """The row of the mailbox. Raises Refused(NONEXISTENT)."""
        if self.box is None:
            raise no_such_mailbox()
        return self.box


class ReadsStates(Protocol):
    """Reads the states of an account's mailboxes; see ``States``."""

    def known(self, mailbox: MailboxId, uids: Uids) -> State | None: ...

    async def read(self, mailbox: MailboxId, uids: Uids, ask: Ask, *, facts: bool) -> State: ...


class States:
    """What this node knows of the messages of one account."""

    def __init__(self, account: AccountId, memory: Memory, keyword_sets: PostgresKeywordSets) -> None:
        self._account = account
        self._keyword_sets = keyword_sets
        self._memo: Memo[MailboxId, _Known] = Memo(memory, MemoKind.BLOCKS)

    def sorted_out(self, rows: Iterable[Row]) -> Answer:
        """*rows* by their kinds; learns the sets of keywords among them."""
        found = Answer()
        sets: list[tuple[int, str]] = []
        for row in rows:
            match row[0]:
                case Kind.BOX:
                    found.box = BoxRow(row[1], row[2], row[3], row[4], row[5], row[6], row[9])
                case Kind.FLAGS:
                    found.flags.append((row[1], row[2], row[10]))
                case Kind.FACTS:
                    found.facts.append((row[1], row[10]))
                case Kind.TAIL:
                    found.tail.append(TailRow(*row[1:9]))
                case Kind.SET:
                    sets.append((row[1], row[9]))
                case Kind.EXPUNGED:
                    found.expunged.append((row[1], row[2]))
                case Kind.COUNTERS:
                    found.counters = (*row[1:6], row[9])
                case Kind.NAMES:
                    found.names = (row[9], row[10].decode())
        self._keyword_sets.learn(sorted(sets))
        return found

    def known(self, mailbox: MailboxId, uids: Uids) -> State | None:
        """What is remembered of *uids*, as of some moment; None where some of it is not."""
        known = self._memo.peek(mailbox)
        if known is None or not uids:
            return None
        last = min(uids.last, known.uidnext)
        if (_numbers_of(uids, last) - known.covered).runs:
            self._memo.counts.misses += 1
            return None
        self._memo.counts.hits += 1
        return _part(known, uids.first >> BLOCK_BITS, last >> BLOCK_BITS)

    async def read(self, mailbox: MailboxId, uids: Uids, ask: Ask, *, facts: bool) -> State:
        """The present state of *uids*, with the facts of all their messages, or of blocks with rows in the tail.

        Raises Refused(NONEXISTENT).
        """
        base = self._memo.get(mailbox) or _Known(Uid(1), NO_MODSEQ)
        low, high = uids.first >> BLOCK_BITS, uids.last >> BLOCK_BITS
        flags = {number: block for number, block in base.flags.items() if low <= number <= high}
        usable = {
            number: base.facts[number]
            for number, block in flags.items()
            if number in base.facts and _highest_slot(block) <= base.facts[number].upto
        }
        few = high - low < MANY_BLOCKS or sum(last - first + 1 for first, last in uids.runs) < MANY_BLOCKS
        some = sorted(each - 1 for each in _numbers_of(uids, uids.last)) if few and len(uids.runs) > 1 else None
        rows = await ask(
            message_reads.STATE,
            {
                "account": self._account,
                "mailbox": mailbox,
                "low": low,
                "high": high,
                "some": some,
                "known": list(flags),
                "known_modseqs": [block.modseq for block in flags.values()],
                "all_facts": facts,
                "known_facts": list(usable),
                "known_facts_at": [flags[number].modseq for number in usable],
                "sets": self._keyword_sets.highest,
            },
        )
        answer = self.sorted_out(rows)
        box = answer.require_box()
        fresh = _Known(box.uidnext, box.highestmodseq)
        fresh.flags, fresh.facts = flags, usable
        _take_in(fresh, answer)
        fresh.covered = NumberSet((each + 1, each + 1) for each in some) if some else NumberSet.span(low + 1, high + 1)
        state = _part(fresh, low, high)
        fresh.tail = {number: rows for number, rows in fresh.tail.items() if number + 1 in fresh.covered}
        self._merge(mailbox, fresh)
        return State(state.uidnext, state.highestmodseq, state.flags, state.facts, state.tail, box)

    def note_changes(self, answer: Answer, since: ModSeq) -> Mapping[int, FlagBlock]:
        """Remembers the blocks of *answer*, which are all that changed after *since*; returns them."""
        box = answer.require_box()
        known = self._memo.peek(box.id)
        before = known.flags if known is not None else {}
        blocks: dict[int, FlagBlock] = {}
        for number, modseq, octets in answer.flags:
            there = before.get(number)
            blocks[number] = (
                there if there is not None and there.modseq == modseq else FlagBlock.read(number, modseq, octets)
            )
        return blocks

    def written(
        self, mailbox: MailboxId, state: State, flags: Iterable[FlagBlock], facts: Mapping[int, FactBlock]
    ) -> None:
        """Remembers what was written anew on top of *state*, with all rows of the tail that belong to it."""
        known = self._memo.peek(mailbox)
        if known is None:
            return
        for block in flags:
            there = known.flags.get(block.number)
            if there is not state.flags.get(block.number):
                continue  # somebody has read it meanwhile
            known.flags[block.number] = block
            known.tail.pop(block.number, None)
            if block.number in facts:
                known.facts[block.number] = KnownFacts(facts[block.number], _highest_slot(block))
        self._memo.put(mailbox, known, known.octets)

    def _merge(self, mailbox: MailboxId, fresh: _Known) -> None:
        known = self._memo.peek(mailbox)
        if known is None:
            self._memo.put(mailbox, fresh, fresh.octets)
            return
        if fresh.highestmodseq < known.highestmodseq:
            return  # its answer came late
        covered = known.covered
        if fresh.uidnext > known.uidnext:
            covered -= NumberSet.span((known.uidnext >> BLOCK_BITS) + 1, (fresh.uidnext >> BLOCK_BITS) + 1)
        known.covered = covered | fresh.covered
        known.uidnext, known.highestmodseq = fresh.uidnext, fresh.highestmodseq
        known.flags.update(fresh.flags)
        known.facts.update(fresh.facts)
        for first, last in fresh.covered.runs:
            for number in [each for each in known.tail if first <= each + 1 <= last]:
                del known.tail[number]
        known.tail.update(fresh.tail)
        self._memo.put(mailbox, known, known.octets)


def _numbers_of(uids: Uids, last: int) -> NumberSet[int]:
    """The numbers of the blocks of *uids* up to *last*, plus 1."""
    runs = uids.runs if uids.last <= last else (uids & NumberSet.span(Uid(1), Uid(last))).runs
    return NumberSet([((first >> BLOCK_BITS) + 1, (end >> BLOCK_BITS) + 1) for first, end in runs])


def _take_in(known: _Known, answer: Answer) -> None:
    for number, modseq, octets in answer.flags:
        known.flags[number] = FlagBlock.read(number, modseq, octets)
    for number, octets in answer.facts:
        block = known.flags.get(number)
        upto = _highest_slot(block) if block is not None else -1
        known.facts[number] = KnownFacts(FactBlock.read(number, octets), upto)
    by_block: dict[int, list[TailRow]] = {}
    for row in sorted(answer.tail):
        by_block.setdefault(row.uid >> BLOCK_BITS, []).append(row)
    known.tail = {number: tuple(rows) for number, rows in by_block.items()}


def _highest_slot(block: FlagBlock) -> int:
    words = block.words
    if words[SLOT_MASK] != GONE:
        return SLOT_MASK
    return next((slot for slot in range(SLOT_MASK, -1, -1) if words[slot] != GONE), -1)


def _part(known: _Known, low: int, high: int) -> State:
    tail = [row for number in sorted(known.tail) if low <= number <= high for row in known.tail[number]]
    if len(known.flags) > high - low + 1:
        numbers: Iterable[int] = range(low, high + 1)
    else:
        numbers = [number for number in known.flags if low <= number <= high]
    return State(
        known.uidnext,
        known.highestmodseq,
        {number: known.flags[number] for number in numbers if number in known.flags},
        {number: known.facts[number] for number in numbers if number in known.facts},
        tuple(tail),
    )
