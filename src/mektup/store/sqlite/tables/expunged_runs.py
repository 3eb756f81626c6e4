"""Which UIDs are gone, and since when: kept as runs, and joined before they become many.

Each expunge adds its runs, so a mailbox that was emptied a thousand times has them all. The latest are kept as they
are: a client that comes back (QRESYNC) hears exactly what went since. What is older is joined, runs that touch become
one, and all of it counts as gone at the latest of its modseqs. Then there is at most one run more than there are
messages. Who comes back with a modseq below that hears of UIDs that it knew to be gone, which is allowed: a server may
even remember none of them, and tell of every UID that is not there (RFC 7162 §3.2.5.2).
"""

from __future__ import annotations

from typing import Final

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MailboxId

KEPT_RUNS: Final = 1000
"""The latest, which stay exact."""

MANY_RUNS: Final = 2 * KEPT_RUNS
"""Beyond two for each message, at which a mailbox's are joined."""

_MANY: Final = f"""
SELECT e.mailbox FROM expunged AS e LEFT JOIN mailboxes AS m ON m.id = e.mailbox
GROUP BY e.mailbox HAVING count(*) > {MANY_RUNS} + 2 * ifnull(m.messages, 0) LIMIT 1
"""

_JOINED: Final = """
WITH old AS (SELECT first, last FROM expunged WHERE mailbox = ?1 AND modseq <= ?2),
begun AS (SELECT first, last, first > ifnull(max(last) OVER before, -1) + 1 AS begins FROM old
          WINDOW before AS (ORDER BY first ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)),
numbered AS (SELECT first, last, sum(begins) OVER (ORDER BY first ROWS UNBOUNDED PRECEDING) AS run FROM begun)
SELECT min(first), max(last) FROM numbered GROUP BY run
"""


def many(cursor: Cursor) -> MailboxId | None:
    """A mailbox that has many runs; None where none has."""
    found = cursor.execute(_MANY).get
    return None if found is None else MailboxId(found)


def join(change: Change, mailbox: MailboxId) -> None:
    """Joins those of *mailbox* that are not among the latest."""
    cursor = change.cursor
    newest_joined = cursor.execute(
        "SELECT modseq FROM expunged WHERE mailbox = ? ORDER BY modseq DESC LIMIT 1 OFFSET ?", (mailbox, KEPT_RUNS)
    ).get
    if newest_joined is None:
        return
    runs = cursor.execute(_JOINED, (mailbox, newest_joined)).fetchall()
    cursor.execute("DELETE FROM expunged WHERE mailbox = ? AND modseq <= ?", (mailbox, newest_joined))
    cursor.executemany(
        "INSERT INTO expunged VALUES (?, ?, ?, ?)", [(mailbox, newest_joined, first, last) for first, last in runs]
    )
