"""The rows of an account's log; its rules are in ``rules.account_log``.

The modseqs of existing mailboxes and subscriptions are in their own rows. An append changes the row of a mailbox, but
no column of an index, so the log costs it nothing.
"""

from __future__ import annotations

from typing import Any, Final

from mektup.store.mailbox_changes import GoneMailbox, LoggedMailbox, LoggedSubscription, MailboxChanges
from mektup.store.rules import account_log
from mektup.store.rules.account_log import LogSince
from mektup.store.rules.account_names import account_is_gone
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.terms.numbers import ACCOUNT_ITSELF, MailboxId, ModSeq

TABLE: Final = """
CREATE INDEX mailboxes_by_change ON mailboxes (changed);
CREATE INDEX subscriptions_by_change ON subscriptions (changed);
CREATE TABLE tombstones (           -- of deleted mailboxes and ended subscriptions
    modseq INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,       -- 0 for a subscription
    name TEXT NOT NULL,
    mailboxid TEXT NOT NULL,
    created INTEGER NOT NULL,
    PRIMARY KEY (modseq, mailbox, name)
) WITHOUT ROWID;
"""
"""Since version 7."""

_MAILBOXES = (
    "SELECT id, name, uidvalidity, mailboxid, special_use, selectable, created, changed FROM mailboxes "
    "WHERE changed > ? LIMIT ?"
)
_SUBSCRIPTIONS = "SELECT name, changed FROM subscriptions WHERE changed > ? LIMIT ?"
_TOMBSTONES = "SELECT mailbox, name, mailboxid, created, modseq FROM tombstones WHERE modseq > ?"


# Reading


def changes(cursor: Cursor, since: ModSeq, most: int = -1) -> MailboxChanges | None:
    """See ``interface.Account.mailbox_changes``; None for more than *most* mailboxes or subscriptions, -1 for any."""
    asked = _since(cursor, since)
    if asked.is_now:
        return asked.told()
    with moment(cursor):
        asked = _since(cursor, since)
        limit = most if most < 0 else most + 1
        mailboxes = cursor.execute(_MAILBOXES, (asked.above, limit)).fetchall()
        subscribed = cursor.execute(_SUBSCRIPTIONS, (asked.above, limit)).fetchall()
        if limit in (len(mailboxes), len(subscribed)):
            return None
        tombstones = cursor.execute(_TOMBSTONES, (asked.above,)).fetchall()
    gone = [row for row in tombstones if row[0]]
    unsubscribed = [LoggedSubscription(row[1], False, row[-1]) for row in tombstones if not row[0]]
    return asked.told(
        map(_mailbox, mailboxes),
        (GoneMailbox(*row) for row in gone),
        [LoggedSubscription(name, True, changed) for name, changed in subscribed] + unsubscribed,
    )


def _since(cursor: Cursor, since: ModSeq) -> LogSince:
    row = cursor.execute("SELECT log_floor, modseq FROM account").get
    if row is None:
        raise account_is_gone()
    return LogSince(since, *row)


def _mailbox(row: tuple[Any, ...]) -> LoggedMailbox:
    number, name, uidvalidity, mailboxid, special_use, selectable, created, changed = row
    return LoggedMailbox(number, name, uidvalidity, mailboxid, special_use, bool(selectable), created, changed)


# Writing


def remove_mailbox(change: Change, mailbox: MailboxId) -> None:
    """Keeps a tombstone of *mailbox*, and removes its row."""
    bury_mailbox(change, mailbox)
    change.cursor.execute("DELETE FROM mailboxes WHERE id = ?", (mailbox,))


def bury_mailbox(change: Change, mailbox: MailboxId) -> None:
    """Keeps a tombstone of *mailbox*, whose ID no mailbox will have any more."""
    change.cursor.execute(
        "INSERT INTO tombstones SELECT ?, id, name, mailboxid, created FROM mailboxes WHERE id = ?",
        (change.modseq, mailbox),
    )
    change.touched.add(mailbox)
    _remove_oldest(change.cursor)


def add_subscription(change: Change, name: str) -> None:
    """Writes the subscription of *name*, which is not subscribed."""
    change.cursor.execute("INSERT INTO subscriptions VALUES (?, ?)", (name, change.modseq))
    change.cursor.execute("DELETE FROM tombstones WHERE mailbox = 0 AND name = ?", (name,))
    change.touched.add(ACCOUNT_ITSELF)


def remove_subscription(change: Change, name: str) -> None:
    """Keeps a tombstone of the subscription of *name*, which is subscribed, and removes its row."""
    change.cursor.execute("DELETE FROM subscriptions WHERE name = ?", (name,))
    change.cursor.execute("INSERT INTO tombstones VALUES (?, 0, ?, '', 0)", (change.modseq, name))
    change.touched.add(ACCOUNT_ITSELF)
    _remove_oldest(change.cursor)


def _remove_oldest(cursor: Cursor) -> None:
    if account_log.are_many(cursor.execute("SELECT count(*) FROM tombstones").get):
        newest_removed = "SELECT modseq FROM tombstones ORDER BY modseq DESC LIMIT 1 OFFSET ?"
        _begin_at(cursor, cursor.execute(newest_removed, (account_log.KEPT_TOMBSTONES,)).get)


def clear(change: Change) -> None:
    """Removes all tombstones, so that every caller gets everything."""
    _begin_at(change.cursor, change.modseq)


def _begin_at(cursor: Cursor, floor: int) -> None:
    cursor.execute("UPDATE account SET log_floor = ?", (floor,))
    cursor.execute("DELETE FROM tombstones WHERE modseq <= ?", (floor,))
