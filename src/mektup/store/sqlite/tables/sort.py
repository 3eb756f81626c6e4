"""SORT and THREAD: a search and the numbers to sort or thread by, of one moment; then the work, without SQL.

The numbers come from ``sort_keys``, which remembers them.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import cast

from mektup.store.sorting.columns import MessageIds
from mektup.store.sorting.conversations import Letters, Outline, ordered_subject, references
from mektup.store.sorting.fair_order import sorted_in_turns
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables.changes import moment
from mektup.store.sqlite.tables.keywords import KeywordSets
from mektup.store.sqlite.tables.search import search
from mektup.store.sqlite.tables.sort_keys import Answer, How, Key, Place, Remembered, SortKeys, ThreadKey, keys_of
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
    how = tuple(criteria)
    keys = _found(cursor, question, [criterion.key for criterion in how])
    known = keys.answers.get(how)
    if known is None:
        known = _sorted(keys, how)
        _remember(question, keys, how, known)
    return cast("Sequence[Uid]", known)


def _sorted(keys: SortKeys, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    order = list(range(len(keys.uids)))
    # the criterion that counts most comes last: what it leaves equal stays in the order of the others, and of UIDs
    for criterion in reversed(criteria):
        value = keys.columns[criterion.key].numbers.__getitem__
        order = sorted_in_turns(order, value, reverse=criterion.reverse)
    uids = list(keys.uids)
    return cast("Sequence[Uid]", array("I", [uids[place] for place in order]))


def thread(cursor: Cursor, question: Question, algorithm: ThreadAlgorithm) -> Threads:
    """See ``interface.Account.thread``."""
    keys = _found(cursor, question, _THREADED_BY[algorithm])
    known = keys.answers.get(algorithm)
    if known is None:
        outline = _outline(algorithm, keys)
        uids = [*keys.uids, Uid(0)]  # the last one is where a dummy, -1, leads
        known = Threads(array("I", [uids[node] for node in outline.nodes]), array("I", outline.below))
        _remember(question, keys, algorithm, known)
    return cast("Threads", known)


def _remember(question: Question, keys: SortKeys, how: How, answer: Answer) -> None:
    if keys.modseq:
        question.remembered.put(question.place, keys.answered(how, answer))


def _found(cursor: Cursor, question: Question, needed: Collection[Key]) -> SortKeys:
    """The columns *needed*, of the messages that were asked for."""
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
