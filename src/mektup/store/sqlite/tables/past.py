"""What mailboxes were: the flags that their messages had, the names that they had, and what arrived late.

The flags of messages are not stored twice. A change of flags adds runs of UIDs to ``touched`` in any case. Each run
also has the moment of the change, and how the flag words differ: the old word XOR the new one, the same for the whole
run. So the flags at a moment are those of now, XOR all differences since, in any order; and a STORE writes no row more
for it. When ``touched`` is rebuilt, the runs with a difference move to ``past_flags``.

A message is in its mailbox since ``messages.saved``. Where that is another moment, because the save date was kept when
the message came back, ``late_arrivals`` has the right one.

Everything here is removed in the background after ``limits.expunged_seconds``, see ``retained``. The table of expunged
messages is here, too, because it is part of what mailboxes were.
"""

from __future__ import annotations

from typing import Final

from mektup.store.rules.keyword_sets import KEYWORD_SHIFT
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import Uids

TABLES: Final = """
CREATE TABLE retained (              -- expunged messages, see retained.py
    id INTEGER PRIMARY KEY AUTOINCREMENT,   -- ascends; the UID in the mailboxes of deleted messages
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    modseq INTEGER NOT NULL,        -- of the removal
    content INTEGER NOT NULL,
    size INTEGER NOT NULL,
    arrived INTEGER NOT NULL,
    zone INTEGER NOT NULL,
    internaldate BLOB NOT NULL,
    saved INTEGER NOT NULL,
    removed INTEGER NOT NULL,       -- the moment of the removal, seconds since 1970 UTC
    moved INTEGER NOT NULL          -- 1: the message is elsewhere since, and holds its content there
);
CREATE INDEX retained_by_mailbox ON retained (mailbox);
CREATE TABLE past_flags (           -- runs of "touched" that were in the way there
    moment INTEGER NOT NULL,        -- seconds since 1970 UTC
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    flipped INTEGER NOT NULL,       -- the flag word before XOR the one after
    PRIMARY KEY (moment, mailbox, modseq, first)
) WITHOUT ROWID;
CREATE TABLE past_sets (            -- sets of keywords that a message left: they have to stay as long as its history
    id INTEGER PRIMARY KEY,
    moment INTEGER NOT NULL         -- the last time
);
CREATE TABLE past_names (           -- what a mailbox was before it was renamed, changed or deleted
    id INTEGER PRIMARY KEY,
    ended INTEGER NOT NULL,         -- the moment of that change
    begun INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    name TEXT NOT NULL,
    uidvalidity INTEGER NOT NULL,
    uidnext INTEGER NOT NULL,
    mailboxid TEXT NOT NULL,
    special_use TEXT,
    selectable INTEGER NOT NULL,
    keywords TEXT NOT NULL,
    deleted INTEGER NOT NULL        -- 1 where it was deleted
);
CREATE INDEX past_names_by_mailbox ON past_names (mailbox);
CREATE TABLE late_arrivals (        -- messages that are here for less time than "saved" says
    moment INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (moment, mailbox, first)
) WITHOUT ROWID;
"""
"""Since version 13."""

MOST_NAMES: Final = 10_000
MOST_RUNS: Final = 200_000
"""The most rows of ``past_names``, and of ``past_flags``; the oldest ones go."""

FORGOTTEN_AT_ONCE: Final = 2000
"""How many rows a step of the background work removes."""

FLIPPED: Final = "(({0} | {1}) - ({0} & {1}))"
"""XOR in SQL, which has no such operator."""


def keep_runs(cursor: Cursor, mailbox: MailboxId) -> None:
    """Keeps the differences in the runs of *mailbox*, which are about to be removed."""
    cursor.execute(
        "INSERT INTO past_flags SELECT moment, mailbox, modseq, first, last, flipped FROM touched "
        "WHERE mailbox = ? AND flipped <> 0",
        (mailbox,),
    )


