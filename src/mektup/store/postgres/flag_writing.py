"""STORE: what it changes, worked out on the state that the node knows; see ``writing``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final, Protocol, TypeVar

from mektup.store.interface import FlagOrder, FlagsStored
from mektup.store.postgres import message_calls as calls
from mektup.store.postgres.change import Row
from mektup.store.postgres.keywords import PostgresKeywordSets, Wanted
from mektup.store.postgres.states import State
from mektup.store.postgres.tables import message_writes
from mektup.store.postgres.writing import Call, Done, MissingFacts, Writing, opened
from mektup.store.rules.counters import Box
from mektup.store.rules.flag_changes import (
    FEW_SHOWN,
    NONE,
    changed_since,
    keywords_given,
    store_in_turn,
    uids_of,
)
from mektup.store.rules.flag_history import told_with_differences
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, SYSTEM_MASK, Flags
from mektup.store.state_blocks import BLOCK_BITS, GONE, blocks_of, flags_of
from mektup.store.state_blocks import uids_of as uids_of_block
from mektup.store.state_changes import Put
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.sets import NumberSet, Uids

LAST: Final = 1 << 62
"""Stands for the last modseq that a change takes, until it is known; those before it are lower."""

UNLIMITED: Final = 1 << 31

MOST_ORDERS: Final = 1 << 40
"""A modseq above ``LAST - MOST_ORDERS`` is one that is not known yet."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Finish(Protocol[T_co]):
    """Makes the answer of a change."""

    def __call__(self, modseq: ModSeq, previous: ModSeq) -> T_co:
        """*modseq* is the last that was taken; *previous* was the mailbox's highest before."""


class Storing:
    """The methods of an ``interface.Account`` that change flags."""

    def __init__(self, writing: Writing, keyword_sets: PostgresKeywordSets, limits: Limits) -> None:
        self._writing = writing
        self._keyword_sets = keyword_sets
        # which keywords the mailbox has used is known to the database alone, and it knows the limits as well
        self._loose = replace(limits, keywords_per_mailbox=UNLIMITED, keyword_bytes=UNLIMITED)

    async def store_flags(self, mailbox: MailboxId, order: FlagOrder, unchanged_since: ModSeq | None) -> FlagsStored:
        """See ``interface.Account``, also for the other method."""

        def plan(state: State, wanted: Wanted) -> Done[FlagsStored] | Call[FlagsStored]:
            uids, failed = order.uids & NumberSet.span(1, state.uidnext - 1), NONE
            if unchanged_since is not None:
                failed = changed_since(flags_of(uids, state.flags, state.tail), unchanged_since)
            now = FlagOrder(order.uids - failed, order.change, order.flags)
            if len(now.uids) <= FEW_SHOWN:
                few = self._in_turn(mailbox, state, [now], order.uids, wanted)
                return _mapped(few, failed)
            many = self._many(mailbox, state, replace(now, uids=uids - failed), order.uids, wanted)
            return _with_failed(many, failed)

        return await self._writing.write(mailbox, order.uids, plan, facts=False)

    async def store_flags_in_turn(self, mailbox: MailboxId, orders: Sequence[FlagOrder]) -> Sequence[FlagsStored]:
        """See ``interface.Account``."""
        uids: Uids = NumberSet(chain.from_iterable(order.uids.runs for order in orders))

        def plan(state: State, wanted: Wanted) -> Done[list[FlagsStored]] | Call[list[FlagsStored]]:
            return self._in_turn(mailbox, state, orders, uids, wanted)

        return await self._writing.write(mailbox, uids, plan, facts=False)

    def _in_turn(
        self, mailbox: MailboxId, state: State, orders: Sequence[FlagOrder], uids: Uids, wanted: Wanted
    ) -> Done[list[FlagsStored]] | Call[list[FlagsStored]]:
        """The change of few messages: each order starts from the result of the one before."""
        named: Uids = NumberSet(chain.from_iterable(order.uids.runs for order in orders))
        below = named & _below(state)
        words: dict[Uid, int] = {}
        modseqs: dict[Uid, ModSeq] = {}
        for uid, word, modseq in flags_of(below, state.flags, state.tail):
            words[uid], modseqs[uid] = word, modseq
        before = words.copy()
        box = _box(mailbox, state)
        stored, altered = store_in_turn(
            wanted, box, words, modseqs, orders, self._keyword_sets, self._loose, _take_later
        )
        if not altered:
            return Done(stored)
        change = opened(state)
        try:
            change.set_words({uid: words[uid] for uid in altered}, {uid: modseqs[uid] - LAST for uid in altered})
        except KeyError as error:
            raise MissingFacts from error
        told, left = told_with_differences(stored, before, words, modseqs)
        relative = [(modseq - LAST, some, flipped) for modseq, some, flipped in told]
        names = list(dict.fromkeys(name for each in stored for name in each.keywords))
        taken = sum(bool(each.changed) for each in stored)

        def finish(modseq: ModSeq, previous: ModSeq) -> list[FlagsStored]:
            return [_now(each, modseq, previous, state.highestmodseq) for each in stored]

        return self._call(mailbox, state, uids, change.put(), names, relative, left, taken, finish)

    def _many(
        self, mailbox: MailboxId, state: State, order: FlagOrder, uids: Uids, wanted: Wanted
    ) -> Done[FlagsStored] | Call[FlagsStored]:
        """The change of many messages: each flag word is changed once."""
        operand = Flags.of(order.flags)
        new = {
            word: self._keyword_sets.changed_word(wanted, word, order.change, operand)
            for word in sorted(_words_in(order.uids, state))
        }
        change = opened(state)
        try:
            changed = change.rewrite(order.uids, new)
        except KeyError as error:
            raise MissingFacts from error
        if not changed:
            return Done(FlagsStored(state.highestmodseq, NONE, state.highestmodseq, NONE, None, ()))
        names = keywords_given(_box(mailbox, state), order, operand, self._keyword_sets, self._loose)
        told, left = _differences(changed, state, new)

        def finish(modseq: ModSeq, previous: ModSeq) -> FlagsStored:
            return FlagsStored(modseq, changed, previous, NONE, None, names)

        return self._call(mailbox, state, uids, change.put(), names, told, left, 1, finish)

    def _call(
        self,
        mailbox: MailboxId,
        state: State,
        uids: Uids,
        put: Put,
        names: Sequence[str],
        told: Iterable[tuple[int, Uids, int]],
        left: Iterable[int],
        modseqs: int,
        finish: Finish[T],
    ) -> Call[T]:
        writing = self._writing
        if not writing.keeps_expunged:
            told = left = ()
        sets = {number for word in left if (number := word >> KEYWORD_SHIFT)}
        past_from = 0 if writing.keeps_expunged else writing.moment
        parameters = writing.begun(modseqs=modseqs, past_from=past_from) | writing.checked(state, mailbox, uids)
        parameters |= calls.rewrite(put, names) | calls.history(told, sets)

        def finished(row: Row) -> T:
            modseq, previous = row
            writing.wrote(mailbox, state, put, modseq)
            writing.told(mailbox, modseq)
            return finish(modseq, previous)

        return Call(message_writes.STORE, parameters, finished)


