"""The rows of access control lists; their rules are in ``rules.access_lists``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mektup.store.access_lists import SharedMailboxes
from mektup.store.rules import access_lists
from mektup.store.rules.mailbox_names import require_mailbox
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.limits import Limits
from mektup.terms.names import mailbox_key
from mektup.terms.numbers import AccountId, MailboxId
from mektup.terms.rights import Rights, RightsChange

TABLE: Final = """
CREATE TABLE access (
    mailbox INTEGER NOT NULL,
    identifier TEXT NOT NULL,       -- the ID of an account, or "anyone"; after a dash: negative rights
    rights TEXT NOT NULL,           -- letters, sorted
    PRIMARY KEY (mailbox, identifier)
) WITHOUT ROWID;
CREATE INDEX access_by_identifier ON access (identifier);
"""

_SHARED = (
    "SELECT m.id, m.name, a.identifier, a.rights FROM access AS a CROSS JOIN mailboxes AS m ON m.id = a.mailbox "
    "WHERE a.identifier IN (?, ?, ?, ?) LIMIT ?"
)


def shared_with(cursor: Cursor, reader: AccountId, most: int = -1) -> SharedMailboxes | None:
    """See ``AccessLists.shared_with``; None for more than *most* rows, -1 for any."""
    limit = most if most < 0 else most + 1
    rows = cursor.execute(_SHARED, (*access_lists.identifiers_of(reader), limit)).fetchall()
    if len(rows) == limit:
        return None
    return access_lists.shared(
        (MailboxId(mailbox), name, identifier, frozenset(rights)) for mailbox, name, identifier, rights in rows
    )


def _find(cursor: Cursor, name: str) -> MailboxId:
    number = cursor.execute("SELECT id FROM mailboxes WHERE name = ?", (mailbox_key(name),)).get
    return MailboxId(require_mailbox(number))


def entries(cursor: Cursor, mailbox: MailboxId) -> Mapping[str, Rights]:
    """The list of *mailbox*, by identifier."""
    asked = "SELECT identifier, rights FROM access WHERE mailbox = ? ORDER BY identifier"
    return {identifier: frozenset(rights) for identifier, rights in cursor.execute(asked, (mailbox,)).fetchall()}


def of(cursor: Cursor, name: str) -> Mapping[str, Rights]:
    """See ``AccessLists.of``."""
    return entries(cursor, _find(cursor, name))


def change_rights(change: Change, name: str, identifier: str, how: RightsChange, limits: Limits) -> bool:
    """See ``AccessLists.change``. Returns whether *identifier* has rights on any mailbox of the account now."""
    mailbox = _find(change.cursor, name)
    before = entries(change.cursor, mailbox)
    rights = access_lists.changed(before, identifier, how, limits)
    if rights != before.get(identifier, frozenset()):
        if rights:
            row = mailbox, identifier, "".join(sorted(rights))
            change.cursor.execute("INSERT OR REPLACE INTO access VALUES (?, ?, ?)", row)
        else:
            change.cursor.execute("DELETE FROM access WHERE mailbox = ? AND identifier = ?", (mailbox, identifier))
        change.cursor.execute("UPDATE mailboxes SET changed = ? WHERE id = ?", (change.modseq, mailbox))
        change.touched.add(mailbox)
    return is_shared_with(change.cursor, identifier)


def is_shared_with(cursor: Cursor, identifier: str) -> bool:
    """Whether *identifier* is in the list of any mailbox."""
    return cursor.execute("SELECT 1 FROM access WHERE identifier = ? LIMIT 1", (identifier,)).get is not None


def readers(cursor: Cursor) -> frozenset[str]:
    """The identifiers that have rights on any mailbox."""
    rows = cursor.execute("SELECT DISTINCT identifier FROM access").fetchall()
    return frozenset(identifier for (identifier,) in rows if access_lists.grants(identifier))


def inherit(change: Change, name: str, above: MailboxId) -> None:
    """Gives the new mailbox *name* the list of the mailbox *above*."""
    change.cursor.execute(
        "INSERT INTO access SELECT m.id, a.identifier, a.rights FROM access AS a, mailboxes AS m "
        "WHERE a.mailbox = ? AND m.name = ?",
        (above, name),
    )
