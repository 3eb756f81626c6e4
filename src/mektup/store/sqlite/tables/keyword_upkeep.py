"""Sets of keywords that no message has any more go, behind the work.

What messages have is read first, in a thread; the sets go in a transaction of its own, if nothing was changed
meanwhile. The highest one stays, so that its number is not given again: a flag word that anyone remembers never comes
to mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass

from mektup.store.rules.keyword_sets import KEYWORD_SHIFT
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables.changes import moment

FEW_SETS = 100
"""So many may stay, before it is looked which of them are needed."""

_UNUSED = f"""
    SELECT id FROM keyword_sets WHERE names <> '' AND id < (SELECT max(id) FROM keyword_sets)
    EXCEPT SELECT DISTINCT flags >> {KEYWORD_SHIFT} FROM messages
"""


@dataclass(frozen=True, slots=True)
class Unused:
    """Sets that no message had as of an account's modseq."""

    modseq: int
    sets: tuple[int, ...]


def latest(cursor: Cursor) -> int:
    """The number of the latest set, where there are many; else 0."""
    count, highest = cursor.execute("SELECT count(*), ifnull(max(id), 0) FROM keyword_sets").get
    return int(highest) if count > FEW_SETS else 0


def unused(cursor: Cursor) -> Unused:
    """Walks through all messages: for a thread."""
    with moment(cursor):
        modseq = cursor.execute("SELECT modseq FROM account").get
        return Unused(modseq, tuple(number for (number,) in cursor.execute(_UNUSED).fetchall()))


def remove(change: Change, found: Unused) -> bool:
    """Removes what was *found*, unless something was changed since; whether it did."""
    if change.cursor.execute("SELECT modseq FROM account").get != found.modseq:
        return False
    change.cursor.executemany("DELETE FROM keyword_sets WHERE id = ?", ((number,) for number in found.sets))
    return True
