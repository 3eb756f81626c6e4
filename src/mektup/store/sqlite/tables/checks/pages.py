"""SQLite's own check of a file, and whether all tables, columns and indexes are there."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

import apsw

from mektup.store.rules.consistency import Finding, Kind, finding
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.schema import Schema

MOST_LINES: Final = 200
"""How many lines SQLite's check may return."""

_INDEX: Final = re.compile(r"(?:missing from|in|of) index (\w+)")
_TREE: Final = re.compile(r"Tree (\d+)\b")
_FTS: Final = re.compile(r"fts5", re.ASCII | re.IGNORECASE)
_INDEX_OF_TEXTS: Final = "trigrams"


def schema(cursor: Cursor, expected: Schema) -> Iterator[Finding]:
    """The tables, columns and indexes of *expected* that the file lacks."""
    there, needed = _columns(cursor), _shape(expected)
    missing = [name for name in needed if name not in there and name not in _indexes(expected)]
    missing += [
        f"{table}.{column}"
        for table, columns in needed.items()
        if table in there
        for column in sorted(columns - there[table])
    ]
    yield from finding(Kind.TABLES, "", "missing", missing)
    yield from finding(Kind.LOOKUP, "", "missing", sorted(_indexes(expected) - there.keys()))


def _shape(expected: Schema) -> Mapping[str, set[str]]:
    connection = apsw.Connection(":memory:")
    try:
        connection.execute(expected.tables)
        return _columns(connection.cursor())
    finally:
        connection.close()


def _indexes(expected: Schema) -> set[str]:
    return set(re.findall(r"CREATE INDEX (\w+)", expected.tables))


def _columns(cursor: Cursor) -> Mapping[str, set[str]]:
    """The columns of each table; none for an index."""
    found: dict[str, set[str]] = defaultdict(set)
    rows = cursor.execute(
        "SELECT s.name, c.name FROM sqlite_schema AS s LEFT JOIN pragma_table_info(s.name) AS c "
        "WHERE s.name NOT LIKE 'sqlite_autoindex%'"
    )
    for name, column in rows.fetchall():
        found[name] |= {column} - {None}
    return found


def pages(cursor: Cursor, *, quick: bool) -> Iterator[Finding]:
    """What SQLite itself finds: damaged pages, and indexes that differ from their tables.

    With *quick*, the octets of messages are not read.
    """
    names = _names_of_trees(cursor)
    lines: dict[tuple[Kind, str], list[str]] = defaultdict(list)
    for each in _lines(cursor, quick=quick):
        lines[_kind_of(each, names)].append(each)
    for (kind, name), some in lines.items():
        yield from finding(kind, name, "SQLite:", some)
    for table, *_ in cursor.execute("PRAGMA foreign_key_check").fetchall():
        yield Finding(Kind.DAMAGED, str(table), "foreign key")


def _lines(cursor: Cursor, *, quick: bool) -> Iterator[str]:
    asked = [str(MOST_LINES)]
    if quick:
        tables = cursor.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'chunks'").fetchall()
        asked = [f"'{table}'" for (table,) in tables]
    for each in asked:
        for (found,) in cursor.execute(f"PRAGMA integrity_check({each})"):
            # a line may begin with a heading
            yield from (line.strip() for line in found.splitlines() if line != "ok" and not line.startswith("***"))


def _names_of_trees(cursor: Cursor) -> Mapping[int, tuple[str, bool]]:
    """The name of what has its root on each page, and whether it is an index."""
    rows = cursor.execute("SELECT rootpage, name, type = 'index' FROM sqlite_schema WHERE rootpage > 0").fetchall()
    return {root: (name, bool(is_index)) for root, name, is_index in rows}


def _kind_of(line: str, names: Mapping[int, tuple[str, bool]]) -> tuple[Kind, str]:
    if found := _INDEX.search(line):
        return Kind.LOOKUP, found[1]
    name, is_index = "", False
    if found := _TREE.search(line):
        name, is_index = names.get(int(found[1]), ("", False))
    if name.startswith(_INDEX_OF_TEXTS) or _FTS.search(line):
        return Kind.TEXT_INDEX, _INDEX_OF_TEXTS
    return (Kind.LOOKUP if is_index else Kind.DAMAGED), name
