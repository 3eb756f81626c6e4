"""STORE: the new flags, the messages that change, and the answer (RFC 9051 §6.4.6, RFC 7162 §3.1.3).

For few messages, their flag words are in memory, and each order starts from the result of the one before. For many, an
engine changes whole sets of messages, and asks here how many messages gain a flag.
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
"""The most messages for which the result of a STORE includes their flags."""

# not Uids(), because calling this alias costs a microsecond each time
NONE: Final[Uids] = NumberSet()


def uids_of(ascending: Sequence[int]) -> Uids:
    """The set of these UIDs."""
    return NumberSet.of_sorted(ascending) if ascending else NONE


def changed_since(rows: Iterable[tuple[Uid, int, ModSeq]], unchanged_since: ModSeq) -> Uids:
    """The messages of *rows* (UID, flag word, modseq) that UNCHANGEDSINCE excludes; they go into MODIFIED."""
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
    """Carries out *orders* one after the other; returns their results and the messages that changed.

    Updates *words* and *modseqs* of the existing messages. *take(n)* returns *n* new modseqs, ascending. Each order
    that changes something gets its own modseq, so that a client that receives only some of the answers before it is
    disconnected can ask for the rest. Raises Refused(LIMIT).
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
    """Gives *uids* their new *words*; returns the UIDs whose word changed, and the keywords of the order."""
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
    """The keywords that *order* gives to messages of *box*, in their stored spelling. Raises Refused(LIMIT)."""
    if not operand.keywords or order.change is FlagChange.REMOVE:
        return ()
    names = keyword_sets.spelled(operand.keywords)
    box.use_keywords(names, limits)
    return names


def changes_flag(flag: int, how: FlagChange, operand: Flags) -> bool:
    """Whether the STORE can change the system *flag* of any message."""
    return bool(operand.system & flag) or how is FlagChange.REPLACE


def gained(flag: int, how: FlagChange, operand: Flags, having: int, there: int) -> int:
    """How many more of *there* messages will have the system *flag*; *having* of them have it now.

    Call it only where ``changes_flag`` is true.
    """
    return (there if operand.system & flag and how is not FlagChange.REMOVE else 0) - having
