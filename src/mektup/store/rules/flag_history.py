"""How a change makes flag words differ, so that the words at any moment follow from those of now.

The difference of two words is their XOR. So the word of a message at a moment is the word of now, XOR all differences
since then, in any order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mektup.store.interface import FlagsStored
from mektup.store.rules.flag_changes import uids_of
from mektup.store.rules.keyword_sets import SYSTEM_MASK
from mektup.terms.numbers import ModSeq, Uid
from mektup.terms.sets import Uids


def told_with_differences(
    stored: Sequence[FlagsStored],
    before: Mapping[Uid, int],
    after: Mapping[Uid, int],
    modseqs: Mapping[Uid, ModSeq],
) -> tuple[list[tuple[ModSeq, Uids, int]], set[int]]:
    """What each STORE touched (its modseq, the messages, how their words differ), and words whose sets were left.

    The difference that several of them made to a message together is told once, with the last one. A word that was
    changed and changed back does not differ.
    """
    told: list[tuple[ModSeq, Uids, int]] = []
    left: set[int] = set()
    for done in stored:
        by_difference: dict[int, list[Uid]] = {}
        for uid in done.changed:
            flipped = before[uid] ^ after[uid] if modseqs[uid] == done.modseq else 0
            by_difference.setdefault(flipped, []).append(uid)
            if flipped > SYSTEM_MASK:
                left.add(before[uid])
        if len(by_difference) == 1:
            told.append((done.modseq, done.changed, next(iter(by_difference))))
        else:
            told += [(done.modseq, uids_of(uids), flipped) for flipped, uids in by_difference.items()]
    return told, left
