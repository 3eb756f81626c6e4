"""Removes unused sets of keywords in the background.

First a thread finds the sets that no message uses, now or in its history. Then a separate transaction removes them, if
nothing changed meanwhile. The set with the highest number stays, so that its number is not used again: the meaning of a
flag word that a process remembers never changes.
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
_UNUSED_EVER = f"""{_UNUSED}
    EXCEPT SELECT DISTINCT flags >> {KEYWORD_SHIFT} FROM retained
    EXCEPT SELECT id FROM past_sets
"""
_OCTETS = "SELECT ifnull(sum(octet_length(names) + 100), 0) FROM keyword_sets"


@dataclass(frozen=True, slots=True)
class Unused:
    """The sets that no message used at an account's modseq."""

    modseq: int
    sets: tuple[int, ...]


def latest(cursor: Cursor) -> int:
    """The number of the latest set where there are more than FEW_SETS; else 0."""
    count, highest = cursor.execute("SELECT count(*), ifnull(max(id), 0) FROM keyword_sets").get
    return int(highest) if count > FEW_SETS else 0


def unused(cursor: Cursor, most_bytes: int) -> Unused:
    """Finds the unused sets. Reads all messages, so it is for a thread.

    Sets that only the history uses go, too, where all sets take more than half of *most_bytes*: they must not keep
    users from new keywords.
    """
    with moment(cursor):
        modseq = cursor.execute("SELECT modseq FROM account").get
        are_many = cursor.execute(_OCTETS).get > most_bytes // 2
        found = cursor.execute(_UNUSED if are_many else _UNUSED_EVER)
        return Unused(modseq, tuple(number for (number,) in found.fetchall()))


def remove(change: Change, found: Unused) -> bool:
    """Removes the sets in *found*, unless something changed since; returns whether it did."""
    if change.cursor.execute("SELECT modseq FROM account").get != found.modseq:
        return False
    change.cursor.executemany("DELETE FROM keyword_sets WHERE id = ?", ((number,) for number in found.sets))
    return True
