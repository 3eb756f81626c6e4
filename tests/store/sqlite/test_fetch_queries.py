"""Queries for usual items are cached; those for hundreds of items, which a client may make up, are not."""

from __future__ import annotations

from mektup.store.columns import Column, Form, HeaderFields
from mektup.store.sqlite.tables.fetch import (
    MOST_CACHED,
    _known_lines_query,
    _known_query,
    lines_query,
    query_for,
)


def fields(count: int) -> tuple[HeaderFields, ...]:
    return tuple(HeaderFields(frozenset({b"x-%d" % number})) for number in range(count))


def test_usual_queries_are_cached() -> None:
    columns = (Column.FLAGS, Column.ENVELOPE, *fields(2))
    assert query_for(columns) is query_for(columns)
    assert query_for(columns) is not query_for(columns, is_for_thread=False)
    form = Form((b"* ", None, b" FETCH (FLAGS (", Column.FLAGS, b"))\r\n"), ((0, b""),))
    assert lines_query(form) is lines_query(form)


def test_queries_for_very_many_items_are_not_cached() -> None:
    before = _known_query.cache_info(), _known_lines_query.cache_info()
    columns = fields(MOST_CACHED + 1)
    assert query_for(columns) == query_for(columns)
    form = Form((None, *columns), ())
    assert lines_query(form) == lines_query(form)
    assert (_known_query.cache_info(), _known_lines_query.cache_info()) == before
