"""The index of sharing in the directory: which account shares something with which, see ``sqlite.access_lists``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mektup.store.access_lists import ANYONE
from mektup.store.rules.access_lists import require_few_sharers
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.limits import Limits
from mektup.terms.numbers import AccountId

TABLE: Final = """
CREATE TABLE sharing (
    reader TEXT NOT NULL,           -- the ID of an account, or "anyone"
    owner TEXT NOT NULL,            -- the ID of the account that shares
    PRIMARY KEY (reader, owner)
) WITHOUT ROWID;
CREATE INDEX sharing_by_owner ON sharing (owner);
"""
"""Since version 3."""


def is_known(cursor: Cursor, owner: AccountId, reader: str) -> bool:
    """Whether the index says that *owner* shares with *reader*."""
    asked = "SELECT 1 FROM sharing WHERE reader = ? AND owner = ?"
    return cursor.execute(asked, (reader, owner)).get is not None


def owners(cursor: Cursor, reader: AccountId) -> Mapping[str, AccountId]:
    """The other accounts that may share something with *reader*, by name."""
    asked = (
        "SELECT a.name, a.id FROM sharing CROSS JOIN accounts AS a ON a.id = owner WHERE reader IN (?, ?) AND id <> ?"
    )
    rows = cursor.execute(asked, (reader, ANYONE, reader)).fetchall()
    return {name: AccountId(owner) for name, owner in rows}


def add(change: Change, owner: AccountId, reader: str, limits: Limits | None) -> None:
    """Says that *owner* shares with *reader*. With *limits*, raises Refused(LIMIT)."""
    change.cursor.execute("INSERT OR IGNORE INTO sharing VALUES (?, ?)", (reader, owner))
    if limits is None:
        return
    count = change.cursor.execute("SELECT count(*) FROM sharing WHERE reader = ?", (reader,)).get
    require_few_sharers(count, limits)


def remove(change: Change, owner: AccountId, reader: str) -> None:
    """Says that *owner* shares nothing with *reader*."""
    change.cursor.execute("DELETE FROM sharing WHERE reader = ? AND owner = ?", (reader, owner))


def forget(change: Change, account: AccountId) -> None:
    """Removes *account*, which is being removed, from the index."""
    change.cursor.execute("DELETE FROM sharing WHERE owner = ?1 OR reader = ?1", (account,))
