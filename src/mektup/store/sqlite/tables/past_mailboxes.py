"""Mailboxes of the past as temporary tables of a connection: the deleted messages, or the state at a moment.

Temporary tables hide those of the file that have the same names. So everything that reads ``messages`` and
``mailboxes`` reads the past on such a connection, and the octets of messages are still those of the file. The rows are
in temporary files of SQLite, so memory is bounded. Mailboxes are filled when somebody asks for them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import apsw

from mektup.store.retention import DELETED_MAIL
from mektup.store.rules.counters import DELETED, SEEN
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import changed_runs, past
from mektup.store.sqlite.tables.restoring import place
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import NumberSet, Uids

_HIDDEN: Final = (
    "account",
    "mailboxes",
    "subscriptions",
    "messages",
    "expunged",
    "touched",
    "header_fields",
    "tombstones",
    "access",
    "quota",
    "metadata",
)
"""The tables of the file that the past has its own ones of."""

ALL_DELETED: Final = MailboxId(1 << 40)
"""The mailbox of all deleted messages. No other one gets this ID."""


def prepare(connection: apsw.Connection) -> None:
    """Makes the temporary tables, empty. Raises apsw's errors."""
    connection.execute("PRAGMA temp_store = FILE")
    for table in _HIDDEN:
        sql = connection.execute("SELECT sql FROM main.sqlite_schema WHERE name = ?", (table,)).get
        connection.execute(re.sub(r"^CREATE TABLE (\w+)", r"CREATE TABLE temp.\1", sql))
    connection.execute("CREATE INDEX temp.messages_by_content ON messages (content)")
    connection.execute("INSERT INTO temp.account SELECT * FROM main.account")


@dataclass(slots=True)
class Filled:
    """What a connection has of the past."""

    moment: int | None
    """The end of this second; None for the deleted messages."""
    of: dict[MailboxId, int]
    """The account's modseq when each mailbox was filled; a moment of the past is filled once."""
    modseq: int = 0
    """The account's modseq when the list of mailboxes was made."""


def modseq(cursor: Cursor) -> int:
    """The present modseq of the account."""
    found = cursor.execute("SELECT modseq FROM main.account").get
    return 0 if found is None else int(found)


def is_up_to_date(cursor: Cursor, filled: Filled) -> bool:
    """Whether nothing changed since the list of mailboxes was made."""
    return filled.modseq == modseq(cursor) or (filled.moment is not None and bool(filled.modseq))


def list_mailboxes(change: Change, filled: Filled) -> None:
    """Brings the list of mailboxes up to date, without counters."""
    cursor = change.cursor
    now = modseq(cursor)
    if filled.moment is None:
        _list_deleted(cursor, now)
    else:
        cursor.execute(_NAMES_AT, (filled.moment, now))
    cursor.execute("UPDATE temp.account SET modseq = ?", (now,))
    filled.modseq = now


_NAMED: Final = (
    "INSERT OR IGNORE INTO temp.mailboxes (id, name, uidvalidity, uidnext, highestmodseq, mailboxid, special_use, "
    "selectable, keywords) "
)
_NAMES_AT: Final = f"""
{_NAMED}
SELECT id, name, uidvalidity, 1, ?2, mailboxid, special_use, selectable, keywords FROM main.mailboxes WHERE named <= ?1
UNION ALL
SELECT mailbox, name, uidvalidity, 1, ?2, mailboxid, special_use, selectable, keywords FROM main.past_names
WHERE begun <= ?1 AND ended > ?1
"""


def _list_deleted(cursor: Cursor, now: int) -> None:
    validity = cursor.execute("SELECT uidvalidity FROM main.mailboxes WHERE name = 'INBOX'").get
    keywords = " ".join(
        dict.fromkeys(
            name
            for (names,) in cursor.execute(
                "SELECT keywords FROM main.mailboxes UNION ALL SELECT keywords FROM main.past_names"
            ).fetchall()
            for name in names.split()
        )
    )
    found = cursor.execute("SELECT DISTINCT mailbox FROM main.retained WHERE NOT moved ORDER BY mailbox").fetchall()
    names: dict[str, MailboxId] = {DELETED_MAIL: ALL_DELETED}
    for (mailbox,) in found:
        names.setdefault(place(cursor, mailbox, "main.")[0], MailboxId(mailbox))
    known = dict(cursor.execute("SELECT name, id FROM temp.mailboxes").fetchall())
    for name in known.keys() - names.keys():
        # a mailbox from which nothing is left stays, empty, for those who have it open
        names[name] = known[name]
    for name, mailbox in names.items():
        cursor.execute(
            _NAMED + "VALUES (?, ?, ?, 1, ?, ?, NULL, 1, ?)",
            (known.get(name, mailbox), name, validity, now, f"D{validity}-{known.get(name, mailbox)}", keywords),
        )
    # numbers are never given twice, so UIDNEXT does not go back when messages come back
    uidnext = (cursor.execute("SELECT seq FROM main.sqlite_sequence WHERE name = 'retained'").get or 0) + 1
    cursor.execute(
        "UPDATE temp.mailboxes SET keywords = ?, uidvalidity = ?, uidnext = ?", (keywords, validity, uidnext)
    )


# Messages

_DELETED_ROWS: Final = f"""
SELECT ?1, id, flags & ~{DELETED}, modseq, content, size, arrived, zone, internaldate, removed FROM main.retained
WHERE NOT moved
"""

