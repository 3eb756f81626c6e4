"""Room that mail took, given back to the system behind the work.

SQLite keeps the pages of what was removed for what may come. Where they are many, the file gives them back some at a
time (``auto_vacuum = INCREMENTAL``, which every file has that is made today). A file that an older mektup made has it
once it was written anew: ``mektup user compact``.
"""

from __future__ import annotations

from typing import Final

import apsw

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.schema import INCREMENTAL

SPARE_PAGES: Final = 256
"""What a file keeps for what comes next: a megabyte."""

SPARE_SHARE: Final = 8
"""Beyond these, one free page for so many in use."""

STEP_PAGES: Final = 256
"""How many are given back at a time: some milliseconds, for which nobody else writes."""


def is_due(cursor: Cursor) -> bool:
    """Whether there are pages to give back."""
    return _surplus(cursor) > 0


def _surplus(cursor: Cursor) -> int:
    free = cursor.execute("PRAGMA freelist_count").get
    if free <= SPARE_PAGES or cursor.execute("PRAGMA auto_vacuum").get != INCREMENTAL:
        return 0
    used = cursor.execute("PRAGMA page_count").get - free
    return int(free - SPARE_PAGES - used // SPARE_SHARE)


def give_back(change: Change) -> bool:
    """Gives some pages back; whether there are more."""
    surplus = _surplus(change.cursor)
    if surplus <= 0:
        return False
    # a row for each page, and the page goes when its row is read
    change.cursor.execute(f"PRAGMA incremental_vacuum({min(surplus, STEP_PAGES)})").fetchall()
    return surplus > STEP_PAGES


def compact(cursor: Cursor) -> None:
    """Writes the file anew, without holes; from now on it gives pages back by itself.

    Takes as long as to copy it, and as much room once more; who writes to it meanwhile waits, or is refused.
    Raises what apsw raises.
    """
    connection = cursor.connection
    connection.pragma("auto_vacuum", INCREMENTAL)
    connection.pragma("temp_store", "file")  # else a copy of all would be in memory
    try:
        connection.execute("VACUUM")
    finally:
        connection.pragma("temp_store", "memory")
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