def _below(state: State) -> Uids:
    return NumberSet.span(1, state.uidnext - 1)


def _box(mailbox: MailboxId, state: State) -> Box:
    return Box(mailbox, UidValidity(0), state.uidnext, state.highestmodseq, 1, "")


def _take_later(count: int) -> range:
    return range(LAST - count + 1, LAST + 1)


def _now(stored: FlagsStored, modseq: ModSeq, previous: ModSeq, known: ModSeq) -> FlagsStored:
    """*stored* with the modseqs that were taken, of which *modseq* is the last.

    *previous* was the mailbox's highest modseq before the change; *known* is the one that was taken for it.
    """

    def real(each: ModSeq) -> ModSeq:
        return ModSeq(each - LAST + modseq) if each > LAST - MOST_ORDERS else each

    def highest(each: ModSeq) -> ModSeq:
        return previous if each == known else real(each)

    shown = None if stored.flags is None else [(uid, word, real(each)) for uid, word, each in stored.flags]
    return replace(stored, modseq=highest(stored.modseq), previous=highest(stored.previous), flags=shown)


def _mapped(
    step: Done[list[FlagsStored]] | Call[list[FlagsStored]], failed: Uids
) -> Done[FlagsStored] | Call[FlagsStored]:
    """*step*, of one order, with the messages that *failed*."""
    if isinstance(step, Done):
        return Done(replace(step.result[0], failed=failed))
    return Call(step.statement, step.parameters, lambda row: replace(step.finish(row)[0], failed=failed))


def _with_failed(step: Done[FlagsStored] | Call[FlagsStored], failed: Uids) -> Done[FlagsStored] | Call[FlagsStored]:
    if isinstance(step, Done):
        return Done(replace(step.result, failed=failed))
    return Call(step.statement, step.parameters, lambda row: replace(step.finish(row), failed=failed))


def _words_in(uids: Uids, state: State) -> set[int]:
    """The flag words of the existing messages of *uids*."""
    found = {row.flags for row in state.tail if row.uid in uids}
    for number in blocks_of(uids) if len(uids) < len(state.flags) else state.flags:
        block = state.flags.get(number)
        if block is not None:
            start = number << BLOCK_BITS
            for first, last in (uids & uids_of_block(number)).runs:
                found.update(block.words[first - start : last - start + 1])
    found.discard(GONE)
    return found


def _differences(changed: Uids, state: State, new: dict[int, int]) -> tuple[list[tuple[int, Uids, int]], list[int]]:
    """How the words of *changed* differ from the old ones, as runs of messages; the words whose sets were left."""
    flipped = {word: word ^ after for word, after in new.items() if word != after}
    left = [word for word, difference in flipped.items() if difference > SYSTEM_MASK]
    if len(set(flipped.values())) == 1:
        return [(0, changed, next(iter(flipped.values())))], left
    by_difference: dict[int, list[Uid]] = {}
    for uid, word, _ in flags_of(changed, state.flags, state.tail):
        by_difference.setdefault(flipped[word], []).append(uid)
    return [(0, uids_of(some), difference) for difference, some in by_difference.items()], left
