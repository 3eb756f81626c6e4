"""Blocks of message state: their octets, and what is read from blocks and a tail."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.packs import UnreadableError
from mektup.store.state_blocks import (
    BLOCK_BITS,
    GONE,
    NOBODYS,
    SLOTS,
    FactBlock,
    FactRow,
    FlagBlock,
    TailRow,
    blocks_of,
    changed_since,
    existing,
    facts_of,
    first_unseen,
    flags_of,
    packed_facts,
    packed_flags,
    uids_of,
)
from mektup.terms.numbers import ContentId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

LONG = 2**62

Messages = Mapping[int, TailRow]

numbers = st.integers(0, LONG)
uids = st.integers(1, 1100) | st.integers(2**32 - 300, 2**32 - 2)
rows = st.builds(
    TailRow,
    uid=st.just(Uid(0)),
    flags=st.integers(0, 40) | numbers,
    modseq=st.integers(1, 50).map(ModSeq),
    content=numbers.map(ContentId),
    size=numbers,
    arrived=st.integers(-LONG, LONG),
    zone=st.integers(-1439, 1439),
    saved=numbers,
)
mailboxes = st.dictionaries(uids, rows, max_size=40).map(
    lambda by_uid: {uid: row._replace(uid=Uid(uid)) for uid, row in by_uid.items()}
)
some_uids = st.lists(st.tuples(uids, st.integers(0, 400)), max_size=8).map(
    lambda runs: NumberSet[Uid]([(first, first + length) for first, length in runs])
)


def row(uid: int, flags: int = 0, modseq: int = 1) -> TailRow:
    return TailRow(Uid(uid), flags, ModSeq(modseq), ContentId(uid), 1, 2, 3, 4)


def column(values: Mapping[int, int], empty: int) -> array[int]:
    return array("q", [values.get(slot, empty) for slot in range(SLOTS)])


def in_blocks(messages: Iterable[TailRow]) -> tuple[dict[int, FlagBlock], dict[int, FactBlock]]:
    """The blocks of *messages*, packed and read again."""
    by_block: dict[int, dict[int, TailRow]] = {}
    for one in messages:
        by_block.setdefault(one.uid >> BLOCK_BITS, {})[one.uid % SLOTS] = one
    flags: dict[int, FlagBlock] = {}
    facts: dict[int, FactBlock] = {}
    for number, slots in by_block.items():
        words = column({slot: one.flags for slot, one in slots.items()}, GONE)
        highest = max(one.modseq for one in slots.values())
        modseqs = column({slot: one.modseq - highest or 0 for slot, one in slots.items()}, NOBODYS)
        flags[number] = FlagBlock.read(number, highest, packed_flags(words, modseqs))
        columns = [column({slot: one.facts[at] for slot, one in slots.items()}, 0) for at in range(1, 6)]
        facts[number] = FactBlock.read(number, packed_facts(FactBlock(number, *columns), words))
    return flags, facts


@given(mailboxes, some_uids, st.sets(st.integers(0, 4)))
def test_what_is_read_of_blocks_and_a_tail_is_what_was_put_there(
    mailbox: Messages, asked: Uids, in_tail: set[int]
) -> None:
    tail = [one for one in mailbox.values() if one.uid % 5 in in_tail]
    flags, facts = in_blocks(one for one in mailbox.values() if one.uid % 5 not in in_tail)
    there = sorted(mailbox.values())
    assert list(existing(flags.values(), tail)) == [one.uid for one in there]
    assert flags_of(asked, flags, tail) == [(one.uid, one.flags, one.modseq) for one in there if one.uid in asked]
    assert facts_of(asked, facts, flags, tail) == [one.facts for one in there if one.uid in asked]
    assert first_unseen(flags.values(), tail) == next((one.uid for one in there if not one.flags & 1), None)
    for since in (0, 1, 25, 50):
        assert changed_since(ModSeq(since), flags.values(), tail) == [
            (one.uid, one.flags, one.modseq) for one in there if one.modseq > since
        ]


@given(mailboxes)
def test_a_block_knows_its_own_messages(mailbox: Messages) -> None:
    flags, facts = in_blocks(mailbox.values())
    for number, block in flags.items():
        there = [one for one in mailbox.values() if one.uid >> BLOCK_BITS == number]
        assert list(block.uids) == sorted(one.uid for one in there)
        assert block.unseen == sum(not one.flags & 1 for one in there)
        for one in there:
            assert facts[number].of(one.uid) == one.facts


def test_a_modseq_that_is_not_above_zero_is_relative_to_the_blocks_own() -> None:
    words = column({1: 5, 2: 6, 3: 7}, GONE)
    block = FlagBlock.read(0, ModSeq(100), packed_flags(words, column({1: 0, 2: -1, 3: 42}, NOBODYS)))
    assert flags_of(NumberSet.span(1, 9), {0: block}, []) == [(1, 5, 100), (2, 6, 99), (3, 7, 42)]


def test_a_block_without_messages_is_read_too() -> None:
    empty = column({}, GONE)
    block = FlagBlock.read(3, ModSeq(9), packed_flags(empty, column({}, NOBODYS)))
    facts = FactBlock.read(3, packed_facts(FactBlock(3, *[column({}, 0)] * 5), empty))
    assert block.words == empty
    assert not block.uids
    assert block.unseen == 0
    assert facts.contents == column({}, 0)


def test_a_block_of_many_alike_is_small_and_one_of_few_has_no_empty_slots() -> None:
    many = packed_flags(array("q", (1,)) * SLOTS, array("q", (0,)) * SLOTS)
    assert len(many) < 40
    one = packed_flags(column({200: 1}, GONE), column({200: 0}, NOBODYS))
    assert len(one) == 2 + 2 * 8


def test_octets_that_are_no_block_are_refused() -> None:
    good = packed_flags(array("q", range(SLOTS)), array("q", range(1, SLOTS + 1)))
    small = packed_flags(column({250: 1}, GONE), column({250: 1}, NOBODYS))
    # cut off, another format, a broken frame, another length, slots beyond the last, a longer block
    longer = packed_facts(FactBlock(0, *[array("q", range(SLOTS))] * 5), array("q", (1,)) * SLOTS)
    broken = [good[:1], b"\x00" + good[1:], good[:-1], small[:-1], small[:1] + b"\xff" + small[2:] * 2, longer]
    for octets in [b"", *broken]:
        with pytest.raises(UnreadableError):
            FlagBlock.read(0, ModSeq(1), octets)


@given(some_uids)
def test_blocks_have_uids_and_uids_have_blocks(asked: Uids) -> None:
    numbers = blocks_of(asked)
    assert numbers == sorted({uid >> BLOCK_BITS for uid in asked})
    together: Uids = NumberSet(run for number in numbers for run in uids_of(number).runs)
    assert not asked - together


def test_a_long_span_of_uids_costs_no_more_than_the_blocks() -> None:
    flags, facts = in_blocks([row(5), row(300)])
    everything: Uids = NumberSet.span(1, 2**32 - 1)
    assert [uid for uid, _, _ in flags_of(everything, flags, [])] == [5, 300]
    assert facts_of(everything, facts, flags, []) == [FactRow(*row(5).facts), FactRow(*row(300).facts)]
