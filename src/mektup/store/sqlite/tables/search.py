"""SEARCH as one SQL query: compiles the search program to a condition over a message's rows.

Cheap conditions come first in an AND: columns of the message's own row, then the decoded header texts, then functions
that read its text. Where a searched text is long enough for the index of trigrams, only messages that the index
proposes, or does not have yet, are read (``text_index``).

A program that is too deep for SQLite's parser, or lists too many UIDs, is answered by set algebra over its leaves, with
a query for each.

No condition is ever NULL, so NOT always negates.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, pairwise
from typing import Any

from mektup.message.text import fold, fold_header
from mektup.store import texts
from mektup.store.rules.emailids import digest_named
from mektup.store.rules.keyword_sets import KEYWORD_SHIFT
from mektup.store.rules.search_cost import seconds_of
from mektup.store.rules.threads import thread_named
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables import trigrams
from mektup.store.sqlite.tables.changes import modseq
from mektup.store.sqlite.tables.compared_search import tested_by
from mektup.store.sqlite.tables.fuzzy_search import relevancy_of
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.store.sqlite.tables.text_blocks import LAST, encode
from mektup.store.sqlite.tables.text_index import ADDRESS_COLUMNS, ASKED_LAST, FIELD_NAME, FIRST_CHUNK
from mektup.terms import search as terms
from mektup.terms.errors import Code, Refused
from mektup.terms.flags import SYSTEM_FLAGS_BY_NAME
from mektup.terms.numbers import MailboxId
from mektup.terms.search import SearchKey
from mektup.terms.search_walk import Algebra, flags_in, leaves, narrowed, set_algebra, walk
from mektup.terms.sets import Run, Uids

MAX_DEPTH = 500
"""The greatest depth of a condition, in levels of AND, OR and NOT; SQLite parses 1000 levels of its own."""

FEW_READ = 100
"""For at most so many messages, reading all is faster than using the index."""

RUNS_IN_LINE = 16
"""The most runs of UIDs that are compared one by one; more are looked up in a list of numbers."""

MOST_SPANS = 16
"""The most ranges of UIDs that are queried one by one; the messages between two of them are read, too."""

UIDS_LISTED = 500_000
"""The most UIDs in all lists of a statement; SQLite keeps each list twice."""

SETS_IN_SEARCH = 100_000
"""The most sets of keywords that a statement may name, repetitions included; SQLite takes 1 MB of text."""


# Conditions


@dataclass(frozen=True, slots=True)
class Condition:
    """A piece of SQL that is 0 or 1 for each message."""

    sql: str
    parameters: tuple[Any, ...] = ()
    cost: int = 0
    """What is read: 0 for the message's row, TEXTS for header texts, BYTES for the message."""
    depth: int = 1
    is_looked_up: bool = False
    """Whether it is true only for messages that the index proposes by their contents."""


TEXTS, BYTES = 1, 2


def _combined(word: str, conditions: Sequence[Condition]) -> Condition:
    """Joins *conditions* by *word*, cheap ones first, as a balanced tree, because SQLite limits the depth."""
    level = sorted(conditions, key=lambda condition: condition.cost)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        paired = [
            Condition(
                f"({one.sql} {word} {other.sql})",
                one.parameters + other.parameters,
                max(one.cost, other.cost),
                max(one.depth, other.depth) + 1,
                word == "AND" and (one.is_looked_up or other.is_looked_up),
            )
            for one, other in pairs
        ]
        level = paired + level[len(paired) * 2 :]
    return level[0]


