"""A change of blocks and tail, against a mailbox that is a dictionary."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.state_blocks import (
    BLOCK_BITS,
    FactBlock,
    FlagBlock,
    TailRow,
    blocks_of,
    existing,
    facts_of,
    flags_of,
)
from mektup.store.state_changes import Put, StateChange, facts_needed, relative
from mektup.terms.numbers import ContentId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

ALL: Uids = NumberSet.span(1, 2**32 - 1)


@dataclass
class Tables:
    """What an engine keeps of a mailbox."""

    modseq: int = 1
    uidnext: int = 1
    flags: dict[int, tuple[int, bytes, int]] = field(default_factory=dict)
    facts: dict[int, bytes] = field(default_factory=dict)
    tail: dict[int, TailRow] = field(default_factory=dict)
    messages: int = 0
    unseen: int = 0
    deleted: int = 0
    size: int = 0

    def append(self, words: Sequence[int]) -> list[TailRow]:
        self.modseq += 1
        rows = []
        for word in words:
            uid = self.uidnext
            row = TailRow(Uid(uid), word, ModSeq(self.modseq), ContentId(1000 + uid), 10 + uid, -uid, 60, 2 * uid)
            rows.append(row)
            self.tail[uid] = row
            self.uidnext += 1
            self.messages += 1
            self.unseen += not word & SEEN
            self.deleted += bool(word & DELETED)
            self.size += row.size
        return rows

    def read(self) -> View:
        flags = {number: FlagBlock.read(number, ModSeq(own), octets) for number, (own, octets, _) in self.flags.items()}
        facts = {number: FactBlock.read(number, octets) for number, octets in self.facts.items()}
        return View(flags, facts, list(self.tail.values()))

    def write(self, put: Put, modseqs: int = 1) -> bool:
        """The function of the engine: everything or nothing."""
        if any(self.flags.get(number, (0,))[0] != own for number, own in zip(put.blocks, put.built_on, strict=True)):
            return False
        if any(uid not in self.tail for uid in put.folded):
            return False
        if not put.is_only_fold:
            self.modseq += modseqs
        for uid in put.folded:
            del self.tail[uid]
        for number, own, octets, unseen in zip(put.blocks, put.modseqs, put.flags, put.unseen, strict=True):
            self.flags[number] = (own if own > 0 else self.modseq + own, octets, unseen)
        self.facts.update(zip(put.fact_blocks, put.facts, strict=True))
        self.messages += put.messages
        self.unseen += put.unseen_messages
        self.deleted += put.deleted
        self.size += put.size
        return True


@dataclass
class View:
    """What a node has read."""

    flags: dict[int, FlagBlock]
    facts: dict[int, FactBlock]
    tail: list[TailRow]

    def change(self, uids: Uids, *, removed: bool = False) -> StateChange:
        """A change that was given no more than it needs."""
        numbers = facts_needed(uids, self.flags, self.tail, removed=removed)
        blocks = {number: block for number, block in self.flags.items() if number in blocks_of(uids)}
        tail = [row for row in self.tail if row.uid >> BLOCK_BITS in blocks_of(uids)]
        return StateChange(blocks, {number: self.facts[number] for number in numbers}, tail)

    def messages(self) -> list[TailRow]:
        flags = flags_of(ALL, self.flags, self.tail)
        facts = facts_of(ALL, self.facts, self.flags, self.tail)
        return [TailRow(uid, word, modseq, *fact[1:]) for (uid, word, modseq), fact in zip(flags, facts, strict=True)]


Step = Callable[[Tables, dict[int, TailRow]], None]

words = st.integers(0, 31) | st.integers(32, 100)


def _uids(tables: Tables, picks: Sequence[float]) -> Uids:
    return NumberSet.of([Uid(1 + int(pick * tables.uidnext)) for pick in picks])


def appending(new: Sequence[int]) -> Step:
    def step(tables: Tables, model: dict[int, TailRow]) -> None:
        model.update({row.uid: row for row in tables.append(new)})

    return step


def storing(picks: Sequence[float], word: int, turns: int) -> Step:
    """STORE FLAGS in several orders; the messages are dealt out to them."""

    def step(tables: Tables, model: dict[int, TailRow]) -> None:
        uids = _uids(tables, picks)
        change = tables.read().change(uids)
        there = change.words(uids)
        assert there == {uid: model[uid].flags for uid in uids if uid in model}
        highest = tables.modseq + turns
        modseqs = {uid: ModSeq(highest - uid % turns) for uid in there}
        if there:
            change.set_words(dict.fromkeys(there, word), relative(modseqs, ModSeq(highest)))
            assert tables.write(change.put(), turns)
            for uid in there:
                model[uid] = model[uid]._replace(flags=word, modseq=modseqs[uid])

    return step


def rewriting(first: float, last: float, bit: int) -> Step:
    """STORE +FLAGS of a whole range."""

    def step(tables: Tables, model: dict[int, TailRow]) -> None:
        uids: Uids = NumberSet.span(1 + int(first * tables.uidnext), 1 + int(last * tables.uidnext))
        change = tables.read().change(uids)
        changed = change.rewrite(uids, {word: word | bit for word in {row.flags for row in model.values()}})
        assert list(changed) == sorted(uid for uid in uids if uid in model and not model[uid].flags & bit)
        if changed:
            assert tables.write(change.put())
        for uid in changed:
            model[uid] = model[uid]._replace(flags=model[uid].flags | bit, modseq=ModSeq(tables.modseq))

    return step


def removing(picks: Sequence[float]) -> Step:
    def step(tables: Tables, model: dict[int, TailRow]) -> None:
        uids = _uids(tables, picks)
        change = tables.read().change(uids, removed=True)
        change.remove(uids)
        put = change.put()
        gone = sorted(uid for uid in uids if uid in model)
        assert [uid for first, last in put.expunged for uid in range(first, last + 1)] == gone
        assert sorted(put.contents) == sorted(model[uid].content for uid in gone)
        if gone:
            assert tables.write(put)
        for uid in gone:
            del model[uid]

    return step


def folding(count: int) -> Step:
    def step(tables: Tables, model: dict[int, TailRow]) -> None:
        view = tables.read()
        rows: Uids = NumberSet.of(row.uid for row in view.tail[:count])
        change = view.change(rows)
        change.fold(blocks_of(rows))
        put = change.put()
        assert put.is_only_fold
        before = tables.modseq
        assert tables.write(put)
        assert tables.modseq == before

    return step


picks = st.lists(st.floats(0, 1, exclude_max=True), max_size=6)
steps = st.one_of(
    st.builds(appending, st.lists(words, max_size=5) | st.lists(words, min_size=100, max_size=300)),
    st.builds(storing, picks, words, st.integers(1, 4)),
    st.builds(rewriting, st.floats(0, 1), st.floats(0, 1), st.sampled_from([1, 2, 4, 8, 16])),
    st.builds(removing, picks),
    st.builds(folding, st.integers(0, 300)),
)


@given(st.lists(steps, max_size=12))
def test_any_changes_leave_what_a_dictionary_has(todo: list[Step]) -> None:
    tables, model = Tables(), dict[int, TailRow]()
    for step in todo:
        step(tables, model)
        view = tables.read()
        there = [model[uid] for uid in sorted(model)]
        assert view.messages() == there
        assert list(existing(view.flags.values(), view.tail)) == sorted(model)
        assert tables.messages == len(there)
        assert tables.unseen == sum(not row.flags & SEEN for row in there)
        assert tables.deleted == sum(bool(row.flags & DELETED) for row in there)
        assert tables.size == sum(row.size for row in there)
        for number, (own, _, unseen) in tables.flags.items():
            assert unseen == view.flags[number].unseen
            assert own >= max((m for _, _, m in flags_of(view.flags[number].uids, view.flags, [])), default=0)


def test_a_change_built_on_a_block_that_changed_since_is_not_written() -> None:
    tables = Tables()
    tables.append([0, 0])
    view = tables.read()
    first, second = view.change(NumberSet.of([Uid(1)])), view.change(NumberSet.of([Uid(2)]))
    first.set_words({Uid(1): SEEN}, {Uid(1): 0})
    second.set_words({Uid(2): SEEN}, {Uid(2): 0})
    assert tables.write(first.put())
    assert not tables.write(second.put())


def test_a_change_takes_the_blocks_whole_tail_with_it_so_a_fold_in_between_is_noticed() -> None:
    """The fold of an older row leaves the block's modseq as it is, so only the row that is gone tells of it."""
    tables = Tables()
    tables.append([0])
    tables.append([0])
    change = tables.read().change(NumberSet.of([Uid(1)]))
    change.set_words({Uid(1): SEEN}, {Uid(1): 0})
    view = tables.read()
    fold = view.change(NumberSet.of([Uid(1)]))
    fold.fold([0])
    assert tables.write(fold.put())
    assert not tables.write(change.put())
    assert [row.uid for row in tables.read().messages()] == [1, 2]


