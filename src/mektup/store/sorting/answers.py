"""SORT and THREAD of columns: an answer is computed once, and then remembered with the columns."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Sequence
from typing import cast

from mektup.store.sorting.columns import MessageIds
from mektup.store.sorting.conversations import Letters, Outline, ordered_subject, references
from mektup.store.sorting.fair_order import sorted_in_turns
from mektup.store.sorting.sort_keys import Answer, How, Key, Place, Remembered, SortKeys, ThreadKey
from mektup.terms.numbers import Uid
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, SortKey, ThreadAlgorithm

Find = Callable[[Collection[Key]], SortKeys]
"""Returns the needed columns of the requested messages, read at one moment."""

_THREADED_BY: dict[ThreadAlgorithm, tuple[Key, ...]] = {
    ThreadAlgorithm.ORDEREDSUBJECT: (SortKey.DATE, SortKey.SUBJECT),
    ThreadAlgorithm.REFERENCES: (SortKey.DATE, SortKey.SUBJECT, ThreadKey.IS_REPLY, ThreadKey.MESSAGE_IDS),
}


def sort(find: Find, place: Place, remembered: Remembered, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    """See ``interface.Account.sort``."""
    how = tuple(criteria)
    keys = find([criterion.key for criterion in how])
    known = keys.answers.get(how)
    if known is None:
        known = _sorted(keys, how)
        _remember(place, remembered, keys, how, known)
    return cast("Sequence[Uid]", known)


def _sorted(keys: SortKeys, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    order = list(range(len(keys.uids)))
    # the most important criterion is sorted last: equal values keep the order of the other criteria and of UIDs
    for criterion in reversed(criteria):
        value = keys.columns[criterion.key].numbers.__getitem__
        order = sorted_in_turns(order, value, reverse=criterion.reverse)
    uids = list(keys.uids)
    return cast("Sequence[Uid]", array("I", [uids[place] for place in order]))


def thread(find: Find, place: Place, remembered: Remembered, algorithm: ThreadAlgorithm) -> MessageThreads:
    """See ``interface.Account.thread``."""
    keys = find(_THREADED_BY[algorithm])
    known = keys.answers.get(algorithm)
    if known is None:
        outline = _outline(algorithm, keys)
        uids = [*keys.uids, Uid(0)]  # the last item is for a dummy, whose index is -1
        known = MessageThreads(array("I", [uids[node] for node in outline.nodes]), array("I", outline.below))
        _remember(place, remembered, keys, algorithm, known)
    return cast("MessageThreads", known)


def _remember(place: Place, remembered: Remembered, keys: SortKeys, how: How, answer: Answer) -> None:
    if keys.modseq:
        remembered.put(place, keys.answered(how, answer))


def of_candidates(keys: SortKeys, candidates: Uids) -> SortKeys:
    """*keys* with only the existing messages of *candidates*."""
    found = keys.uids & candidates
    return keys if len(found) == len(keys.uids) else keys.of(found)


def _outline(algorithm: ThreadAlgorithm, keys: SortKeys) -> Outline:
    column = keys.columns
    dates, subjects = column[SortKey.DATE], column[SortKey.SUBJECT]
    if algorithm is ThreadAlgorithm.ORDEREDSUBJECT:
        return ordered_subject(dates.numbers, subjects.numbers)
    replies, ids = column[ThreadKey.IS_REPLY], column[ThreadKey.MESSAGE_IDS]
    assert isinstance(ids, MessageIds)
    return references(
        Letters(
            dates=dates.numbers,
            subjects=subjects.numbers,
            replies=replies.numbers,
            contents=ids.numbers,
            ids=ids.own,
            references=ids.others,
            counts=ids.counts,
        )
    )
