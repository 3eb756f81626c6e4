"""The rows of mailboxes and subscriptions; their rules are in ``rules.mailbox_names`` and ``rules.mailbox_tree``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mektup.store.interface import Mailbox
from mektup.store.rules import mailbox_tree
from mektup.store.rules.counters import next_uidvalidity
from mektup.store.rules.mailbox_names import (
    inferiors,
    listed_order,
    new_mailboxid,
    no_such_mailbox,
    require_mailbox,
)
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import access_lists, account_log, past, retained
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MAX_UINT32, MailboxId, UidValidity
from mektup.terms.sets import NumberSet, Uids

_COLUMNS = (
    "id, name, uidvalidity, uidnext, highestmodseq, messages, unseen, deleted, size, recent, "
    "mailboxid, special_use, selectable"
)

_HELD = Query("m.content, m.size")

EVERY_UID: Uids = Uids.span(1, MAX_UINT32)


# Reading


def _mailbox(row: tuple[Any, ...]) -> Mailbox:
    columns = (*row[:-1], bool(row[-1]))
    return Mailbox(*columns)


def find(cursor: Cursor, name: str) -> Mailbox | None:
    """The mailbox with that name, which need not be canonical; None where there is none."""
    row = cursor.execute(f"SELECT {_COLUMNS} FROM mailboxes WHERE name = ?", (mailbox_key(name),)).get
    return None if row is None else _mailbox(row)


def mailbox(cursor: Cursor, name: str) -> Mailbox:
    """The mailbox with that name. Raises Refused(NONEXISTENT)."""
    return require_mailbox(find(cursor, name))


def selectable(cursor: Cursor, name: str) -> tuple[Mailbox, tuple[str, ...]]:
    """The mailbox with that name, and its keywords. Raises Refused(NONEXISTENT), also where it is not selectable."""
    row = cursor.execute(f"SELECT {_COLUMNS}, keywords FROM mailboxes WHERE name = ?", (mailbox_key(name),)).get
    if row is None or not row[-2]:
        raise no_such_mailbox()
    return _mailbox(row[:-1]), tuple(row[-1].split())


def target(cursor: Cursor, name: str) -> MailboxId:
    """See ``interface.Account.target``."""
    number = cursor.execute("SELECT id FROM mailboxes WHERE name = ? AND selectable", (mailbox_key(name),)).get
    if number is None:
        raise no_such_mailbox()
    return MailboxId(number)


def size(cursor: Cursor, mailbox: MailboxId) -> int:
    """The octets of all messages of *mailbox*; 0 where it is gone."""
    return int(cursor.execute("SELECT ifnull(max(size), 0) FROM mailboxes WHERE id = ?", (mailbox,)).get)


def highest(cursor: Cursor) -> int:
    """The highest mailbox ID, which is an upper bound of the number of mailboxes."""
    return int(cursor.execute("SELECT ifnull(max(id), 0) FROM mailboxes").get)


def count_below(cursor: Cursor, name: str) -> int:
    """The number of mailboxes below *name*, at any depth."""
    asked = "SELECT count(*) FROM mailboxes WHERE name >= ? AND name < ?"
    return int(cursor.execute(asked, inferiors(mailbox_key(name))).get)


def mailboxes(cursor: Cursor) -> Sequence[Mailbox]:
    """All mailboxes: INBOX first, then by name, parents before children."""
    found = [_mailbox(row) for row in cursor.execute(f"SELECT {_COLUMNS} FROM mailboxes").fetchall()]
    found.sort(key=lambda each: listed_order(each.name))
    return found


def subscriptions(cursor: Cursor) -> frozenset[str]:
    """The subscribed names."""
    return frozenset(name for (name,) in cursor.execute("SELECT name FROM subscriptions").fetchall())


# Writing


class MailboxRows:
    """A ``rules.mailbox_tree.Tree`` during a change."""

    __slots__ = ("_change", "_cursor")

    def __init__(self, change: Change) -> None:
        self._change = change
        self._cursor = change.cursor

    def find(self, name: str) -> Mailbox | None:
        """See ``Tree``, also for the other methods."""
        return find(self._cursor, name)

    def below(self, name: str) -> Sequence[tuple[MailboxId, str]]:
        below = "SELECT id, name FROM mailboxes WHERE name >= ? AND name < ?"
        return self._cursor.execute(below, inferiors(name)).fetchall()

    def has_special_use(self, special_use: str) -> bool:
        asked = "SELECT 1 FROM mailboxes WHERE special_use = ?"
        return self._cursor.execute(asked, (special_use,)).get is not None

    def count(self) -> int:
        return int(self._cursor.execute("SELECT count(*) FROM mailboxes").get)

    def insert(
        self,
        name: str,
        *,
        special_use: str | None = None,
        selectable: bool = True,
        uidvalidity: UidValidity | None = None,
    ) -> None:
        modseq = self._change.modseq  # refuses where the account is removed
        if uidvalidity is None:
            highest = self._cursor.execute("SELECT uidvalidity FROM account").get
            uidvalidity = next_uidvalidity(highest, self._change.moment)
        self._use_uidvalidity(uidvalidity)
        number = self._cursor.execute(
            "INSERT INTO mailboxes (name, uidvalidity, uidnext, highestmodseq, mailboxid, special_use, selectable, "
            "created, changed, named) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?3, ?3, ?7) RETURNING id",
            (name, uidvalidity, modseq, new_mailboxid(), special_use, selectable, self._change.moment),
        ).get
        self._change.touched.add(MailboxId(number))
        self._change.mailboxes_added += selectable

    def _use_uidvalidity(self, uidvalidity: UidValidity) -> None:
        self._cursor.execute("UPDATE account SET uidvalidity = max(uidvalidity, ?) WHERE id = 1", (uidvalidity,))

    def inherit(self, name: str, above: MailboxId) -> None:
        access_lists.inherit(self._change, name, above)

    def remove(self, mailbox: MailboxId) -> None:
        held = "SELECT messages, size, selectable FROM mailboxes WHERE id = ?"
        messages, octets, selectable = self._cursor.execute(held, (mailbox,)).get
        self._change.messages_added -= messages
        self._change.octets_added -= octets
        self._change.mailboxes_added -= selectable
        for rows in slices(self._cursor, _HELD, mailbox, EVERY_UID):
            runs = NumberSet.of_sorted([uid for uid, _, _ in rows]).runs
            contents = [number for _, number, _ in rows]
            retained.release_or_keep(self._change, mailbox, runs, contents, sum(size for _, _, size in rows))
        past.keep_name(self._change, mailbox, deleted=True)
        past.keep_runs(self._cursor, mailbox)
        for table in ("messages", "touched", "expunged", "header_fields", "access", "metadata", "imported"):
            self._cursor.execute(f"DELETE FROM {table} WHERE mailbox = ?", (mailbox,))
        account_log.remove_mailbox(self._change, mailbox)

    def rename(self, mailbox: MailboxId, name: str) -> None:
        past.keep_name(self._change, mailbox)
        self._cursor.execute(
            "UPDATE mailboxes SET name = ?, changed = ?, named = ? WHERE id = ?",
            (name, self._change.modseq, self._change.moment, mailbox),
        )
        self._change.touched.add(mailbox)

    def is_subscribed(self, name: str) -> bool:
        return self._cursor.execute("SELECT 1 FROM subscriptions WHERE name = ?", (name,)).get is not None

    def subscribe(self, name: str) -> None:
        account_log.add_subscription(self._change, name)

    def unsubscribe(self, name: str) -> None:
        account_log.remove_subscription(self._change, name)

    def count_subscriptions(self) -> int:
        return int(self._cursor.execute("SELECT count(*) FROM subscriptions").get)


def populate(change: Change, name: str, boot: str, place: str) -> None:
    """Creates a new account's row and its mailboxes."""
    change.cursor.execute("INSERT INTO account VALUES (1, ?, 0, 0, 0, ?, -1, ?, 0, 0, 0)", (name, boot, place))
    account_log.clear(change)
    mailbox_tree.populate(MailboxRows(change))


def create(change: Change, name: str, special_use: str | None, limits: Limits) -> Mailbox:
    """See ``rules.mailbox_tree``, also for the functions that follow."""
    return mailbox_tree.create(MailboxRows(change), name, special_use, limits)


def delete(change: Change, name: str) -> None:
    """Removes a mailbox and its messages."""
    mailbox_tree.delete(MailboxRows(change), name)


def rename(change: Change, old: str, new: str, limits: Limits) -> None:
    """Renames a mailbox other than INBOX, and its inferiors."""
    mailbox_tree.rename(MailboxRows(change), old, new, limits)


def subscribe(change: Change, name: str, limits: Limits) -> None:
    """Subscribes *name*."""
    mailbox_tree.subscribe(MailboxRows(change), name, limits)


def unsubscribe(change: Change, name: str) -> None:
    """Ends the subscription of *name*."""
    mailbox_tree.unsubscribe(MailboxRows(change), name)


def wipe(change: Change) -> None:
    """Ends the account for all that still have its file open: no mailbox is left, and nothing can be written."""
    for (number,) in change.cursor.execute("SELECT id FROM mailboxes").fetchall():
        change.touched.add(MailboxId(number))
    change.cursor.execute("DELETE FROM mailboxes; DELETE FROM account")