def test_a_fold_writes_older_modseqs_out() -> None:
    tables = Tables()
    tables.append([0])
    change = tables.read().change(NumberSet.of([Uid(1)]))
    change.set_words({Uid(1): SEEN}, {Uid(1): 0})
    assert tables.write(change.put())
    stored = tables.modseq
    tables.append([0])
    fold = tables.read().change(NumberSet.of([Uid(2)]))
    fold.fold([0])
    assert tables.write(fold.put())
    assert [row.modseq for row in tables.read().messages()] == [stored, stored + 1]


def test_facts_that_were_not_read_are_never_written_over() -> None:
    tables = Tables()
    tables.append([0])
    fold = tables.read().change(NumberSet.of([Uid(1)]))
    fold.fold([0])
    assert tables.write(fold.put())
    tables.append([0])
    view = tables.read()
    with pytest.raises(KeyError):
        StateChange(view.flags, {}, view.tail).fold([0])
    with pytest.raises(KeyError):
        StateChange(view.flags, {}, []).remove(NumberSet.of([Uid(1)]))


def test_looking_at_messages_changes_nothing() -> None:
    tables = Tables()
    tables.append([0])
    fold = tables.read().change(NumberSet.of([Uid(1)]))
    fold.fold([0])
    assert tables.write(fold.put())
    change = tables.read().change(NumberSet.of([Uid(1)]))
    assert change.words(NumberSet.span(1, 5)) == {1: 0}
    assert change.rewrite(NumberSet.span(1, 5), {0: 0}) == NumberSet()
    assert change.put().blocks == []
