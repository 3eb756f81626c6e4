"""Finds the places of new messages among sorted ones, without sorting all of them again.

The sort keys of a message never change, so messages that are sorted stay in their order. A new message is compared with
evenly spaced ones of these, then with those between its two neighbours, and so on: two rounds for a hundred thousand
messages. The store compares, by sorting the new messages together with those few.
"""

from __future__ import annotations

from collections.abc import Sequence

from mektup.store.interface import Account
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.search import All
from mektup.terms.sets import NumberSet, Uids
from mektup.terms.sorting import SortCriterion

PROBES = 400
"""How many sorted messages are compared in one round; the store sorts so few without waiting for a thread."""

FEW_NEW = 50
"""For more new messages, sorting all messages is faster."""

Window = tuple[int, int]
"""How many sorted messages are surely before a new one, and how many are not surely after it."""


async def places(
    account: Account, mailbox: MailboxId, criteria: Sequence[SortCriterion], order: Sequence[Uid], new: Uids
) -> list[tuple[int, Uid]]:
    """The existing messages of *new* in sorted order, each with the number of messages of *order* before it.

    *order* is sorted by *criteria*. It may name messages that are gone; where these are, any place will do.
    """
    windows: dict[Uid, Window] = dict.fromkeys(new, (0, len(order)))
    by_few = len(new) <= FEW_NEW
    while True:
        probes: Sequence[int] = _spread(windows) if by_few else range(len(order))
        indexes = {order[probe]: probe for probe in probes}
        together = new | NumberSet.of(indexes)
        found = (await account.sort(mailbox, All(), together, criteria)).uids
        before = windows
        windows = _narrowed(found, indexes, windows)
        if not by_few or all(first == stop for first, stop in windows.values()):
            return [(first, uid) for uid, (first, _) in windows.items()]
        # where all of the few are gone, all others are compared
        by_few = windows != before


def _spread(windows: dict[Uid, Window]) -> list[int]:
    """Evenly spaced indexes in each of *windows*."""
    different = set(windows.values())
    each = max(1, PROBES // max(1, len(different)))
    chosen: set[int] = set()
    for first, stop in different:
        size = stop - first
        few = min(each, size)
        chosen.update(first + (number + 1) * size // (few + 1) for number in range(few))
    return sorted(chosen)


def _narrowed(found: Sequence[Uid], indexes: dict[Uid, int], windows: dict[Uid, Window]) -> dict[Uid, Window]:
    """*windows* after the messages at *indexes* were *found* among the new ones; in the order in which they were."""
    firsts: dict[Uid, int] = {}
    before = 0
    for uid in found:
        if uid in indexes:
            before = indexes[uid] + 1
        else:
            firsts[uid] = max(before, windows[uid][0])
    stops: dict[Uid, int] = {}
    after: int | None = None
    for uid in reversed(found):
        if uid in indexes:
            after = indexes[uid]
        else:
            stops[uid] = windows[uid][1] if after is None else min(after, windows[uid][1])
    return {uid: (first, stops[uid]) for uid, first in firsts.items()}
