"""Brings expunged messages back, see ``retained``: to where they were, or to another mailbox."""

from __future__ import annotations

from typing import Any

from mektup.store.retention import DeletedMessage, Restored, RestoredAll
from mektup.store.rules import retention as rules
from mektup.store.rules.counters import DELETED
from mektup.store.rules.mailbox_names import no_such_target
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.tables import content, mailboxes, messages, retained
from mektup.store.sqlite.tables.keywords import SqliteKeywordSets
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq, Uid
from mektup.terms.sets import NumberSet, Uids

LISTED_AT_ONCE = 500

_PLACE = """
SELECT name, 0 FROM {0}mailboxes WHERE id = ?1 AND selectable
UNION ALL SELECT name, 1 FROM past_names WHERE mailbox = ?1 AND id = (SELECT max(id) FROM past_names WHERE mailbox = ?1)
LIMIT 1
"""


def place(cursor: Cursor, mailbox: MailboxId, schema: str = "") -> tuple[str, bool]:
    """The name of a mailbox that had messages, and whether it was deleted; *schema* as in ``main.``."""
    row = cursor.execute(_PLACE.format(schema), (mailbox,)).get
    if row is None:
        return rules.place(None, None)
    return rules.place(None, row[0]) if row[1] else rules.place(row[0], None)


def listed(cursor: Cursor, after: int) -> list[DeletedMessage]:
    """The next messages that can be brought back."""
    with moment(cursor):
        rows = cursor.execute(
            "SELECT id, mailbox, uid, removed, size FROM retained WHERE id > ? AND NOT moved ORDER BY id LIMIT ?",
            (after, LISTED_AT_ONCE),
        ).fetchall()
        places = {mailbox: place(cursor, mailbox) for mailbox in {row[1] for row in rows}}
    return [
        DeletedMessage(number, *places[mailbox], uid, removed, size) for number, mailbox, uid, removed, size in rows
    ]


def restore(
    change: Change, numbers: Uids, target: str | None, stay: bool, keyword_sets: SqliteKeywordSets, limits: Limits
) -> RestoredAll:
    """See ``store.retention.AccountRetention.restore``."""
    cursor = change.cursor
    columns = "id, mailbox, flags, content, size, arrived, zone, internaldate, saved"
    rows = retained.rows(cursor, columns, numbers)
    places = {
        mailbox: _target(change, mailbox, limits) if target is None else _given(cursor, target)
        for mailbox in dict.fromkeys(row[1] for row in rows)
    }
    by_place: dict[tuple[MailboxId, str], list[tuple[Any, ...]]] = {}
    for row in rows:
        by_place.setdefault(places[row[1]], []).append(row)
    done: dict[str, Restored] = {}
    for (to, name), some in by_place.items():
        validity, uids = messages.add_back(
            change, to, [(row[2] & ~DELETED, *row[3:]) for row in some], keyword_sets, limits
        )
        back: Uids = NumberSet.of_sorted([Uid(row[0]) for row in some])
        done[name] = Restored(validity, back, uids)
        if stay:
            content.share(cursor, [row[3] for row in some])
        else:
            retained.note_back(change, back, sum(row[4] for row in some))
    return RestoredAll(done, change.modseq if done else ModSeq(0))


def _given(cursor: Cursor, name: str) -> tuple[MailboxId, str]:
    found = mailboxes.find(cursor, name)
    if found is None or not found.selectable:
        raise no_such_target()
    return found.id, found.name


def _target(change: Change, mailbox: MailboxId, limits: Limits) -> tuple[MailboxId, str]:
    """The mailbox to which messages of *mailbox* come back."""
    name, is_gone = place(change.cursor, mailbox)
    if not is_gone:
        return mailbox, name
    found = mailboxes.find(change.cursor, name)
    if found is None or not found.selectable:
        use = change.cursor.execute(
            "SELECT special_use FROM past_names WHERE mailbox = ?1 ORDER BY id DESC LIMIT 1", (mailbox,)
        ).get
        taken = change.cursor.execute("SELECT 1 FROM mailboxes WHERE special_use = ?", (use,)).get
        found = mailboxes.create(change, name, None if taken else use, limits)
    return found.id, found.name
