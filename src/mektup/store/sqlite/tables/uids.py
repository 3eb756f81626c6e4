"""Sets of UIDs in SQL: any set is read in slices, with one query per slice, whose cost depends on its result.

A long run is a range of the primary key, read up to a number of rows. Short runs are gathered into one JSON array of
integers, each with a first UID and a length, and joined. So a single run and a thousand scattered UIDs, whether they
exist or not, both cost one query per slice. No query stays open between slices, so none stops the WAL from starting
over.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter

from mektup.store.columns import Row
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.sets import NumberSet, Uids

_LENGTH_BITS = 30
_LENGTH_MASK = (1 << _LENGTH_BITS) - 1

SLICE_ROWS = 500
"""How many messages are read at a time: more at a time cost about as much, and hold up other sessions."""

SLICE_BYTES = 1024 * 1024
"""The approximate octets at which a slice ends, although it could have more rows."""

_ROWS_AT_A_TIME = 8
"""How many rows are read between two checks of their octets; at first fewer."""


@dataclass(frozen=True, slots=True)
class Query:
    """A query for each message: expressions over m (messages) and the joined tables."""

    expressions: str
    joins: str = ""
    condition: str = ""
    """Empty, or a condition that starts with AND."""
    wide: tuple[int, ...] = ()
    """The positions in the row of columns that may be large; the UID is at 0."""
    in_range: str = field(init=False)
    in_runs: str = field(init=False)

    def __post_init__(self) -> None:
        select = f"SELECT m.uid, {self.expressions}" if self.expressions else "SELECT m.uid"
        object.__setattr__(
            self,
            "in_range",
            f"{select} FROM messages AS m {self.joins} WHERE m.mailbox = ?1 AND m.uid BETWEEN ?2 AND ?3 "
            f"{self.condition} ORDER BY m.uid LIMIT ?4",
        )
        # rows ascend because the array does; CROSS JOIN stops SQLite from swapping the loops
        object.__setattr__(
            self,
            "in_runs",
            f"{select} FROM json_each(?2) AS run CROSS JOIN messages AS m {self.joins} WHERE m.mailbox = ?1 AND m.uid "
            f"BETWEEN run.value >> {_LENGTH_BITS} AND (run.value >> {_LENGTH_BITS}) + (run.value & {_LENGTH_MASK}) "
            f"{self.condition}",
        )


_last_of = itemgetter(1)


def read_slice(
    cursor: Cursor, query: Query, mailbox: MailboxId, uids: Uids, after: int, rows: int = SLICE_ROWS
) -> tuple[list[Row], int]:
    """The next messages of *uids* with a UID above *after*, and the UID up to which the result is complete.

    Ascending, at most *rows*. The result is empty only where no messages are left; then the UID is the last of *uids*.
    """
    runs = uids.runs
    while True:
        at = bisect_left(runs, after + 1, key=_last_of) if after else 0
        if at == len(runs):
            return [], after
        first, last = max(runs[at][0], after + 1), runs[at][1]
        if at + 1 == len(runs) or last - first >= rows - 1:
            cursor.execute(query.in_range, (mailbox, first, last, rows))
        else:
            packed, last = _gathered(uids, at, first, rows)
            cursor.execute(query.in_runs, (mailbox, packed))
        found, whole = _fetch(cursor, query.wide)
        if not whole or len(found) == rows:
            return found, found[-1][0]
        if found or last == runs[-1][1]:
            return found, last
        after = last


def _gathered(uids: Uids, at: int, first: int, rows: int) -> tuple[str, int]:
    packed: list[int] = []
    last = first
    for start, stop in islice(uids.runs, at, None):
        first = max(first, start)
        last = min(stop, first + rows - 1)
        packed.append(first << _LENGTH_BITS | last - first)
        rows -= last - first + 1
        if rows == 0:
            break
    return f"[{','.join(map(str, packed))}]", last


def _fetch(cursor: Cursor, wide: tuple[int, ...]) -> tuple[list[Row], bool]:
    """The rows, and whether these are all rows of the query; they are not where their octets reach the limit."""
    if not wide:
        return cursor.fetchall(), True
    found: list[Row] = []
    octets = 0
    count = 1
    while octets < SLICE_BYTES:
        some = list(islice(cursor, count))
        found += some
        if len(some) < count:
            return found, True
        octets += sum(len(row[at]) for row in some for at in wide if row[at] is not None)
        if count < _ROWS_AT_A_TIME:
            # starts with few rows, because each may be very large
            count *= 2
    return found, False


def slices(cursor: Cursor, query: Query, mailbox: MailboxId, uids: Uids, rows: int = SLICE_ROWS) -> Iterator[list[Row]]:
    """All messages of *uids*, in slices; the cursor is free for other use in between."""
    after = 0
    while uids and after < uids.last:
        found, after = read_slice(cursor, query, mailbox, uids, after, rows)
        if found:
            yield found


def runs_since(cursor: Cursor, table: str, mailbox: MailboxId, modseq: ModSeq, most: int | None) -> Uids | None:
    """The UIDs above *modseq* in *table*, which has runs of UIDs by modseq; None for more than *most* runs."""
    found = cursor.execute(
        f"SELECT first, last FROM {table} WHERE mailbox = ? AND modseq > ? LIMIT ?",
        (mailbox, modseq, -1 if most is None else most + 1),
    ).fetchall()
    return None if most is not None and len(found) > most else NumberSet(found)
