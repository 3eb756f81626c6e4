"""STORE: what becomes of flags, which messages change, and what is told of it (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

Few messages stand in memory, and each order is worked out upon what the one before it left. Of many, an engine changes
sets, and asks here what a set gains.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeVar

from mektup.store.interface import FlagOrder, FlagsStored
from mektup.store.rules.counters import Box
from mektup.store.rules.keyword_sets import AnyKeywordSets, Flags, KeywordSets, Names
from mektup.terms.flags import FlagChange
from mektup.terms.limits import Limits
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

C = TypeVar("C")

FEW_SHOWN: Final = 64
"""How many messages' flags a STORE tells of itself."""

# Not by way of Uids, an alias that costs a microsecond each time it is called.
NONE: Final[Uids] = NumberSet()


def uids_of(ascending: Sequence[int]) -> Uids:
    """The set of these."""
    return NumberSet.of_sorted(ascending) if ascending else NONE


def changed_since(rows: Iterable[tuple[Uid, int, ModSeq]], unchanged_since: ModSeq) -> Uids:
    """Of *rows* of UID, flag word and modseq, those that UNCHANGEDSINCE leaves alone: they go into MODIFIED."""
    return uids_of([uid for uid, _, modseq in rows if modseq > unchanged_since])


def store_in_turn(
    change: C,
    box: Box,
    words: dict[Uid, int],
    modseqs: dict[Uid, ModSeq],
    orders: Sequence[FlagOrder],
    keyword_sets: KeywordSets[C],
    limits: Limits,
    take: Callable[[int], range],
) -> tuple[list[FlagsStored], set[Uid]]:
    """What *orders* do one after the other, and which messages have another flag word or modseq now.

    *words* and *modseqs*, of the messages that are there, become what they are afterwards. *take* yields so many new
    modseqs, ascending: one for each order that changes something, so that who hears of some of these changes, and is
    then cut off, can ask for the others. Raises Refused(LIMIT).
    """
    turns: list[tuple[list[tuple[Uid, int]], list[Uid], Names]] = []
    for order in orders:
        there = [uid for uid in order.uids if uid in words]
        changed, keywords = _change_words(change, box, words, there, order, keyword_sets, limits)
        turns.append(([(uid, words[uid]) for uid in there], changed, keywords))
    count = sum(bool(changed) for _, changed, _ in turns)
    following = iter(take(count)) if count else iter(())
    highest = box.highestmodseq
    altered: set[Uid] = set()
    stored: list[FlagsStored] = []
    for order, (after, changed, keywords) in zip(orders, turns, strict=True):
        previous = highest
        if changed:
            highest = ModSeq(next(following))
            modseqs.update(dict.fromkeys(changed, highest))
            altered.update(changed)
        uids = order.uids if len(changed) == len(order.uids) else uids_of(changed)
        flags = [(uid, word, modseqs[uid]) for uid, word in after]
        stored.append(FlagsStored(highest, uids, previous, NONE, flags, keywords))
    return stored, altered


def _change_words(
    change: C,
    box: Box,
    words: dict[Uid, int],
    uids: list[Uid],
    order: FlagOrder,
    keyword_sets: KeywordSets[C],
    limits: Limits,
) -> tuple[list[Uid], Names]:
    """Gives *uids* their new *words*; returns those whose word is another now, and the keywords that were given."""
    operand = Flags.of(order.flags)
    changed: list[Uid] = []
    for uid in uids:
        old = words[uid]
        new = words[uid] = keyword_sets.changed_word(change, old, order.change, operand)
        if new != old:
            changed.append(uid)
            box.recount(old, new)
    return changed, keywords_given(box, order, operand, keyword_sets, limits) if changed else ()


def keywords_given(box: Box, order: FlagOrder, operand: Flags, keyword_sets: AnyKeywordSets, limits: Limits) -> Names:
    """The keywords that messages of *box* have by *order*, as they are spelled. Raises Refused(LIMIT)."""
    if not operand.keywords or order.change is FlagChange.REMOVE:
        return ()
    names = keyword_sets.spelled(operand.keywords)
    box.use_keywords(names, limits)
    return names


def changes_flag(flag: int, how: FlagChange, operand: Flags) -> bool:
    """Whether the STORE can change the system *flag* of any message."""
    return bool(operand.system & flag) or how is FlagChange.REPLACE


def gained(flag: int, how: FlagChange, operand: Flags, having: int, there: int) -> int:
    """How many more messages will have the system *flag*, of *there* messages of which *having* have it.

    To be asked where ``changes_flag``.
    """
    return (there if operand.system & flag and how is not FlagChange.REMOVE else 0) - having
