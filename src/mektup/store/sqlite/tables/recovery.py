"""What ``rules.gaps`` says is done to the tables: gaps are left, or mailboxes renewed.

That a file was closed well is written in it: ``account.closed`` is the modseq at which somebody closed it. The frames
of a WAL are there up to some commit or not at all; so where this one is there, so is all before it. The next change
takes a modseq, and the two differ: nothing need be written to take it back. But that change must be on disk before
anybody sees it, see ``Database``.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

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
from mektup.store.sqlite.tables import changed_runs
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import MAX_UINT32, MailboxId, ModSeq


@cache
def boot() -> str:
    """Names the life of this machine, from start to stop."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"about {round((time.time() - time.monotonic()) / 60)} minutes after 1970"


def loss(cursor: Cursor, now: Now) -> Loss:
    """What may be lost of the file."""
    row = cursor.execute("SELECT modseq, closed, boot, place FROM account").get
    if row is None:  # the account is being removed
        return Loss.NOTHING
    return loss_of(Kept(*row), now)


def is_same_life(cursor: Cursor, life: str) -> bool:
    """Whether the machine has not been started since the file was opened last."""
    return cursor.execute("SELECT 1 FROM account WHERE boot = ?", (life,)).get is not None


def is_due(cursor: Cursor, now: Now) -> bool:
    """Whether ``recover`` has something to do."""
    there = cursor.execute("SELECT 1 FROM account WHERE boot <> ? OR place <> ?", (now.life, now.place)).get
    return there is not None or loss(cursor, now) is not Loss.NOTHING


def recover(change: Change, now: Now) -> Loss:
    """Notes the machine's new life and where the file lies; leaves what gaps are needed, and says for what."""
    found = loss(change.cursor, now)  # again: another process may have been faster
    change.cursor.execute("UPDATE account SET boot = ?, place = ?", (now.life, now.place))
    # nobody may see the new numbers before they are on disk: after another loss of power they would be given again
    change.is_first = found is not Loss.NOTHING
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


def _leave_gap(change: Change, uids: int, modseqs: int) -> None:
    change.cursor.execute("UPDATE account SET modseq = modseq + ?", (modseqs,))
    modseq = change.modseq
    # a client may have seen a change of flags that is lost now: to it, what is there instead must be news
    change.cursor.execute("UPDATE messages SET modseq = ?", (modseq,))
    change.cursor.execute(
        "INSERT INTO expunged SELECT id, ?, uidnext, uidnext + ? FROM mailboxes WHERE selectable", (modseq, uids - 1)
    )
    for (mailbox,) in change.cursor.execute(
        "UPDATE mailboxes SET uidnext = uidnext + ?, highestmodseq = ? WHERE selectable RETURNING id", (uids, modseq)
    ).fetchall():
        changed_runs.make_anew(change.cursor, mailbox)
        change.touched.add(MailboxId(mailbox))


def renew(change: Change, seen: int = 0) -> None:
    """Gives every mailbox a new UIDVALIDITY, and numbers that no client and no session has met.

    Whoever has one open loses it, as if it were deleted. *seen* is a modseq that was given. Raises Refused(LIMIT).
    """
    cursor = change.cursor
    cursor.execute(
        "UPDATE account SET modseq = max(modseq, ?) + ?, content = content + ?", (seen, OLD_MODSEQ_GAP, OLD_CONTENT_GAP)
    )
    modseq = change.modseq
    first = next_uidvalidity(cursor.execute("SELECT uidvalidity FROM account").get, int(time.time()))
    last_id = cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'mailboxes'").get or 0
    new_id = last_id + OLD_MAILBOX_GAP
    cursor.execute("UPDATE messages SET modseq = ?", (modseq,))
    for uidvalidity, (old,) in enumerate(cursor.execute("SELECT id FROM mailboxes ORDER BY id").fetchall(), first):
        if uidvalidity > MAX_UINT32:
            raise Refused(Code.LIMIT, "No UIDVALIDITY is left")
        new_id += 1
        cursor.execute(
            "UPDATE mailboxes SET id = ?, uidvalidity = ?, highestmodseq = ?, mailboxid = ? WHERE id = ?",
            (new_id, uidvalidity, modseq, new_mailboxid(), old),
        )
        for table in ("messages", "expunged", "header_fields"):
            cursor.execute(f"UPDATE {table} SET mailbox = ? WHERE mailbox = ?", (new_id, old))
        cursor.execute("DELETE FROM touched WHERE mailbox = ?", (old,))
        changed_runs.make_anew(cursor, MailboxId(new_id))
        cursor.execute("UPDATE account SET uidvalidity = max(uidvalidity, ?)", (uidvalidity,))
        change.touched |= {MailboxId(old), MailboxId(new_id)}
    cursor.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'mailboxes'", (new_id,))


def mark_closed(cursor: Cursor) -> ModSeq | None:
    """Writes that the file was closed well. To be called with no change of this process under way.

    Its modseq; None where the account is removed. A change of another process that comes in between harms nothing: it
    is in the WAL before the mark, so it is there where the mark is.
    """
    marked: tuple[int, bool] | None = cursor.execute("SELECT modseq, closed = modseq FROM account").get
    if marked is None:
        return None
    modseq, is_closed = marked
    if not is_closed:
        modseq = cursor.execute("UPDATE account SET closed = modseq RETURNING modseq").get
    return ModSeq(modseq)
