"""SORT and THREAD of columns: an answer is computed once, and then remembered with the columns."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Sequence
from typing import cast

from mektup.store.rules.fuzzy import BEST
from mektup.store.sorting.columns import MessageIds, Numbers
from mektup.store.sorting.conversations import Letters, Outline, ordered_subject, references, refs
from mektup.store.sorting.fair_order import sorted_in_turns
from mektup.store.sorting.sort_keys import Answer, How, Key, Place, Remembered, SortKeys, ThreadKey, compared
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.numbers import Uid
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, SortKey, ThreadAlgorithm

Find = Callable[[Collection[Key]], SortKeys]
"""Returns the needed columns of the requested messages, read at one moment."""

_THREADED_BY: dict[ThreadAlgorithm, tuple[Key, ...]] = {
    ThreadAlgorithm.ORDEREDSUBJECT: (SortKey.DATE, SortKey.SUBJECT),
    ThreadAlgorithm.REFERENCES: (SortKey.DATE, SortKey.SUBJECT, ThreadKey.IS_REPLY, ThreadKey.MESSAGE_IDS),
    ThreadAlgorithm.REFS: (SortKey.DATE, SortKey.ARRIVAL, ThreadKey.MESSAGE_IDS),
}


def sort(find: Find, place: Place, remembered: Remembered, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    """See ``interface.Account.sort``."""
    how = tuple(criteria)
    keys = find([_key(criterion) for criterion in how])
    known = keys.answers.get(how)
    if known is None:
        known = _sorted(keys, how)
        _remember(place, remembered, keys, how, known)
    return cast("Sequence[Uid]", known)


def _sorted(keys: SortKeys, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    order = list(range(len(keys.uids)))
    # the most important criterion is sorted last: equal values keep the order of the other criteria and of UIDs
    for criterion in reversed(criteria):
        value = keys.columns[_key(criterion)].numbers.__getitem__
        order = sorted_in_turns(order, value, reverse=criterion.reverse)
    uids = list(keys.uids)
    return cast("Sequence[Uid]", array("I", [uids[place] for place in order]))


def _key(criterion: SortCriterion) -> Key:
    return compared(criterion.key, criterion.comparator)


def thread(
    find: Find,
    place: Place,
    remembered: Remembered,
    algorithm: ThreadAlgorithm,
    comparator: Comparator = DEFAULT,
) -> MessageThreads:
    """See ``interface.Account.thread``."""
    how = (algorithm, comparator)
    subject = compared(SortKey.SUBJECT, comparator)
    keys = find([subject if key is SortKey.SUBJECT else key for key in _THREADED_BY[algorithm]])
    known = keys.answers.get(how)
    if known is None:
        outline = _outline(algorithm, keys, subject)
        uids = [*keys.uids, Uid(0)]  # the last item is for a dummy, whose index is -1
        known = MessageThreads(array("I", [uids[node] for node in outline.nodes]), array("I", outline.below))
        _remember(place, remembered, keys, how, known)
    return cast("MessageThreads", known)


def _remember(place: Place, remembered: Remembered, keys: SortKeys, how: How, answer: Answer) -> None:
    if keys.modseq:
        remembered.put(place, keys.answered(how, answer))


def of_candidates(keys: SortKeys, candidates: Uids) -> SortKeys:
    """*keys* with only the existing messages of *candidates*."""
    found = keys.uids & candidates
    return keys if len(found) == len(keys.uids) else keys.of(found)


def with_relevancy(keys: SortKeys, relevancies: Sequence[int]) -> SortKeys:
    """*keys* with a column that sorts the highest of *relevancies* first. Nobody remembers it: it is of one search."""
    lowness = Numbers([BEST - each for each in relevancies])
    return SortKeys(keys.uids, {**keys.columns, SortKey.RELEVANCY: lowness})


def _outline(algorithm: ThreadAlgorithm, keys: SortKeys, subject: Key) -> Outline:
    column = keys.columns
    dates = column[SortKey.DATE].numbers
    if algorithm is ThreadAlgorithm.ORDEREDSUBJECT:
        return ordered_subject(dates, column[subject].numbers)
    ids = column[ThreadKey.MESSAGE_IDS]
    assert isinstance(ids, MessageIds)
    letters = Letters(
        dates=dates,
        subjects=_numbers(keys, subject),
        replies=_numbers(keys, ThreadKey.IS_REPLY),
        contents=ids.numbers,
        ids=ids.own,
        references=ids.others,
        counts=ids.counts,
        arrived=_numbers(keys, SortKey.ARRIVAL),
    )
    return refs(letters) if algorithm is ThreadAlgorithm.REFS else references(letters)


def _numbers(keys: SortKeys, key: Key) -> Sequence[int]:
    """The column *key*; empty where the algorithm does not need it."""
    column = keys.columns.get(key)
    return () if column is None else column.numbers
