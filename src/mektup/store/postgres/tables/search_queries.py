"""SEARCH over contents and texts: which contents have which of some keys.

Each statement reads the contents of one account, and returns those that match one of the keys at least, each with a
number that has a bit for each key. A text is sought by ``strpos`` in what ``rules.storable_text`` made of it. Where an
index of the texts is wanted, it is asked by LIKE, which finds the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from mektup.store.rules.emailids import digest_named
from mektup.store.rules.search_cost import seconds_of
from mektup.store.rules.text_tests import in_body_form, in_header_form
from mektup.store.rules.threads import thread_named
from mektup.terms import search as terms
from mektup.terms.numbers import AccountId
from mektup.terms.search import AddressField, SearchKey

OF_CONTENTS = terms.InAddress | terms.InSubject | terms.Sent | terms.HasEmailId | terms.InThread
"""The keys that the columns of ``contents`` answer."""

OF_STORED_TEXTS = terms.InBody | terms.InText
"""The keys that ``texts`` answers, for contents that are there."""

MOST_KEYS: Final = 60
"""The most keys of a statement: as many as its number has bits, and some."""

NOT_INDEXED: Final = -1
"""In place of the bits: the texts of this content are not stored yet."""

DENSE: Final = 4
"""Contents are asked for as a range where at least one in so many of its numbers is asked for."""

_ADDRESSES: Final = {
    AddressField.FROM: "c.from_",
    AddressField.TO: "c.to_",
    AddressField.CC: "c.cc",
    AddressField.BCC: "c.bcc",
}

Question = tuple[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class _Condition:
    sql: str
    parameters: tuple[Any, ...] = ()


def of_contents(account: AccountId, contents: Sequence[int], keys: Sequence[SearchKey]) -> Question:
    """Which of *contents*, ascending, match which of *keys*, all OF_CONTENTS: rows of a content and its bits."""
    bits = _bits([_of_contents(key) for key in keys])
    chosen = _chosen("c.id", contents)
    sql = (
        f"SELECT id, bits FROM (SELECT c.id, {bits.sql} AS bits FROM contents AS c "
        f"WHERE c.account = %s AND {chosen.sql} OFFSET 0) AS found WHERE bits <> 0"
    )
    return sql, (*bits.parameters, account, *chosen.parameters)


def of_texts(
    account: AccountId, contents: Sequence[int], keys: Sequence[SearchKey], *, by_index: bool = False
) -> Question:
    """Which of *contents*, ascending, match which of *keys*, all OF_STORED_TEXTS; NOT_INDEXED for some.

    *by_index*: there is an index of the texts.
    """
    conditions = [_of_texts(key, by_index=by_index) for key in keys]
    bits = _bits(conditions)
    of_text, of_content = _chosen("t.content", contents), _chosen("c.id", contents)
    found = f"SELECT t.content AS id, {bits.sql} AS bits FROM texts AS t WHERE t.account = %s AND {of_text.sql}"
    parameters = (*bits.parameters, account, *of_text.parameters)
    if by_index:
        # the planner may use the index only where the condition limits the rows
        found += f" AND ({' OR '.join(each.sql for each in conditions)})"
        parameters += tuple(parameter for each in conditions for parameter in each.parameters)
    sql = (
        f"SELECT id, bits FROM ({found} OFFSET 0) AS found WHERE bits <> 0 UNION ALL "
        f"SELECT c.id, {NOT_INDEXED} FROM contents AS c WHERE c.account = %s AND {of_content.sql} AND NOT c.indexed"
    )
    return sql, (*parameters, account, *of_content.parameters)


def _bits(conditions: Sequence[_Condition]) -> _Condition:
    parts = [f"CASE WHEN {each.sql} THEN {1 << at}::bigint ELSE 0 END" for at, each in enumerate(conditions)]
    return _Condition(" + ".join(parts), tuple(parameter for each in conditions for parameter in each.parameters))


def _chosen(column: str, contents: Sequence[int]) -> _Condition:
    """The condition for *contents*; it may choose more, of which the caller knows that it did not ask for them."""
    first, last = contents[0], contents[-1]
    if last - first < DENSE * len(contents):
        return _Condition(f"{column} BETWEEN %s AND %s", (first, last))
    return _Condition(f"{column} = ANY (%b)", (list(contents),))


def _of_contents(key: SearchKey) -> _Condition:
    match key:
        case terms.InAddress(field, text):
            return _Condition(f"strpos({_ADDRESSES[field]}, %s) > 0", (in_header_form(text),))
        case terms.InSubject(text):
            return _Condition("strpos(c.subject, %s) > 0", (in_header_form(text),))
        case terms.Sent(when, day):
            return _sent(when, day)
        case terms.HasEmailId(objectid):
            digest = digest_named(objectid)
            return _Condition("false") if digest is None else _Condition("c.digest = %s", (digest,))
        case terms.InThread(objectid):
            thread = thread_named(objectid)
            return _Condition("false") if thread is None else _Condition("c.thread = %s", (thread,))
    raise TypeError(f"{type(key).__name__} is not answered by contents")


def _sent(when: terms.When, day: date) -> _Condition:
    matching = seconds_of(when, day)
    dated = "c.sent IS NOT NULL AND c.sent + c.sent_zone * 60 BETWEEN %s AND %s"
    return _Condition(f"({dated})", (matching.start, matching.stop - 1))


def _of_texts(key: SearchKey, *, by_index: bool) -> _Condition:
    match key:
        case terms.InBody(text):
            return _holds("t.body", in_body_form(text), by_index=by_index)
        case terms.InText(text):
            body = _holds("t.body", in_body_form(text), by_index=by_index)
            headers = _holds("t.headers", in_header_form(text), by_index=by_index)
            return _Condition(f"({body.sql} OR {headers.sql})", body.parameters + headers.parameters)
    raise TypeError(f"{type(key).__name__} is not answered by texts")


def _holds(column: str, text: str, *, by_index: bool) -> _Condition:
    if by_index:
        return _Condition(f"{column} LIKE %s", (f"%{_escaped(text)}%",))
    return _Condition(f"strpos({column}, %s) > 0", (text,))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


STATUS: Final = """
SELECT count(*), count(*) FILTER (WHERE c.indexed),
    coalesce(sum(octet_length(t.headers)::bigint + octet_length(t.body)), 0)::bigint,
    coalesce(sum(pg_column_size(t.headers)::bigint + pg_column_size(t.body)), 0)::bigint
FROM contents AS c LEFT JOIN texts AS t ON t.account = c.account AND t.content = c.id WHERE c.account = %s
"""
"""The messages, the indexed ones, and the octets of their texts, also as they are stored."""
