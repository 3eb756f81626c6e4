"""Which messages each change touched, by its modseq: what changed in a mailbox since costs what it finds.

A change that lets messages come, or gives them other flags, notes their UIDs as runs. These may have been touched
again since, or be gone. But each message stands in a run of the modseq that it has now; so those that changed since
a modseq are those of all runs above it, less what was expunged since.

An index of ``messages`` would say the same, and be written anew for each message of a STORE. The runs are few, but
they are only ever added to: when they have become many for so many messages, they are made anew from ``messages``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables.uids import runs_since
from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.sets import Uids

TABLE: Final = """
CREATE TABLE touched (
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) WITHOUT ROWID;
"""

SPARE_RUNS: Final = 1000
"""How many a mailbox may have beyond two for each message."""

_RUNS_OF_MESSAGES = """
INSERT INTO touched SELECT ?1, modseq, min(uid), max(uid) FROM (
    SELECT uid, modseq, uid - row_number() OVER (PARTITION BY modseq ORDER BY uid) AS run
    FROM messages WHERE mailbox = ?1
) GROUP BY modseq, run
"""
"""Within a run of UIDs, each is as much higher than the one before as its place is."""


def note(cursor: Cursor, mailbox: MailboxId, changes: Iterable[tuple[ModSeq, Uids]]) -> int:
    """Adds what *changes*, each of a modseq of its own, touched; returns how many runs that is."""
    rows = [(mailbox, modseq, first, last) for modseq, uids in changes for first, last in uids.runs]
    cursor.executemany("INSERT INTO touched VALUES (?, ?, ?, ?)", rows)
    return len(rows)


def since(cursor: Cursor, mailbox: MailboxId, modseq: ModSeq, most: int | None = None) -> Uids | None:
    """Each message with a modseq above *modseq*, and maybe some that are gone; None for more than *most* runs."""
    return runs_since(cursor, "touched", mailbox, modseq, most)


def are_many(runs: int, messages: int) -> bool:
    """Whether so many *runs* of a mailbox are to be made anew; afterwards there are at most as many as messages."""
    return runs > SPARE_RUNS + 2 * messages


def make_anew(cursor: Cursor, mailbox: MailboxId) -> None:
    """Leaves what ``messages`` says, and counts it."""
    cursor.execute("DELETE FROM touched WHERE mailbox = ?", (mailbox,))
    cursor.execute(_RUNS_OF_MESSAGES, (mailbox,))
    cursor.execute(
        "UPDATE mailboxes SET runs = (SELECT count(*) FROM touched WHERE mailbox = ?1) WHERE id = ?1", (mailbox,)
    )
