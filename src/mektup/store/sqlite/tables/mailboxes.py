"""Mailboxes and their names: what may be made, removed and renamed (RFC 9051 §6.3.4 to §6.3.8)."""

from __future__ import annotations

import secrets
import time
import unicodedata
from collections.abc import Sequence
from typing import Any

from mektup.store.interface import Mailbox
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.tables import content
from mektup.store.sqlite.tables.uids import Query, slices
from mektup.terms.errors import NO_SUCH_MAILBOX, Code, Refused
from mektup.terms.flags import NEW_ACCOUNT_MAILBOXES
from mektup.terms.limits import Limits
from mektup.terms.names import DELIMITER, INBOX, mailbox_key
from mektup.terms.numbers import MAX_UINT32, MailboxId
from mektup.terms.sets import Uids

_COLUMNS = (
    "id, name, uidvalidity, uidnext, highestmodseq, messages, unseen, deleted, size, recent, "
    "mailboxid, special_use, selectable"
)

_CONTENTS = Query("m.content")


def no_such_mailbox() -> Refused:
    """The refusal for a mailbox that is not there."""
    return Refused(Code.NONEXISTENT, NO_SUCH_MAILBOX)


def _check_name(name: str, limits: Limits) -> None:
    levels = name.split(DELIMITER)
    try:
        octets = len(name.encode())
    except UnicodeEncodeError:
        raise Refused(Code.CANNOT, "The name is not valid Unicode") from None
    if not all(levels):
        raise Refused(Code.CANNOT, "A level of the name is empty")
    # RFC 9051 §5.1: no control characters, nor the line and paragraph separators
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in name):
        raise Refused(Code.CANNOT, "The name holds a control character")
    if octets > limits.mailbox_name_bytes or len(levels) > limits.mailbox_depth:
        raise Refused(Code.CANNOT, "The name is too long or has too many levels")


def _below(name: str) -> tuple[str, str]:
    """Bounds, the upper excluded, between which the names of all inferiors of *name* sort."""
    return name + DELIMITER, name + chr(ord(DELIMITER) + 1)


# Asking


def _mailbox(row: tuple[Any, ...]) -> Mailbox:
    columns = (*row[:-1], bool(row[-1]))
    return Mailbox(*columns)


def find(cursor: Cursor, name: str) -> Mailbox | None:
    """The mailbox of that name, which need not be canonical."""
    row = cursor.execute(f"SELECT {_COLUMNS} FROM mailboxes WHERE name = ?", (mailbox_key(name),)).get
    return None if row is None else _mailbox(row)


def mailbox(cursor: Cursor, name: str) -> Mailbox:
    """The mailbox of that name. Raises Refused(NONEXISTENT)."""
    found = find(cursor, name)
    if found is None:
        raise no_such_mailbox()
    return found


def selectable(cursor: Cursor, name: str) -> tuple[Mailbox, tuple[str, ...]]:
    """The mailbox of that name with its keywords. Raises Refused(NONEXISTENT) also where it is not selectable."""
    row = cursor.execute(f"SELECT {_COLUMNS}, keywords FROM mailboxes WHERE name = ?", (mailbox_key(name),)).get
    if row is None or not row[-2]:
        raise no_such_mailbox()
    return _mailbox(row[:-1]), tuple(row[-1].split())


def mailboxes(cursor: Cursor) -> Sequence[Mailbox]:
    """All of them: INBOX first, then by name, parents before children."""
    found = [_mailbox(row) for row in cursor.execute(f"SELECT {_COLUMNS} FROM mailboxes").fetchall()]
    found.sort(key=_order)
    return found


def _order(mailbox: Mailbox) -> tuple[bool, str]:
    # no name holds a control character: so what is below a level comes right after it
    name = mailbox.name.replace(DELIMITER, "\0")
    return name.partition("\0")[0] != INBOX, name


def subscriptions(cursor: Cursor) -> frozenset[str]:
    """The subscribed names."""
    return frozenset(name for (name,) in cursor.execute("SELECT name FROM subscriptions").fetchall())


# Changing


def populate(change: Change, name: str, boot: str, place: str) -> None:
    """Makes a new account's own row and its mailboxes."""
    change.cursor.execute("INSERT INTO account VALUES (1, ?, 0, 0, 0, ?, -1, ?)", (name, boot, place))
    for each, special_use in NEW_ACCOUNT_MAILBOXES:
        _insert(change, each, special_use=special_use)
        change.cursor.execute("INSERT INTO subscriptions VALUES (?)", (each,))


def _insert(change: Change, name: str, *, special_use: str | None = None, selectable: bool = True) -> None:
    modseq = change.modseq  # refuses where the account is removed
    # RFC 9051 §2.3.1.1: a name that is deleted and made again must not have its old UIDVALIDITY, whatever the time
    uidvalidity = change.cursor.execute(
        "UPDATE account SET uidvalidity = max(uidvalidity + 1, ?) WHERE id = 1 RETURNING uidvalidity",
        (int(time.time()),),
    ).get
    if uidvalidity > MAX_UINT32:
        raise Refused(Code.LIMIT, "No UIDVALIDITY is left")
    number = change.cursor.execute(
        "INSERT INTO mailboxes (name, uidvalidity, uidnext, highestmodseq, mailboxid, special_use, selectable) "
        "VALUES (?, ?, 1, ?, ?, ?, ?) RETURNING id",
        (name, uidvalidity, modseq, f"F{secrets.token_hex(10)}", special_use, selectable),
    ).get
    change.touched.add(MailboxId(number))