def note_left_sets(change: Change, words: set[int]) -> None:
    """Says that messages left the sets of keywords of *words*."""
    if not words or not change.keeps_expunged:
        return
    left = sorted({number for word in words if (number := word >> KEYWORD_SHIFT)})
    change.cursor.executemany(
        "INSERT OR REPLACE INTO past_sets VALUES (?, ?)", [(each, change.moment) for each in left]
    )


def keep_name(change: Change, mailbox: MailboxId, *, deleted: bool = False) -> None:
    """Keeps what *mailbox* is now, before that changes."""
    if not change.keeps_expunged:
        begin_at(change, change.moment)
        return
    change.cursor.execute(
        "INSERT INTO past_names SELECT NULL, ?, named, id, name, uidvalidity, uidnext, mailboxid, special_use, "
        "selectable, keywords, ? FROM mailboxes WHERE id = ?",
        (change.moment, deleted, mailbox),
    )


def note_late(change: Change, mailbox: MailboxId, uids: Uids) -> None:
    """Says that *uids* arrive now, whatever their save date."""
    change.cursor.executemany(
        "INSERT OR REPLACE INTO late_arrivals VALUES (?, ?, ?, ?)",
        [(change.moment, mailbox, first, last) for first, last in uids.runs],
    )


def begun(cursor: Cursor) -> int:
    """The moment since which the history is complete."""
    found = cursor.execute("SELECT past_from FROM account").get
    return 0 if found is None else int(found)


# Forgetting

_OLD = (
    ("past_flags", "moment, mailbox, modseq, first", "moment"),
    ("past_sets", "id", "moment"),
    ("past_names", "id", "ended"),
    ("late_arrivals", "moment, mailbox, first", "moment"),
)
"""The tables, their keys, and their columns of moments."""


def is_due(cursor: Cursor, before: int) -> bool:
    """Whether there is something older than *before*. Costs microseconds."""
    first = (
        "(SELECT moment FROM past_flags ORDER BY moment LIMIT 1)",
        "(SELECT ended FROM past_names ORDER BY id LIMIT 1)",
        "(SELECT moment FROM late_arrivals ORDER BY moment LIMIT 1)",
        "(SELECT min(moment) FROM past_sets)",
    )
    return any(cursor.execute(f"SELECT ifnull({each} < ?, 0)", (before,)).get for each in first)


def is_too_much(cursor: Cursor) -> bool:
    """Whether there is more than may be kept. Counts rows, so it is for a thread."""
    names, runs = cursor.execute("SELECT (SELECT count(*) FROM past_names), (SELECT count(*) FROM past_flags)").get
    return bool(names > MOST_NAMES or runs > MOST_RUNS)


def forget(change: Change, before: int) -> bool:
    """Removes some of what is older than *before*, or too much; returns whether there was something."""
    cursor = change.cursor
    gone = 0
    for table, key, moment in _OLD:
        cursor.execute(
            f"DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {moment} < ? LIMIT ?)",
            (before, FORGOTTEN_AT_ONCE),
        )
        gone += cursor.connection.changes()
    for table, order, column, most in (
        ("past_flags", "moment, mailbox, modseq, first", "moment", MOST_RUNS),
        ("past_names", "id", "ended", MOST_NAMES),
    ):
        over = cursor.execute(f"SELECT count(*) FROM {table}").get - most
        if over > 0:
            oldest = f"SELECT {order} FROM {table} ORDER BY {order} LIMIT {min(over, FORGOTTEN_AT_ONCE)}"
            latest = f"SELECT max({column}) FROM {table} WHERE ({order}) IN ({oldest})"
            begin_at(change, cursor.execute(latest).get)
            cursor.execute(f"DELETE FROM {table} WHERE ({order}) IN ({oldest})")
            gone += cursor.connection.changes()
    return bool(gone)


def begin_at(change: Change, moment: int) -> None:
    """Says that nothing before *moment* can be told exactly any more."""
    change.cursor.execute("UPDATE account SET past_from = max(past_from, ?) WHERE id = 1", (moment,))
