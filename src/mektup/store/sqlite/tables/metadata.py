"""The rows of metadata, in an account's file and in the directory; the rules are in ``rules.metadata``.

A removed entry keeps a row without a value, so that a reader learns of the removal.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mektup.store.metadata import ChangedEntry, MetadataChanges, Values, Wanted
from mektup.store.rules import account_log
from mektup.store.rules import metadata as rules
from mektup.store.rules.mailbox_names import no_such_mailbox
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.terms.limits import Limits
from mektup.terms.numbers import ACCOUNT_ITSELF, AccountId, MailboxId, ModSeq

TABLE: Final = """
CREATE TABLE metadata (
    mailbox INTEGER NOT NULL,       -- 0 for the empty mailbox name
    user TEXT NOT NULL,             -- the ID of the account whose private entry it is; empty for a shared one
    entry TEXT NOT NULL,            -- in lower case
    modseq INTEGER NOT NULL,
    value BLOB,                     -- NULL where it was removed
    PRIMARY KEY (mailbox, user, entry)
) WITHOUT ROWID;
CREATE INDEX metadata_by_change ON metadata (modseq);
"""
"""Since version 11 of an account's file, and version 4 of the directory."""

LOST: Final = (
    "mailbox <> 0 AND mailbox NOT IN (SELECT id FROM mailboxes) "
    "OR entry NOT GLOB '/private/?*' AND entry NOT GLOB '/shared/?*' OR entry <> lower(entry)"
)
"""A condition: the rows that nobody can read."""

_THERE = (
    "SELECT mailbox, user, entry, length(value) FROM metadata "
    "WHERE mailbox IN (SELECT value FROM json_each(?)) AND user IN ('', ?) AND value IS NOT NULL "
    "ORDER BY mailbox, entry"
)
_VALUE = "SELECT value FROM metadata WHERE mailbox = ? AND user = ? AND entry = ?"
_SET = (
    "INSERT INTO metadata VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT DO UPDATE SET modseq = excluded.modseq, value = excluded.value"
)
_REMOVE = (
    "UPDATE metadata SET modseq = ?4, value = ?5 WHERE mailbox = ?1 AND user = ?2 AND entry = ?3 AND value IS NOT NULL"
)
_COUNT = "SELECT count(*) FROM metadata WHERE mailbox = ? AND user = ? AND value IS NOT NULL"
_OCTETS = "SELECT ifnull(sum(length(value)), 0) FROM metadata"
_REMOVED = "SELECT count(*) FROM metadata WHERE value IS NULL"
_OLDEST = (
    "DELETE FROM metadata WHERE value IS NULL AND modseq <= "
    "(SELECT modseq FROM metadata WHERE value IS NULL ORDER BY modseq DESC LIMIT 1 OFFSET ?)"
)
_CHANGED = "SELECT DISTINCT mailbox, entry FROM metadata WHERE modseq > ? AND user IN ('', ?) ORDER BY mailbox, entry"


def entries(
    cursor: Cursor, mailboxes: Sequence[MailboxId], user: AccountId, wanted: Wanted, most: int | None = None
) -> Mapping[MailboxId, Mapping[str, bytes]] | None:
    """See ``store.metadata.AccountMetadata``; None where the values have more than *most* octets."""
    with moment(cursor):
        there = cursor.execute(_THERE, (json.dumps(list(mailboxes)), user)).fetchall()
        chosen = [row for row in there if rules.is_wanted(row[2], wanted)]
        if most is not None and sum(row[3] for row in chosen) > most:
            return None
        found: dict[MailboxId, dict[str, bytes]] = {mailbox: {} for mailbox in mailboxes}
        for mailbox, owner, entry, _ in chosen:
            found[MailboxId(mailbox)][entry] = cursor.execute(_VALUE, (mailbox, owner, entry)).get
    return found


def set_entries(
    change: Change,
    mailbox: MailboxId,
    user: AccountId,
    values: Values,
    limits: Limits,
    modseq: Callable[[Change], ModSeq],
) -> None:
    """See ``store.metadata.AccountMetadata``."""
    rules.require_small(values, limits)
    cursor = change.cursor
    if mailbox and cursor.execute("SELECT 1 FROM mailboxes WHERE id = ?", (mailbox,)).get is None:
        raise no_such_mailbox()
    before = cursor.execute(_OCTETS).get
    now = modseq(change)
    for entry, value in values.items():
        row = (mailbox, rules.user_of(entry, user), entry, now, value)
        cursor.execute(_REMOVE if value is None else _SET, row)
    after = cursor.execute(_OCTETS).get
    for owner in {rules.user_of(entry, user) for entry, value in values.items() if value is not None}:
        rules.require_few(cursor.execute(_COUNT, (mailbox, owner)).get, after if after > before else 0, limits)
    if account_log.are_many(cursor.execute(_REMOVED).get):
        cursor.execute(_OLDEST, (account_log.KEPT_TOMBSTONES,))
    change.touched.add(ACCOUNT_ITSELF)


def changes(cursor: Cursor, since: ModSeq, user: AccountId) -> MetadataChanges:
    """See ``store.metadata.AccountMetadata``."""
    with moment(cursor):
        highest = cursor.execute("SELECT ifnull(max(modseq), 0) FROM metadata").get
        rows = cursor.execute(_CHANGED, (since, user)).fetchall() if highest > since else []
    return MetadataChanges(
        ModSeq(max(highest, since)), [ChangedEntry(MailboxId(mailbox), entry) for mailbox, entry in rows]
    )


def following_modseq(change: Change) -> ModSeq:
    """The next modseq in a file that has none of its own."""
    return ModSeq(change.cursor.execute("SELECT ifnull(max(modseq), 0) + 1 FROM metadata").get)


def copy(change: Change, source: MailboxId, target: MailboxId) -> None:
    """Gives *target* the entries of *source* (RFC 5464 §4.1, of INBOX)."""
    change.cursor.execute(
        "INSERT INTO metadata SELECT ?, user, entry, ?, value FROM metadata WHERE mailbox = ? AND value IS NOT NULL",
        (target, change.modseq, source),
    )
