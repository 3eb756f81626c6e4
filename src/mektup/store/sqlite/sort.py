"""SORT and THREAD: a search, and the numbers to sort or thread by, all of one moment; then the work, without SQL.

The numbers come from ``sort_keys``, which remembers them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

from mektup.store.conversations import Letters, Outline, ordered_subject, references
from mektup.store.sqlite.changes import moment
from mektup.store.sqlite.columns import MessageIds, sorted_in_turns
from mektup.store.sqlite.cursor import Cursor
from mektup.store.sqlite.keywords import KeywordSets
from mektup.store.sqlite.search import search
from mektup.store.sqlite.sort_keys import Key, Place, Remembered, SortKeys, ThreadKey, keys_of
from mektup.terms.numbers import Uid
from mektup.terms.search import All, InUids, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, SortKey, ThreadAlgorithm, Threads

_THREADED_BY: dict[ThreadAlgorithm, tuple[Key, ...]] = {
    ThreadAlgorithm.ORDEREDSUBJECT: (SortKey.DATE, SortKey.SUBJECT),
    ThreadAlgorithm.REFERENCES: (SortKey.DATE, SortKey.SUBJECT, ThreadKey.IS_REPLY, ThreadKey.MESSAGE_IDS),
}


@dataclass(frozen=True, slots=True)
class Question:
    """Which messages to sort or to thread: those of *within* in the mailbox at *place* that match *key*."""

    place: Place
    key: SearchKey
    within: Uids
    keyword_sets: KeywordSets
    remembered: Remembered


def sort(cursor: Cursor, question: Question, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    """See ``interface.Account.sort``."""
    keys, places = _found(cursor, question, [criterion.key for criterion in criteria])
    order = list(places)
    # the criterion that counts most comes last: what it leaves equal stays in the order of the others, and of UIDs
    for criterion in reversed(criteria):
        value = keys.columns[criterion.key].numbers.__getitem__
        order = sorted_in_turns(order, value, reverse=criterion.reverse)
    uids = list(keys.uids)
    return [uids[place] for place in order]


def thread(cursor: Cursor, question: Question, algorithm: ThreadAlgorithm) -> Threads:
    """See ``interface.Account.thread``."""
    keys, places = _found(cursor, question, _THREADED_BY[algorithm])
    outline = _outline(algorithm, keys, places)
    uids = list(keys.uids)
    if len(places) < len(uids):
        uids = [uids[place] for place in places]
    uids.append(Uid(0))  # the last one, where -1 leads
    return Threads([uids[node] for node in outline.nodes], outline.below)


def _found(cursor: Cursor, question: Question, needed: Collection[Key]) -> tuple[SortKeys, Sequence[int]]:
    """The columns *needed*, and where in them, from 0 on and ascending, the messages are that were asked for."""
    within = question.within
    with moment(cursor):
        match question.key:
            case All():
                candidates = within
            case InUids(uids):
                candidates = within & uids
            case key:
                candidates = search(cursor, question.place[1], key, within, question.keyword_sets)
        keys = keys_of(cursor, question.place, candidates, needed, question.remembered)
    found = keys.uids & candidates
    if len(found) == len(keys.uids):
        return keys, range(len(found))
    runs = keys.uids.positions(found).runs
    return keys, list(chain.from_iterable(range(first - 1, last) for first, last in runs))


def _outline(algorithm: ThreadAlgorithm, keys: SortKeys, places: Sequence[int]) -> Outline:
    def numbers(key: Key) -> Sequence[int]:
        column = keys.columns[key].numbers
        return column if len(places) == len(keys.uids) else [column[place] for place in places]

    dates, subjects = numbers(SortKey.DATE), numbers(SortKey.SUBJECT)
    if algorithm is ThreadAlgorithm.ORDEREDSUBJECT:
        return ordered_subject(dates, subjects)
    column = keys.columns[ThreadKey.MESSAGE_IDS]
    assert isinstance(column, MessageIds)
    ids = column.rows()
    if len(places) < len(ids):
        ids = [ids[place] for place in places]
    return references(Letters(dates, subjects, numbers(ThreadKey.IS_REPLY), ids))
