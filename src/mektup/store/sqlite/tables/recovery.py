"""Applies ``rules.gaps`` to the tables: leaves gaps, or renews mailboxes."""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from mektup.store import texts
from mektup.store.rules.counters import next_uidvalidity
from mektup.store.rules.gaps import (
    MODSEQ_GAP,
    OLD_CONTENT_GAP,
    OLD_MAILBOX_GAP,
    OLD_MODSEQ_GAP,
    OLD_UID_GAP,
    UID_GAP,
    Kept,
    Loss,
    Now,
    has_room_for_gap,
    loss_of,
)
from mektup.store.rules.mailbox_names import new_mailboxid
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import account_log, changed_runs, past, retained
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq

_OF_MAILBOXES = (
    "messages",
    "expunged",
    "header_fields",
    "access",
    "metadata",
    "imported",
    "retained",
    "past_flags",
    "past_names",
    "late_arrivals",
)
"""The tables whose rows stay with a mailbox that gets another ID."""


@cache
def boot() -> str:
    """The ID of the machine's current boot."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"about {round((time.time() - time.monotonic()) / 60)} minutes after 1970"


def loss(cursor: Cursor, now: Now) -> Loss:
    """How much of the file may be lost."""
    row = cursor.execute("SELECT modseq, closed, boot, place FROM account").get
    if row is None:  # the account is being removed
        return Loss.NOTHING
    return loss_of(Kept(*row), now)


def is_same_life(cursor: Cursor, life: str) -> bool:
    """Whether the machine was not restarted since the file was last opened."""
    return cursor.execute("SELECT 1 FROM account WHERE boot = ?", (life,)).get is not None


def is_due(cursor: Cursor, now: Now) -> bool:
    """Whether ``recover`` has something to do."""
    there = cursor.execute("SELECT 1 FROM account WHERE boot <> ? OR place <> ?", (now.life, now.place)).get
    return there is not None or loss(cursor, now) is not Loss.NOTHING


def recover(change: Change, now: Now) -> Loss:
    """Records the machine's boot and the file's place, and leaves the necessary gaps; returns their reason."""
    found = loss(change.cursor, now)  # computed again, as another process may have been faster
    change.cursor.execute("UPDATE account SET boot = ?, place = ?", (now.life, now.place))
    match found:
        case Loss.LAST_MOMENT:
            _leave_gap(change, UID_GAP, MODSEQ_GAP)
        case Loss.PERHAPS_MUCH:
            uidnext = change.cursor.execute("SELECT ifnull(max(uidnext), 0) FROM mailboxes").get
            if has_room_for_gap(uidnext):
                _leave_gap(change, OLD_UID_GAP, OLD_MODSEQ_GAP)
            else:
                renew(change, now.seen)
        case Loss.MUCH:
            renew(change, now.seen)
    return found


def _take_far_modseq(change: Change) -> ModSeq:
    """The modseq of *change* after a gap.

    Nobody may see it before it is on disk: after another loss of power, lower ones would be used.
    """
    modseq = change.modseq
    change.is_first = True
    return modseq


def _leave_gap(change: Change, uids: int, modseqs: int) -> None:
    change.cursor.execute("UPDATE account SET modseq = modseq + ?", (modseqs,))
    modseq = _take_far_modseq(change)
    account_log.clear(change)
    # a client may have seen a change of flags that is lost now, so the current flags must count as changed
    change.cursor.execute("UPDATE messages SET modseq = ?", (modseq,))
    retained.leave_gap(change, uids)
    change.cursor.execute(
        "INSERT INTO expunged SELECT id, ?, uidnext, uidnext + ? FROM mailboxes WHERE selectable", (modseq, uids - 1)
    )
    for (mailbox,) in change.cursor.execute(
        "UPDATE mailboxes SET uidnext = uidnext + ?, highestmodseq = ? WHERE selectable RETURNING id", (uids, modseq)
    ).fetchall():
        changed_runs.rebuild(change.cursor, mailbox)
        change.touched.add(MailboxId(mailbox))


def renew(change: Change, seen: int = 0) -> None:
    """Gives every mailbox a new UIDVALIDITY, and numbers that no client and no session has seen.

    Sessions lose their open mailboxes, as if these were deleted. *seen* is a modseq that was used. Raises
    Refused(LIMIT).
    """
    cursor = change.cursor
    cursor.execute(
        "UPDATE account SET modseq = max(modseq, ?) + ?, content = content + ?", (seen, OLD_MODSEQ_GAP, OLD_CONTENT_GAP)
    )
    modseq = _take_far_modseq(change)
    account_log.clear(change)
    retained.leave_gap(change, OLD_UID_GAP)
    past.begin_at(change, change.moment)
    first = next_uidvalidity(cursor.execute("SELECT uidvalidity FROM account").get, change.moment)
    last_id = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'mailboxes'").get or 0
    new_id = last_id + OLD_MAILBOX_GAP
    cursor.execute("UPDATE messages SET modseq = ?", (modseq,))
    for uidvalidity, (old,) in enumerate(cursor.execute("SELECT id FROM mailboxes ORDER BY id").fetchall(), first):
        if uidvalidity > MAX_UINT32:
            raise Refused(Code.LIMIT, texts.NO_UIDVALIDITY_LEFT)
        new_id += 1
        cursor.execute(
            "UPDATE mailboxes SET id = ?1, uidvalidity = ?2, highestmodseq = ?3, mailboxid = ?4, created = ?3, "
            "changed = ?3 WHERE id = ?5",
            (new_id, uidvalidity, modseq, new_mailboxid(), old),
        )
        past.keep_runs(cursor, MailboxId(old))
        for table in _OF_MAILBOXES:
            cursor.execute(f"UPDATE {table} SET mailbox = ? WHERE mailbox = ?", (new_id, old))
        cursor.execute("DELETE FROM touched WHERE mailbox = ?", (old,))
        changed_runs.rebuild(cursor, MailboxId(new_id))
        cursor.execute("UPDATE account SET uidvalidity = max(uidvalidity, ?)", (uidvalidity,))
        change.touched |= {MailboxId(old), MailboxId(new_id)}
    cursor.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'mailboxes'", (new_id,))