def _negated(condition: Condition) -> Condition:
    return Condition(f"NOT {condition.sql}", condition.parameters, condition.cost, condition.depth + 1)


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles search programs to conditions, for one account at one moment."""

    sets_with: Mapping[str, Sequence[int]]
    """For each searched keyword, in lower case, the sets that have it."""
    now: int
    within: Uids

    @property
    def algebra(self) -> Algebra[Condition]:
        """The algebra for ``walk``."""
        return Algebra(
            leaf=self.leaf,
            negation=_negated,
            conjunction=lambda parts: _combined("AND", parts),
            disjunction=lambda parts: _combined("OR", parts),
        )

    def leaf(self, key: SearchKey) -> Condition:
        """The condition of a key without subkeys."""
        match key:
            case terms.All():
                return Condition("1")
            case terms.HasFlag(flag):
                return self._flag(flag)
            case terms.InUids(uids):
                return self._uids(uids)
            case terms.Arrived(when, day):
                return _day("m.arrived + m.zone * 60", when, day)
            case terms.Saved(when, day):
                return _day("m.saved", when, day)
            case terms.Sent(when, day):
                dated = _day("t.sent + t.sent_zone * 60", when, day)
                return Condition(f"(t.sent IS NOT NULL AND {dated.sql})", dated.parameters, TEXTS)
            case terms.Older(seconds):
                return Condition("m.arrived <= ?", (self.now - seconds,))
            case terms.Younger(seconds):
                return Condition("m.arrived >= ?", (self.now - seconds,))
            case terms.Larger(octets):
                return Condition("m.size > ?", (octets,))
            case terms.Smaller(octets):
                return Condition("m.size < ?", (octets,))
            case terms.ChangedSince(since):
                return Condition("m.modseq >= ?", (min(since, 2**63 - 1),))
            case terms.HasEmailId(objectid):
                digest = digest_named(objectid)
                return Condition("0") if digest is None else Condition(_HAS_DIGEST, (digest,), TEXTS)
            case terms.InThread(objectid):
                thread = thread_named(objectid)
                return Condition("0") if thread is None else Condition(_IN_THREAD, (thread,), TEXTS)
            case _:
                return self._text(key)

    def _flag(self, flag: str) -> Condition:
        system = SYSTEM_FLAGS_BY_NAME.get(flag.lower())
        if system is not None:
            return Condition(f"m.flags & {int(system)} <> 0")
        numbers = ", ".join(map(str, self.sets_with[flag.lower()]))
        return Condition(f"m.flags >> {KEYWORD_SHIFT} IN ({numbers})")

    def _uids(self, uids: Uids) -> Condition:
        runs = (uids & self.within).runs
        if len(runs) > RUNS_IN_LINE:
            numbers = json.dumps(list(chain.from_iterable(range(first, last + 1) for first, last in runs)))
            return Condition("m.uid IN (SELECT value FROM json_each(?))", (numbers,))
        if not runs:
            return Condition("0")
        return _combined("OR", [Condition("m.uid BETWEEN ? AND ?", run) for run in runs])

    def _text(self, key: SearchKey) -> Condition:
        match key:
            case terms.InAddress(field, text):
                text = fold_header(text)
                return self._looked_up(trigrams.in_header(text), _contains(ADDRESS_COLUMNS[field], text))
            case terms.InSubject(text):
                text = fold_header(text)
                return self._looked_up(trigrams.in_header(text), _contains("t.subject", text))
            case terms.InHeader(name, text):
                text = fold_header(text)
                match = trigrams.in_header(name, text) if FIELD_NAME.fullmatch(name) else None
                return self._looked_up(match, Condition(_IN_HEADER, (name, text), BYTES))
            case terms.InBody(text):
                text = fold(text)
                return self._looked_up(trigrams.in_body(text), _in_body(text))
            case terms.InText(text):
                in_header, in_body = fold_header(text), fold(text)
                return self._looked_up(
                    trigrams.anywhere(in_header, in_body),
                    _combined("OR", [_in_body(in_body), _in_headers(in_header)]),
                )
            case terms.Fuzzy():
                scored = relevancy_of(key)
                condition = Condition(f"{scored.sql} > 0", scored.parameters, BYTES if scored.reads_message else TEXTS)
                return self._looked_up(scored.match, condition)
            case terms.Compared():
                tested = tested_by(key)
                return self._looked_up(tested.match, Condition(tested.sql, tested.parameters, BYTES))
            case _:
                raise TypeError(f"{type(key).__name__} is for the session to resolve")

    def _looked_up(self, match: str | None, condition: Condition) -> Condition:
        """*condition*, evaluated only for messages that *match* proposes; for all if it is None."""
        if match is None or len(self.within) <= FEW_READ:
            return condition
        # the proposals are evaluated first; SQLite keeps the order, because both sides have a subquery
        return Condition(
            f"({_PROPOSED} AND {condition.sql})",
            (match, *condition.parameters),
            condition.cost,
            condition.depth + 2,
            is_looked_up=True,
        )


_PROPOSED = f"m.content IN ({trigrams.PROPOSED} UNION ALL SELECT id FROM contents WHERE id > {LAST})"


_IN_HEADER = f"in_header({ASKED_LAST}, {FIRST_CHUNK}, ?, ?)"


_HAS_DIGEST = "EXISTS (SELECT 1 FROM contents AS c WHERE c.id = m.content AND c.digest = ?)"
_IN_THREAD = "m.content IN (SELECT id FROM contents WHERE thread = ?)"


def _contains(column: str, text: str) -> Condition:
    return Condition(f"instr({column}, ?) > 0", (text,), TEXTS)


def _in_body(text: str) -> Condition:
    return Condition(f"in_body({ASKED_LAST}, (SELECT ?))", (encode(text),), BYTES)


def _in_headers(text: str) -> Condition:
    return Condition(f"in_headers({ASKED_LAST}, (SELECT ?))", (encode(text),), BYTES)


def _day(seconds: str, when: terms.When, day: date) -> Condition:
    matching = seconds_of(when, day)
    return Condition(f"{seconds} BETWEEN ? AND ?", (matching.start, matching.stop - 1))


# Running


def search(cursor: Cursor, mailbox: MailboxId, key: SearchKey, within: Uids, keyword_sets: SqliteKeywordSets) -> Uids:
    """The messages of *within* that match; see ``interface.Account.search``."""
    with moment(cursor):
        modseq(cursor, mailbox)  # refuses where the mailbox is gone
        keyword_sets.load(cursor)
        key, within = narrowed(key, within)
        compiler = Compiler(_sets_with(flags_in(key), keyword_sets), int(time.time()), within)
        if _listed(key, within) <= UIDS_LISTED:
            condition = walk(key, compiler.algebra)
            if condition.depth <= MAX_DEPTH:
                return _matching(cursor, mailbox, condition, within)
        return _by_sets(cursor, mailbox, key, within, compiler)


def _by_sets(cursor: Cursor, mailbox: MailboxId, key: SearchKey, within: Uids, compiler: Compiler) -> Uids:
    """Like ``search``, with a query for each leaf."""
    every = _matching(cursor, mailbox, Condition("1"), within)

    def leaf(part: SearchKey) -> Uids:
        if isinstance(part, terms.InUids):
            return every & part.uids
        return _matching(cursor, mailbox, compiler.leaf(part), within)

    return walk(
        key,
        set_algebra(leaf, every),
    )


def _listed(key: SearchKey, within: Uids) -> int:
    """The number of UIDs in the lists of the statement for *key*."""
    named = (leaf.uids & within for leaf in leaves(key) if isinstance(leaf, terms.InUids))
    return sum(len(uids) for uids in named if len(uids.runs) > RUNS_IN_LINE)


def _sets_with(flags: Sequence[str], keyword_sets: SqliteKeywordSets) -> Mapping[str, Sequence[int]]:
    """The sets of each searched keyword. Raises Refused(LIMIT) where the statement would name too many sets."""
    found = keyword_sets.numbers_with(flag for flag in flags if flag not in SYSTEM_FLAGS_BY_NAME)
    if sum(len(found.get(flag, ())) for flag in flags) > SETS_IN_SEARCH:
        raise Refused(Code.LIMIT, texts.TOO_MANY_SETS_ASKED)
    return found


def _matching(cursor: Cursor, mailbox: MailboxId, condition: Condition, within: Uids) -> Uids:
    if not within:
        return within
    index = "INDEXED BY messages_by_content" if condition.is_looked_up else ""
    joins = "CROSS JOIN texts AS t ON t.content = m.content" if "t." in condition.sql else ""
    if condition.cost == BYTES:
        joins += " CROSS JOIN account AS a"
    sql = (
        f"SELECT m.uid FROM messages AS m {index} {joins} WHERE m.mailbox = ? AND m.uid BETWEEN ? AND ? "
        f"AND {condition.sql} ORDER BY m.uid"
    )
    spans = [(within.first, within.last)] if condition.is_looked_up else _spans(within)
    found: Uids = Uids.of_sorted(
        uid for span in spans for (uid,) in cursor.execute(sql, (mailbox, *span, *condition.parameters))
    )
    return found & within


def _spans(within: Uids) -> Sequence[Run]:
    """Few ranges with all of *within*, without its largest gaps: a query for each of them reads little else."""
    spans = within.runs
    if len(spans) > MOST_SPANS:
        gaps = [other[0] - one[1] for one, other in pairwise(spans)]
        least = sorted(gaps)[-MOST_SPANS + 1]
        cuts = [at for at, gap in enumerate(gaps, 1) if gap >= least][: MOST_SPANS - 1]
        spans = tuple((spans[start][0], spans[stop - 1][1]) for start, stop in pairwise((0, *cuts, len(spans))))
    return spans
