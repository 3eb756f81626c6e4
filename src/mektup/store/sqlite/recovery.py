"""After a loss of power: UIDs and modseqs that somebody may have seen are not given a second time.

A change of flags alone does not wait for the disk, and any change can be seen for the moment that its
sync takes. A crash of the process loses none of these; a machine that loses power may lose the last
of them, after clients were told. Given again for something else, such a modseq would hide a change for
good and such a UID show one message for another. So the first to open a file after the machine
started, where the last to use it did not close it, leaves a gap in both, and every message counts as
changed: a client that comes back with a modseq (RFC 7162) hears which flags were kept.
"""

from __future__ import annotations

import time
from functools import cache
from pathlib import Path

from mektup.store.sqlite import touched_runs
from mektup.store.sqlite.cursor import Cursor
from mektup.store.sqlite.database import Change
from mektup.terms.numbers import MailboxId

MODSEQ_GAP = 1_000_000
"""More changes than one file sees in the seconds until the system writes its page cache."""

UID_GAP = 1000
"""More messages than can arrive during one sync."""


@cache
def boot() -> str:
    """Names the life of this machine, from start to stop."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"about {round((time.time() - time.monotonic()) / 60)} minutes after 1970"


def is_due(cursor: Cursor, life: str) -> bool:
    """Whether the machine has started since the file was opened last."""
    return cursor.execute("SELECT 1 FROM account WHERE boot <> ?", (life,)).get is not None


def recover(change: Change, life: str, *, was_closed: bool) -> None:
    """Notes the machine's new life, and leaves the gaps unless the file *was_closed* in the old one."""
    if not is_due(change.cursor, life):
        return  # another process was faster
    change.cursor.execute("UPDATE account SET boot = ?", (life,))
    if was_closed:
        return
    change.cursor.execute("UPDATE account SET modseq = modseq + ?", (MODSEQ_GAP,))
    modseq = change.modseq
    # a client may have seen a change of flags that is lost now: to it, what is there instead must be news
    change.cursor.execute("UPDATE messages SET modseq = ?", (modseq,))
    change.cursor.execute(
        "INSERT INTO expunged SELECT id, ?, uidnext, uidnext + ? FROM mailboxes WHERE selectable", (modseq, UID_GAP - 1)
    )
    for (mailbox,) in change.cursor.execute(
        "UPDATE mailboxes SET uidnext = uidnext + ?, highestmodseq = ? WHERE selectable RETURNING id", (UID_GAP, modseq)
    ).fetchall():
        touched_runs.make_anew(change.cursor, mailbox)
        change.touched.add(MailboxId(mailbox))
