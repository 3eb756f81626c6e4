"""Removes unused sets of keywords in the background.

First a thread finds the sets that no message uses. Then a separate transaction removes them, if nothing changed
meanwhile. The set with the highest number stays, so that its number is not used again: the meaning of a flag word that
a process remembers never changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from mektup.store.rules.keyword_sets import KEYWORD_SHIFT
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment

FEW_SETS = 100
"""How many sets an account may have before unused ones are looked for."""

_UNUSED = f"""
    SELECT id FROM keyword_sets WHERE names <> '' AND id < (SELECT max(id) FROM keyword_sets)
    EXCEPT SELECT DISTINCT flags >> {KEYWORD_SHIFT} FROM messages
"""


@dataclass(frozen=True, slots=True)
class Unused:
    """The sets that no message used at an account's modseq."""

    modseq: int
    sets: tuple[int, ...]


def latest(cursor: Cursor) -> int:
    """The number of the latest set where there are more than FEW_SETS; else 0."""
    count, highest = cursor.execute("SELECT count(*), ifnull(max(id), 0) FROM keyword_sets").get
    return int(highest) if count > FEW_SETS else 0


def unused(cursor: Cursor) -> Unused:
    """Finds the unused sets. Reads all messages, so it is for a thread."""
    with moment(cursor):
        modseq = cursor.execute("SELECT modseq FROM account").get
        return Unused(modseq, tuple(number for (number,) in cursor.execute(_UNUSED).fetchall()))


def remove(change: Change, found: Unused) -> bool:
    """Removes the sets in *found*, unless something changed since; returns whether it did."""
    if change.cursor.execute("SELECT modseq FROM account").get != found.modseq:
        return False
    change.cursor.executemany("DELETE FROM keyword_sets WHERE id = ?", ((number,) for number in found.sets))
    return True
