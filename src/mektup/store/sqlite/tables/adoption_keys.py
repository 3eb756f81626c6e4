"""The keys of the messages that were adopted, by mailbox: so that an import that runs again brings only what is new."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Final

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MailboxId

TABLE: Final = """
CREATE TABLE imported (
    mailbox INTEGER NOT NULL,
    key BLOB NOT NULL,              -- opaque, see interface.Account.imported
    PRIMARY KEY (mailbox, key)
) WITHOUT ROWID;
"""
"""Since version 12."""

_ASKED_AT_ONCE = 500


def known(cursor: Cursor, mailbox: MailboxId, keys: Collection[bytes]) -> frozenset[bytes]:
    """See ``interface.Account.imported``."""
    found: set[bytes] = set()
    asked = iter(keys)
    while some := list(islice(asked, _ASKED_AT_ONCE)):
        places = ", ".join("?" * len(some))
        rows = cursor.execute(f"SELECT key FROM imported WHERE mailbox = ? AND key IN ({places})", (mailbox, *some))
        found.update(key for (key,) in rows.fetchall())
    return frozenset(found)


def remember(change: Change, mailbox: MailboxId, keys: Collection[bytes]) -> None:
    """Writes *keys*, which the mailbox does not remember yet."""
    # in order, because neighbours share pages
    change.cursor.executemany("INSERT INTO imported VALUES (?, ?)", [(mailbox, key) for key in sorted(keys)])
