"""The expunged UIDs with their modseqs: kept as runs, and joined before there are too many.

Each expunge adds its runs, so a mailbox that was emptied a thousand times has many. The latest runs stay exact: a
client that resynchronises (QRESYNC) learns exactly which messages were expunged. Older runs are joined where they
touch, and all get the latest of their modseqs. Then there is at most one run more than there are messages. A client
with a lower modseq also gets UIDs that it already knows as expunged. That is allowed: a server may even remember no
runs, and report every UID that does not exist (RFC 7162 §3.2.5.2).
"""

from __future__ import annotations

from typing import Final

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MailboxId

KEPT_RUNS: Final = 1000
"""How many of the latest runs stay exact."""

MANY_RUNS: Final = 2 * KEPT_RUNS
"""A mailbox with more runs than this, plus two for each message, gets its runs joined."""

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
    """A mailbox with too many runs; None where there is none."""
    found = cursor.execute(_MANY).get
    return None if found is None else MailboxId(found)


def join(change: Change, mailbox: MailboxId) -> None:
    """Joins the runs of *mailbox*, except for the latest."""
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
