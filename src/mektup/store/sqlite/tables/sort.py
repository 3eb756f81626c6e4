"""SORT and THREAD: a search and the columns to sort or thread by, of one moment; the work is that of ``sorting``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial

from mektup.store.sorting import answers
from mektup.store.sorting.answers import of_candidates
from mektup.store.sorting.sort_keys import Key, Place, Remembered, SortKeys, keys_of
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables.changes import moment
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.search import search
from mektup.store.sqlite.tables.sort_keys import KeyRows
from mektup.terms.numbers import Uid
from mektup.terms.search import All, InUids, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import SortCriterion, ThreadAlgorithm, Threads


@dataclass(frozen=True, slots=True)
class Question:
    """Which messages to sort or to thread: those of *within* in the mailbox at *place* that match *key*."""

    place: Place
    key: SearchKey
    within: Uids
    keyword_sets: SqliteKeywordSets
    remembered: Remembered


def sort(cursor: Cursor, question: Question, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    """See ``interface.Account.sort``."""
    return answers.sort(partial(_found, cursor, question), question.place, question.remembered, criteria)


def thread(cursor: Cursor, question: Question, algorithm: ThreadAlgorithm) -> Threads:
    """See ``interface.Account.thread``."""
    return answers.thread(partial(_found, cursor, question), question.place, question.remembered, algorithm)


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
        source = KeyRows(cursor, question.place[1])
        keys = keys_of(source, question.place, candidates, needed, question.remembered)
    return of_candidates(keys, candidates)
