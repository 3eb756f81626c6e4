"""A mailbox's row during a change: read before, written after, with its counters and the runs of what changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from mektup.store.rules.counters import Box
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import changed_runs
from mektup.terms.numbers import MailboxId


@dataclass(slots=True)
class OpenBox(Box):
    """A mailbox during a change, with the counts that ``changed_runs`` needs."""

    there: int
    """The number of messages before the change."""
    runs: int
    """The number of runs, see ``changed_runs``."""


def open_box(cursor: Cursor, mailbox: MailboxId) -> OpenBox:
    """The state of *mailbox*. Raises Refused(NONEXISTENT), also where it is not selectable."""
    row = cursor.execute(
        "SELECT uidvalidity, uidnext, highestmodseq, recent_from, keywords, messages, runs "
        "FROM mailboxes WHERE id = ? AND selectable",
        (mailbox,),
    ).get
    if row is None:
        raise no_such_mailbox()
    return OpenBox(mailbox, *row)


def close_box(change: Change, box: OpenBox, touched: Iterable[changed_runs.Touched] = ()) -> None:
    """Writes the changed *box*, and which of its messages were *touched*."""
    box.runs += changed_runs.note(change, box.id, touched)
    if changed_runs.are_many(box.runs, box.there + box.messages):
        change.afterwards = partial(_rebuild_runs, mailbox=box.id)
    change.cursor.execute(
        "UPDATE mailboxes SET highestmodseq = ?, uidnext = ?, keywords = ?, runs = ?, messages = messages + ?, "
        "unseen = unseen + ?, deleted = deleted + ?, size = size + ?, recent = recent + ? WHERE id = ?",
        (
            change.modseq,
            box.uidnext,
            box.keywords,
            box.runs,
            box.messages,
            box.unseen,
            box.deleted,
            box.size,
            box.recent,
            box.id,
        ),
    )
    change.messages_added += box.messages
    change.octets_added += box.size
    change.touched.add(box.id)


def _rebuild_runs(change: Change, mailbox: MailboxId) -> None:
    changed_runs.rebuild(change.cursor, mailbox)