def create(change: Change, name: str, special_use: str | None, limits: Limits) -> Mailbox:
    """Makes *name* and the levels above it that are missing; see ``interface.Account.create``."""
    name = mailbox_key(name)
    _check_name(name, limits)
    there = find(change.cursor, name)
    if there is not None and there.selectable:
        raise Refused(Code.ALREADYEXISTS, "There is a mailbox of that name")
    taken = (
        special_use is not None
        and change.cursor.execute("SELECT 1 FROM mailboxes WHERE special_use = ?", (special_use,)).get
    )
    if taken:
        raise Refused(Code.USEATTR, f"Another mailbox is {special_use} already")
    if there is not None:
        # A new row, so that whoever held the mailbox that was deleted does not take this one for it.
        change.cursor.execute("DELETE FROM mailboxes WHERE id = ?", (there.id,))
    _make_superiors(change, name)
    _insert(change, name, special_use=special_use)
    if change.cursor.execute("SELECT count(*) FROM mailboxes").get > limits.mailboxes:
        raise Refused(Code.LIMIT, f"There are {limits.mailboxes} mailboxes, the most there may be")
    return mailbox(change.cursor, name)


def _make_superiors(change: Change, name: str) -> None:
    # RFC 9051 §6.3.4: a server SHOULD make the superior names that CREATE needs; §6.3.6 says the same of RENAME
    levels = name.split(DELIMITER)
    for depth in range(1, len(levels)):
        superior = DELIMITER.join(levels[:depth])
        if find(change.cursor, superior) is None:
            _insert(change, superior)


def delete(change: Change, name: str) -> None:
    """Removes a mailbox and its messages; see ``interface.Account.delete``."""
    doomed = mailbox(change.cursor, name)
    if doomed.name == INBOX:
        raise Refused(Code.CANNOT, "INBOX cannot be deleted")
    has_inferiors = change.cursor.execute(
        "SELECT 1 FROM mailboxes WHERE name >= ? AND name < ? LIMIT 1", _below(doomed.name)
    ).get
    if has_inferiors and not doomed.selectable:
        raise Refused(Code.HASCHILDREN, "There are mailboxes below it")
    for rows in slices(change.cursor, _CONTENTS, doomed.id, Uids.span(1, doomed.uidnext - 1)):
        content.release(change.cursor, [number for _, number in rows])
    for table in ("messages", "touched", "expunged", "header_fields"):
        change.cursor.execute(f"DELETE FROM {table} WHERE mailbox = ?", (doomed.id,))
    change.cursor.execute("DELETE FROM mailboxes WHERE id = ?", (doomed.id,))
    assert change.modseq  # the account's state is another now, though no mailbox is left to show it
    change.touched.add(doomed.id)
    if has_inferiors:
        _insert(change, doomed.name, selectable=False)


def rename(change: Change, old: str, new: str, limits: Limits) -> None:
    """Renames a mailbox that is not INBOX and all below it; see ``interface.Account.rename``."""
    renamed = mailbox(change.cursor, old)
    new = mailbox_key(new)
    _check_name(new, limits)
    if find(change.cursor, new) is not None:
        raise Refused(Code.ALREADYEXISTS, "There is a mailbox of that name")
    if new.startswith(renamed.name + DELIMITER):
        raise Refused(Code.CANNOT, "A mailbox cannot move below itself")
    _make_superiors(change, new)
    inferiors = change.cursor.execute(
        "SELECT id, name FROM mailboxes WHERE name >= ? AND name < ?", _below(renamed.name)
    ).fetchall()
    for number, name in [(renamed.id, renamed.name), *inferiors]:
        target = new + name[len(renamed.name) :]
        _check_name(target, limits)
        change.cursor.execute("UPDATE mailboxes SET name = ? WHERE id = ?", (target, number))
        change.touched.add(MailboxId(number))
    assert change.modseq


def subscribe(change: Change, name: str, limits: Limits) -> None:
    """Remembers *name*."""
    name = mailbox_key(name)
    _check_name(name, limits)
    change.cursor.execute("INSERT OR IGNORE INTO subscriptions VALUES (?)", (name,))
    if change.cursor.execute("SELECT count(*) FROM subscriptions").get > limits.mailboxes:
        raise Refused(Code.LIMIT, f"There are {limits.mailboxes} subscriptions, the most there may be")


def unsubscribe(change: Change, name: str) -> None:
    """Forgets *name*."""
    change.cursor.execute("DELETE FROM subscriptions WHERE name = ?", (mailbox_key(name),))


def wipe(change: Change) -> None:
    """Ends the account for whoever has its file open still: no mailbox is there, and nothing can be written."""
    for (number,) in change.cursor.execute("SELECT id FROM mailboxes").fetchall():
        change.touched.add(MailboxId(number))
    change.cursor.execute("DELETE FROM mailboxes; DELETE FROM account")
