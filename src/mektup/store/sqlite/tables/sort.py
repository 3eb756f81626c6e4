"""SORT and THREAD: a search and the columns, read at one moment; ``sorting`` does the rest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.sorting import answers
from mektup.store.sorting.answers import of_candidates, with_relevancy
from mektup.store.sorting.columns import Column, MessageIds
from mektup.store.sorting.sort_keys import (
    KEY_LETTERS,
    TEXT_FIELDS,
    ComparedKey,
    Key,
    Place,
    Remembered,
    SortKeys,
    ThreadKey,
    keys_of,
    require_few,
)
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables.compared_search import key_of
from mektup.store.sqlite.tables.fuzzy_search import relevancy
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.search import search
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.numbers import MailboxId, Uid
from mektup.terms.search import All, InUids, SearchKey
from mektup.terms.sets import Uids
from mektup.terms.sorting import MessageThreads, SortCriterion, SortKey, ThreadAlgorithm


@dataclass(frozen=True, slots=True)
class Question:
    """The messages to sort or thread: those of *within*, in the mailbox at *place*, that match *key*."""

    place: Place
    key: SearchKey
    within: Uids
    keyword_sets: SqliteKeywordSets
    remembered: Remembered


def sort(cursor: Cursor, question: Question, criteria: Sequence[SortCriterion]) -> Sequence[Uid]:
    """See ``interface.Account.sort``."""
    return answers.sort(partial(_found, cursor, question), question.place, question.remembered, criteria)


def thread(
    cursor: Cursor, question: Question, algorithm: ThreadAlgorithm, comparator: Comparator = DEFAULT
) -> MessageThreads:
    """See ``interface.Account.thread``."""
    find = partial(_found, cursor, question)
    return answers.thread(find, question.place, question.remembered, algorithm, comparator)


def _found(cursor: Cursor, question: Question, needed: Collection[Key]) -> SortKeys:
    """The *needed* columns of the messages of *question*."""
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
        remembered = [each for each in needed if each is not SortKey.RELEVANCY]
        keys = of_candidates(keys_of(source, question.place, candidates, remembered, question.remembered), candidates)
        if SortKey.RELEVANCY in needed:
            keys = with_relevancy(keys, relevancy(cursor, question.place[1], question.key, keys.uids))
    return keys


# Columns

SLICE_ROWS: Final = 2000
"""How many messages are read at a time."""


_COLUMNS: Final[Mapping[Key, str]] = {
    **{key: f"substr(t.{field}, 1, {KEY_LETTERS})" for key, field in TEXT_FIELDS.items()},
    SortKey.ARRIVAL: "m.arrived",
    # RFC 5256 §2.2: where the sent date cannot be determined, the internal date is used
    SortKey.DATE: "ifnull(t.sent, m.arrived)",
    SortKey.SIZE: "m.size",
    ThreadKey.IS_REPLY: "t.is_reply",
    # contents that several messages share are read once, by ``_learn``
    ThreadKey.MESSAGE_IDS: (
        "CASE WHEN EXISTS (SELECT 1 FROM shared AS s WHERE s.content = m.content) THEN CAST(m.content AS TEXT) "
        "ELSE t.message_id || ' ' || t.reference_ids END"
    ),
}
"""For each key, an expression over m (messages) and t (texts), whose columns are named as the fields of an Arrival."""


_SHARED_IDS: Final = (
    "SELECT CAST(content AS TEXT), message_id || ' ' || reference_ids FROM texts "
    "WHERE content IN (SELECT value FROM json_each(?))"
)


class KeyRows:
    """A ``sorting.sort_keys.Source``, valid during the ``moment`` of *cursor*."""

    __slots__ = ("_cursor", "_mailbox")

    def __init__(self, cursor: Cursor, mailbox: MailboxId) -> None:
        self._cursor = cursor
        self._mailbox = mailbox

    def state(self) -> tuple[int, int, int]:
        """See ``Source``, also for the other methods."""
        row: tuple[int, int, int] | None = self._cursor.execute(
            "SELECT highestmodseq, uidnext, messages FROM mailboxes WHERE id = ? AND selectable", (self._mailbox,)
        ).get
        if row is None:
            raise no_such_mailbox()
        return row

    def expunged_since(self, modseq: int) -> Uids:
        rows = self._cursor.execute(
            "SELECT first, last FROM expunged WHERE mailbox = ? AND modseq > ?", (self._mailbox, modseq)
        )
        return Uids(rows)

    def read(self, uids: Uids, columns: Mapping[Key, Column], most: int) -> Uids:
        expressions = ", ".join(key_of(key) if isinstance(key, ComparedKey) else _COLUMNS[key] for key in columns)
        wide = tuple(at for at, key in enumerate(columns, 1) if key is ThreadKey.MESSAGE_IDS)
        query = Query(expressions, "CROSS JOIN texts AS t ON t.content = m.content", wide=wide)
        there: list[int] = []
        for rows in slices(self._cursor, query, self._mailbox, uids, SLICE_ROWS):
            numbers, *values = zip(*rows, strict=True)
            there += numbers
            for column, of_column in zip(columns.values(), values, strict=True):
                if isinstance(column, MessageIds):
                    _learn(self._cursor, column, of_column, most)
                column.feed(of_column)
                if isinstance(column, MessageIds):
                    require_few(column, most)
        for column in columns.values():
            column.settle()
        return Uids.of_sorted(there)


def _learn(cursor: Cursor, column: MessageIds, values: Sequence[str], most: int) -> None:
    """Reads the Message-IDs of shared contents that *column* does not have yet."""
    for content, ids in cursor.execute(_SHARED_IDS, (f"[{','.join(column.unknown(values))}]",)):
        column.learn(content, ids)
        require_few(column, most)
