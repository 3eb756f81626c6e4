"""The messages that each change touched, as runs of UIDs by modseq, so that changes since a modseq are found quickly.

A change that adds messages or changes flags records their UIDs as runs. A message may change again later, or be
expunged. But each message is always in a run of its current modseq. So the changes since a modseq are the messages of
all later runs, without those expunged since.

Where flags changed, a run also has the moment of the change and how the flag words differ, for ``past``. Such a run has
messages whose words differ in the same way.

An index of ``messages`` would give the same answer, but a STORE would rewrite it for each message. Runs are few, but
they are only ever added. When there are too many for the number of messages, they are rebuilt from ``messages``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import past
from mektup.store.sqlite.tables.uids import runs_since
from mektup.terms.numbers import MailboxId, ModSeq
from mektup.terms.sets import Uids

TABLE: Final = """
CREATE TABLE touched (
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    moment INTEGER NOT NULL DEFAULT 0,  -- when flags changed, in seconds since 1970 UTC; 0 where messages arrived
    flipped INTEGER NOT NULL DEFAULT 0, -- the flag word before XOR the one after; 0 where messages arrived
    PRIMARY KEY (mailbox, modseq, first)
) WITHOUT ROWID;
"""

Touched = tuple[ModSeq, Uids, int]
"""Messages that a change touched: its modseq, and how their flag words differ from those before, or 0."""

SPARE_RUNS: Final = 1000
"""How many runs a mailbox may have, in addition to two for each message."""

_RUNS_OF_MESSAGES = """
INSERT INTO touched SELECT ?1, modseq, min(uid), max(uid), 0, 0 FROM (
    SELECT uid, modseq, uid - row_number() OVER (PARTITION BY modseq ORDER BY uid) AS run
    FROM messages WHERE mailbox = ?1
) GROUP BY modseq, run
"""
"""In a run of UIDs, the UID minus the row number is constant."""


def note(change: Change, mailbox: MailboxId, touched: Iterable[Touched]) -> int:
    """Adds messages that *change* touched; returns the number of runs."""
    rows = [
        (mailbox, modseq, first, last, change.moment if flipped else 0, flipped)
        for modseq, uids, flipped in touched
        for first, last in uids.runs
    ]
    change.cursor.executemany("INSERT INTO touched VALUES (?, ?, ?, ?, ?, ?)", rows)
    return len(rows)


def since(cursor: Cursor, mailbox: MailboxId, modseq: ModSeq, most: int | None = None) -> Uids | None:
    """All messages with a modseq above *modseq*, and maybe expunged ones; None for more than *most* runs."""
    return runs_since(cursor, "touched", mailbox, modseq, most)


def are_many(runs: int, messages: int) -> bool:
    """Whether a mailbox has so many *runs* that they should be rebuilt; then there are at most *messages* runs."""
    return runs > SPARE_RUNS + 2 * messages


def rebuild(cursor: Cursor, mailbox: MailboxId) -> None:
    """Rebuilds a mailbox's runs from ``messages``, and counts them."""
    past.keep_runs(cursor, mailbox)
    build(cursor, mailbox)


def build(cursor: Cursor, mailbox: MailboxId) -> None:
    """Like ``rebuild``, and forgets how flags changed."""
    cursor.execute("DELETE FROM touched WHERE mailbox = ?", (mailbox,))
    cursor.execute(_RUNS_OF_MESSAGES, (mailbox,))
    cursor.execute(
        "UPDATE mailboxes SET runs = (SELECT count(*) FROM touched WHERE mailbox = ?1) WHERE id = ?1", (mailbox,)
    )
