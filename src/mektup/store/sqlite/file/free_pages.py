"""Returns the free space of a file to the system, in the background.

SQLite keeps the pages of removed data for new data. Where there are many free pages, the file returns some at a time
(``auto_vacuum = INCREMENTAL``, which every new file has). The file of an older mektup gets this setting when it is
rewritten by ``mektup user compact``.
"""

from __future__ import annotations

from typing import Final

import apsw

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.schema import INCREMENTAL

SPARE_PAGES: Final = 256
"""The free pages that a file keeps for new data: a megabyte."""

SPARE_SHARE: Final = 8
"""In addition, a file keeps one free page for so many used pages."""

STEP_PAGES: Final = 256
"""How many pages are returned at a time: this blocks other writers for some milliseconds."""


def is_due(cursor: Cursor) -> bool:
    """Whether there are pages to return."""
    return _surplus(cursor) > 0


def _surplus(cursor: Cursor) -> int:
    free = cursor.execute("PRAGMA freelist_count").get
    if free <= SPARE_PAGES or cursor.execute("PRAGMA auto_vacuum").get != INCREMENTAL:
        return 0
    used = cursor.execute("PRAGMA page_count").get - free
    return int(free - SPARE_PAGES - used // SPARE_SHARE)


def give_back(change: Change) -> bool:
    """Returns some pages to the system, and whether there are more."""
    surplus = _surplus(change.cursor)
    if surplus <= 0:
        return False
    # the statement has a row for each page, and frees the page when the row is read
    change.cursor.execute(f"PRAGMA incremental_vacuum({min(surplus, STEP_PAGES)})").fetchall()
    return surplus > STEP_PAGES


def compact(cursor: Cursor) -> None:
    """Rewrites the file without free pages; from then on it can return pages.

    Takes the time and the space of a copy; meanwhile, writers wait or are refused. Raises apsw's errors.
    """
    connection = cursor.connection
    connection.pragma("auto_vacuum", INCREMENTAL)
    connection.pragma("temp_store", "file")  # else the whole copy would be in memory
    try:
        connection.execute("VACUUM")
    finally:
        connection.pragma("temp_store", "memory")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
