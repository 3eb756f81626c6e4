"""Expunged messages, which stay for some time with their flags, so that they can be brought back.

A message that is expunged moves here as a row, in the order of removal, and its content stays, so an EXPUNGE writes
less than one that frees the content. A message that was moved to another mailbox leaves a row, too, for the history of
its old mailbox; but that row does not hold the content, because the message at its new place does. When that one is
expunged, it is kept for longer than the row of the move. So only ``moved`` rows may ever refer to a content that is
gone, and only after somebody had messages forgotten.

``account.retained`` is the weight of all rows: their octets, where they hold the content, and ROW_BYTES for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from mektup.store.retention import ROW_BYTES, Kept
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables import content, past
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import Run, Uids

FORGOTTEN_AT_ONCE: Final = 200
FORGOTTEN_BYTES: Final = 16 * 1024 * 1024
"""How many messages, and about how many of their octets, a step of the background work removes."""

_WEIGHT: Final = f"ifnull(sum(CASE WHEN moved THEN 0 ELSE size END), 0) + count(*) * {ROW_BYTES}"
WEIGHT: Final = f"SELECT {_WEIGHT} FROM retained"


def keep(change: Change, mailbox: MailboxId, runs: Sequence[Run], *, moved: bool = False) -> None:
    """Keeps the messages of *runs*, which are about to be removed from *mailbox*."""
    cursor = change.cursor
    where = "mailbox = ? AND uid BETWEEN ? AND ?"
    cursor.executemany(
        "INSERT INTO retained SELECT NULL, mailbox, uid, flags, ?, content, size, arrived, zone, internaldate, saved, "
        f"?, ? FROM messages WHERE {where}",
        [(change.modseq, change.moment, moved, mailbox, first, last) for first, last in runs],
    )


def weigh(change: Change, octets: int, messages: int) -> None:
    """Adds to the weight of all that is kept."""
    change.cursor.execute("UPDATE account SET retained = retained + ? WHERE id = 1", (octets + messages * ROW_BYTES,))


def leave_gap(change: Change, numbers: int) -> None:
    """Skips *numbers*, because clients may have seen some that are lost."""
    cursor = change.cursor
    cursor.execute("UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'retained'", (numbers,))
    if not cursor.connection.changes():
        cursor.execute("INSERT INTO sqlite_sequence VALUES ('retained', ?)", (numbers,))


def weigh_again(cursor: Cursor) -> None:
    """Computes the weight of all that is kept."""
    cursor.execute(f"UPDATE account SET retained = ({WEIGHT}) WHERE id = 1")


def kept(cursor: Cursor) -> Kept:
    """How much is kept. Reads all rows, so it is for operators."""
    asked = "SELECT count(*), ifnull(sum(size), 0), min(removed) FROM retained WHERE NOT moved"
    return Kept(*cursor.execute(asked).get)


def weight(cursor: Cursor) -> int:
    """See the module."""
    found = cursor.execute("SELECT retained FROM account").get
    return 0 if found is None else int(found)


def is_due(cursor: Cursor, before: int, most_bytes: int) -> bool:
    """Whether there is something to forget. Costs microseconds."""
    with moment(cursor):
        oldest = cursor.execute("SELECT ifnull((SELECT removed FROM retained ORDER BY id LIMIT 1) < ?, 0)", (before,))
        return bool(oldest.get) or weight(cursor) > most_bytes or past.is_due(cursor, before)


def is_due_or_too_much(cursor: Cursor, before: int, most_bytes: int) -> bool:
    """Whether ``forget_some`` has something to do. Counts rows, so it is for a thread."""
    return is_due(cursor, before, most_bytes) or past.is_too_much(cursor)


def forget_some(change: Change, before: int, most_bytes: int) -> bool:
    """Removes some of what was removed before the moment *before*, or is too much; returns whether there was something.

    The oldest go first.
    """
    found = change.cursor.execute(
        "SELECT id, content, size, moved, removed FROM retained ORDER BY id LIMIT ?", (FORGOTTEN_AT_ONCE,)
    ).fetchall()
    left = weight(change.cursor) - most_bytes
    some: list[tuple[Any, ...]] = []
    octets = 0
    for row in found:
        if (row[4] >= before and left <= 0) or octets > FORGOTTEN_BYTES:
            break
        if row[4] >= before:
            past.begin_at(change, row[4])
        some.append(row)
        octets += row[2]
        left -= ROW_BYTES + (0 if row[3] else row[2])
    _free(change, some)
    has_more = past.forget(change, before) or bool(some)
    if has_more:
        past.begin_at(change, min(before, change.moment))
    return has_more


def forget(change: Change, numbers: Uids) -> int:
    """Removes the messages *numbers*, and what was left of them where they were moved; returns how many."""
    held = rows(change.cursor, "id, content, size, moved", numbers)
    _free(change, held)
    cursor = change.cursor
    cursor.execute("DELETE FROM retained WHERE moved AND content NOT IN (SELECT id FROM contents)")
    weigh(change, 0, -cursor.connection.changes())
    return len(held)


def rows(cursor: Cursor, columns: str, numbers: Uids) -> list[tuple[Any, ...]]:
    """The messages of *numbers* that can be brought back."""
    found: list[tuple[Any, ...]] = []
    asked = f"SELECT {columns} FROM retained WHERE id BETWEEN ? AND ? AND NOT moved ORDER BY id"
    for first, last in numbers.runs:
        found += cursor.execute(asked, (first, last)).fetchall()
    return found


def note_back(change: Change, numbers: Uids, octets: int) -> None:
    """Says that *numbers*, of so many octets, are in a mailbox again, which holds their contents."""
    change.cursor.executemany("UPDATE retained SET moved = 1 WHERE id BETWEEN ? AND ?", numbers.runs)
    weigh(change, -octets, 0)


def _free(change: Change, rows: Sequence[tuple[Any, ...]]) -> None:
    """Removes *rows* (number, content, size, moved, ...), and the contents that only they held."""
    if not rows:
        return
    _ = change.modseq  # who knows the mailboxes of deleted messages must see that they changed
    change.cursor.executemany("DELETE FROM retained WHERE id = ?", [(row[0],) for row in rows])
    held = [row for row in rows if not row[3]]
    content.release(change.cursor, [row[1] for row in held])
    weigh(change, -sum(row[2] for row in held), -len(rows))


def note_moved(change: Change, mailbox: MailboxId, runs: Sequence[Run], messages: int) -> None:
    """Keeps what is left of messages that are about to be moved from *mailbox*."""
    if change.keeps_expunged:
        keep(change, mailbox, runs, moved=True)
        weigh(change, 0, messages)
    else:
        past.begin_at(change, change.moment)


def release_or_keep(
    change: Change, mailbox: MailboxId, runs: Sequence[Run], contents: Sequence[int], octets: int
) -> None:
    """Keeps messages that are about to be removed, or frees their contents where nothing is kept."""
    if change.keeps_expunged:
        keep(change, mailbox, runs)
        weigh(change, octets, len(contents))
    else:
        content.release(change.cursor, contents)
        past.begin_at(change, change.moment)
