"""The rows of mailboxes and subscriptions; their rules are in ``rules.mailbox_names``."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mektup.store.interface import Mailbox
from mektup.store.rules.counters import next_uidvalidity
from mektup.store.rules.mailbox_names import (
    check_name,
    inferiors,
    listed_order,
    new_mailboxid,
    no_such_mailbox,
    renamed,
    require_creatable,
    require_deletable,
    require_few_mailboxes,
    require_few_subscriptions,
    require_mailbox,
    require_renamable,
    superiors,
)
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import account_log, content
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.flags import NEW_ACCOUNT_MAILBOXES
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import MailboxId
from mektup.terms.sets import Uids

_COLUMNS = (
    "id, name, uidvalidity, uidnext, highestmodseq, messages, unseen, deleted, size, recent, "
    "mailboxid, special_use, selectable"
)

_CONTENTS = Query("m.content")


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


def populate(change: Change, name: str, boot: str, place: str) -> None:
    """Creates a new account's row and its mailboxes."""
    change.cursor.execute("INSERT INTO account VALUES (1, ?, 0, 0, 0, ?, -1, ?, 0)", (name, boot, place))
    account_log.begin_anew(change)
    for each, special_use in NEW_ACCOUNT_MAILBOXES:
        _insert(change, each, special_use=special_use)
        account_log.add_subscription(change, each)


def _insert(change: Change, name: str, *, special_use: str | None = None, selectable: bool = True) -> None:
    modseq = change.modseq  # refuses where the account is removed
    highest = change.cursor.execute("SELECT uidvalidity FROM account").get
    uidvalidity = next_uidvalidity(highest, int(time.time()))
    change.cursor.execute("UPDATE account SET uidvalidity = ? WHERE id = 1", (uidvalidity,))
    number = change.cursor.execute(
        "INSERT INTO mailboxes (name, uidvalidity, uidnext, highestmodseq, mailboxid, special_use, selectable, "
        "created, changed) VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?3, ?3) RETURNING id",
        (name, uidvalidity, modseq, new_mailboxid(), special_use, selectable),
    ).get
    change.touched.add(MailboxId(number))


def create(change: Change, name: str, special_use: str | None, limits: Limits) -> Mailbox:
    """Creates *name* and missing levels above it; see ``interface.Account.create``."""
    name = mailbox_key(name)
    check_name(name, limits)
    there = find(change.cursor, name)
    use_is_taken = (
        special_use is not None
        and change.cursor.execute("SELECT 1 FROM mailboxes WHERE special_use = ?", (special_use,)).get is not None
    )
    require_creatable(there, special_use, use_is_taken=use_is_taken)
    if there is not None:
        # a new row, so that a session with the deleted mailbox does not mistake this one for it
        account_log.remove_mailbox(change, there.id)
    _make_superiors(change, name)
    _insert(change, name, special_use=special_use)
    require_few_mailboxes(change.cursor.execute("SELECT count(*) FROM mailboxes").get, limits)
    return mailbox(change.cursor, name)


def _make_superiors(change: Change, name: str) -> None:
    for superior in superiors(name):
        if find(change.cursor, superior) is None:
            _insert(change, superior)


def delete(change: Change, name: str) -> None:
    """Removes a mailbox and its messages; see ``interface.Account.delete``."""
    doomed = mailbox(change.cursor, name)
    below = "SELECT 1 FROM mailboxes WHERE name >= ? AND name < ? LIMIT 1"
    has_inferiors = change.cursor.execute(below, inferiors(doomed.name)).get is not None
    require_deletable(doomed, has_inferiors=has_inferiors)
    for rows in slices(change.cursor, _CONTENTS, doomed.id, Uids.span(1, doomed.uidnext - 1)):
        content.release(change.cursor, [number for _, number in rows])
    for table in ("messages", "touched", "expunged", "header_fields"):
        change.cursor.execute(f"DELETE FROM {table} WHERE mailbox = ?", (doomed.id,))
    account_log.remove_mailbox(change, doomed.id)
    if has_inferiors:
        _insert(change, doomed.name, selectable=False)


def rename(change: Change, old: str, new: str, limits: Limits) -> None:
    """Renames a mailbox other than INBOX, and its inferiors; see ``interface.Account.rename``."""
    moved = mailbox(change.cursor, old)
    new = mailbox_key(new)
    check_name(new, limits)
    require_renamable(moved.name, new, is_taken=find(change.cursor, new) is not None)
    _make_superiors(change, new)
    below = "SELECT id, name FROM mailboxes WHERE name >= ? AND name < ?"
    rows = [(moved.id, moved.name), *change.cursor.execute(below, inferiors(moved.name)).fetchall()]
    targets = renamed(moved.name, new, [name for _, name in rows], limits)
    for (number, _), target in zip(rows, targets, strict=True):
        change.cursor.execute(
            "UPDATE mailboxes SET name = ?, changed = ? WHERE id = ?", (target, change.modseq, number)
        )
        change.touched.add(MailboxId(number))


def subscribe(change: Change, name: str, limits: Limits) -> None:
    """Subscribes *name*."""
    name = mailbox_key(name)
    check_name(name, limits)
    if _is_subscribed(change.cursor, name):
        return
    account_log.add_subscription(change, name)
    require_few_subscriptions(change.cursor.execute("SELECT count(*) FROM subscriptions").get, limits)


def unsubscribe(change: Change, name: str) -> None:
    """Ends the subscription of *name*."""
    name = mailbox_key(name)
    if _is_subscribed(change.cursor, name):
        account_log.remove_subscription(change, name)


def _is_subscribed(cursor: Cursor, name: str) -> bool:
    return cursor.execute("SELECT 1 FROM subscriptions WHERE name = ?", (name,)).get is not None


def wipe(change: Change) -> None:
    """Ends the account for all that still have its file open: no mailbox is left, and nothing can be written."""
    for (number,) in change.cursor.execute("SELECT id FROM mailboxes").fetchall():
        change.touched.add(MailboxId(number))
    change.cursor.execute("DELETE FROM mailboxes; DELETE FROM account")