_ROWS_AT: Final = """
SELECT mailbox, uid, flags, 1, content, size, arrived, zone, internaldate, saved FROM main.messages
WHERE mailbox = ?1 AND saved <= ?2
UNION ALL
SELECT mailbox, uid, flags, 1, content, size, arrived, zone, internaldate, saved FROM main.retained
WHERE mailbox = ?1 AND saved <= ?2 AND removed > ?2 AND content IN (SELECT id FROM main.contents)
"""

_COUNT: Final = f"""
UPDATE temp.mailboxes SET (messages, unseen, deleted, size, uidnext) = (
    SELECT count(*), ifnull(sum(flags & {SEEN} = 0), 0), ifnull(sum(flags & {DELETED} <> 0), 0),
           ifnull(sum(size), 0), max(ifnull(max(uid), 0) + 1, temp.mailboxes.uidnext)
    FROM temp.messages WHERE mailbox = temp.mailboxes.id
), highestmodseq = ?2, recent_from = 4294967295 WHERE id = ?1
"""

_EXISTING: Final = """
SELECT min(uid), max(uid) FROM (
    SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM temp.messages WHERE mailbox = ?
) GROUP BY run ORDER BY run
"""


def is_filled(cursor: Cursor, filled: Filled, mailbox: MailboxId) -> bool:
    """Whether the messages of *mailbox* are up to date."""
    at = filled.of.get(mailbox)
    return at is not None and (filled.moment is not None or at == modseq(cursor))


def ids(cursor: Cursor, which: str | MailboxId | None) -> list[MailboxId]:
    """The mailbox of that name or ID, if there is one; all for None."""
    asked = "SELECT id FROM temp.mailboxes"
    if which is None:
        rows = cursor.execute(asked)
    elif isinstance(which, str):
        rows = cursor.execute(f"{asked} WHERE name = ?", (mailbox_key(which),))
    else:
        rows = cursor.execute(f"{asked} WHERE id = ?", (which,))
    return [MailboxId(each) for (each,) in rows.fetchall()]


def fill(change: Change, filled: Filled, mailbox: MailboxId) -> None:
    """Brings the messages of *mailbox* up to date."""
    cursor = change.cursor
    now = modseq(cursor)
    before: Uids = NumberSet(cursor.execute(_EXISTING, (mailbox,)).fetchall())
    cursor.execute("DELETE FROM temp.messages WHERE mailbox = ?", (mailbox,))
    if filled.moment is None:
        _fill_deleted(cursor, mailbox)
    else:
        cursor.execute(f"INSERT OR IGNORE INTO temp.messages {_ROWS_AT}", (mailbox, filled.moment))
        _leave_out_late(cursor, mailbox, filled.moment)
        _undo_flags(cursor, mailbox, filled.moment)
    there: Uids = NumberSet(cursor.execute(_EXISTING, (mailbox,)).fetchall())
    cursor.execute(_COUNT, (mailbox, now))
    uidnext = cursor.execute("SELECT uidnext FROM temp.mailboxes WHERE id = ?", (mailbox,)).get
    noted: Uids = NumberSet(
        cursor.execute("SELECT first, last FROM temp.expunged WHERE mailbox = ?", (mailbox,)).fetchall()
    )
    gone = (before | (NumberSet.span(1, uidnext - 1) if uidnext > 1 else NumberSet())) - there - noted
    cursor.executemany(
        "INSERT INTO temp.expunged VALUES (?, ?, ?, ?)", [(mailbox, now, first, last) for first, last in gone.runs]
    )
    changed_runs.build(cursor, mailbox)
    filled.of[mailbox] = now


def _fill_deleted(cursor: Cursor, mailbox: MailboxId) -> None:
    if mailbox == ALL_DELETED:
        cursor.execute(f"INSERT INTO temp.messages {_DELETED_ROWS}", (mailbox,))
        return
    name = cursor.execute("SELECT name FROM temp.mailboxes WHERE id = ?", (mailbox,)).get
    found = cursor.execute("SELECT DISTINCT mailbox FROM main.retained WHERE NOT moved").fetchall()
    for (old,) in found:
        if place(cursor, old, "main.")[0] == name:
            cursor.execute(f"INSERT INTO temp.messages {_DELETED_ROWS} AND mailbox = ?2", (mailbox, old))


def _leave_out_late(cursor: Cursor, mailbox: MailboxId, moment: int) -> None:
    """Removes messages that came after *moment* although their save date is earlier."""
    late = cursor.execute(
        "SELECT first, last FROM main.late_arrivals WHERE mailbox = ? AND moment > ?", (mailbox, moment)
    ).fetchall()
    cursor.executemany(
        "DELETE FROM temp.messages WHERE mailbox = ? AND uid BETWEEN ? AND ?",
        [(mailbox, first, last) for first, last in late],
    )


def _undo_flags(cursor: Cursor, mailbox: MailboxId, moment: int) -> None:
    """Takes the changes of flags after *moment* back."""
    for table in ("touched", "past_flags"):
        runs = cursor.execute(
            f"SELECT flipped, first, last FROM main.{table} WHERE mailbox = ? AND moment > ? AND flipped <> 0",
            (mailbox, moment),
        ).fetchall()
        cursor.executemany(
            f"UPDATE temp.messages SET flags = {past.FLIPPED.format('flags', '?1')} "
            "WHERE mailbox = ?4 AND uid BETWEEN ?2 AND ?3",
            [(*run, mailbox) for run in runs],
        )
