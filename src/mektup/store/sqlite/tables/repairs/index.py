"""Mends the text index: single documents, or all of them."""

from __future__ import annotations

from typing import Final

import apsw

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import trigrams
from mektup.store.sqlite.tables.text_blocks import LAST

AT_ONCE: Final = 20
"""How many documents are made in a transaction."""

_OF_NOTHING: Final = (
    "DELETE FROM trigrams WHERE rowid IN (SELECT id FROM trigrams_docsize AS d "
    "WHERE NOT EXISTS (SELECT 1 FROM contents WHERE id BETWEEN d.id << 1 AND d.id << 1 | 1))"
)


def documents(cursor: Cursor) -> list[int]:
    """The documents that the index should have."""
    rows = cursor.execute(f"SELECT DISTINCT id >> 1 FROM contents WHERE id <= {LAST} ORDER BY id").fetchall()
    return [number for (number,) in rows]


def missing(cursor: Cursor) -> list[int]:
    """The documents that the index does not have."""
    rows = cursor.execute(
        f"SELECT DISTINCT id >> 1 FROM contents AS c WHERE id <= {LAST} "
        "AND NOT EXISTS (SELECT 1 FROM trigrams_docsize WHERE id = c.id >> 1)"
    ).fetchall()
    return [number for (number,) in rows]


def forget_strays(change: Change) -> None:
    """Removes the documents of no message."""
    change.cursor.execute(_OF_NOTHING)


def empty(change: Change) -> None:
    """Empties the index, so that its documents are made anew."""
    try:
        change.cursor.execute(trigrams.FORGET_ALL)
    except apsw.Error:
        change.cursor.execute("DROP TABLE trigrams")
        change.cursor.execute(trigrams.TABLE)
