"""The row of ``account``: the numbers that every change takes, and the mark of a file that was closed properly.

``account.closed`` is the modseq at which the file was last closed properly. A WAL is valid up to some commit; so where
this mark survived, all commits before it survived, too. The next change takes a new modseq, so the two differ, and the
mark need not be removed. But that change must be on disk before anybody sees it, see ``Database``.
"""

from __future__ import annotations

from typing import Final

from mektup.store.sqlite.file.change import AccountRow
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import ModSeq


def take_numbers(cursor: Cursor, modseqs: int, contents: int) -> tuple[int, int, int] | None:
    """See ``AccountRow``, also for the other functions."""
    # with an ID, SQLite knows that the statement changes one row, and keeps no journal for it
    found: tuple[int, int, int] | None = cursor.execute(
        "UPDATE account SET modseq = modseq + ?, content = content + ? WHERE id = 1 RETURNING modseq, content, closed",
        (modseqs, contents),
    ).get
    return found


def last_closed(cursor: Cursor) -> tuple[int, int] | None:
    found: tuple[int, int] | None = cursor.execute("SELECT modseq, closed FROM account").get
    return found


def mark_closed(cursor: Cursor) -> ModSeq | None:
    """Writes that the file was closed properly, while this process has no running change.

    Returns the account's modseq; None where the account is removed. A change of another process in between does no
    harm: it is in the WAL before the mark, so it survives where the mark survives.
    """
    marked: tuple[int, bool] | None = cursor.execute("SELECT modseq, closed = modseq FROM account").get
    if marked is None:
        return None
    modseq, is_closed = marked
    if not is_closed:
        modseq = cursor.execute("UPDATE account SET closed = modseq RETURNING modseq").get
    return ModSeq(modseq)


ACCOUNT_ROW: Final = AccountRow(take_numbers, last_closed, mark_closed)
