"""Puts messages that are in no mailbox into the mailbox Recovered, where their user finds them."""

from __future__ import annotations

import time
from typing import Final

from mektup.store.arrival import internaldate
from mektup.store.rules.consistency import RECOVERED
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.tables import mailboxes
from mektup.store.sqlite.tables.repairs.mailboxes import recount
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId

_OF_NO_MAILBOX: Final = "mailbox NOT IN (SELECT id FROM mailboxes WHERE selectable)"


def recover(change: Change, limits: Limits) -> int:
    """Recovers all messages of mailboxes that do not exist, and contents of no message; returns how many.

    A mailbox that has messages, but cannot be selected, can be selected afterwards.
    """
    cursor = change.cursor
    with_messages = "NOT selectable AND EXISTS (SELECT 1 FROM messages WHERE mailbox = mailboxes.id)"
    for (number,) in cursor.execute(f"SELECT id FROM mailboxes WHERE {with_messages}").fetchall():
        cursor.execute("UPDATE mailboxes SET selectable = 1, changed = ? WHERE id = ?", (change.modseq, number))
        recount(change, MailboxId(number))
    strays = f"SELECT mailbox, uid FROM messages WHERE {_OF_NO_MAILBOX} ORDER BY mailbox, uid"
    lost = (
        "SELECT id, size FROM contents AS c WHERE NOT EXISTS (SELECT 1 FROM messages WHERE content = c.id) "
        "AND id NOT IN (SELECT content FROM retained WHERE NOT moved) ORDER BY id"
    )
    messages, contents = cursor.execute(strays).fetchall(), cursor.execute(lost).fetchall()
    if not messages and not contents:
        return 0
    to = _mailbox(change, limits)
    uid = cursor.execute("SELECT uidnext FROM mailboxes WHERE id = ?", (to,)).get
    for old, old_uid in messages:
        cursor.execute(
            "UPDATE messages SET mailbox = ?, uid = ? WHERE mailbox = ? AND uid = ?", (to, uid, old, old_uid)
        )
        uid += 1
    now = int(time.time())
    for number, size in contents:
        row = (to, uid, 0, change.modseq, number, size, now, 0, internaldate(now, 0), now)
        cursor.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        uid += 1
    cursor.execute("UPDATE mailboxes SET uidnext = ? WHERE id = ?", (uid, to))
    recount(change, to)
    return len(messages) + len(contents)


def _mailbox(change: Change, limits: Limits) -> MailboxId:
    found = mailboxes.find(change.cursor, RECOVERED)
    if found is None or not found.selectable:
        found = mailboxes.create(change, RECOVERED, None, limits)
    return found.id
