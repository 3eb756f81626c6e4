"""What the directory of accounts keeps about each account for lists: the last login, and what the account holds.

What an account holds is counted in its own file. The directory keeps what was last read there, with a mark of the
file's state, so that a list of all accounts opens only the files that have changed since.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.inspection import opened
from mektup.store.sqlite.tables import quota
from mektup.terms.numbers import AccountId
from mektup.terms.quota import OwnLimits, Resource

TABLES = """
CREATE TABLE logins (               -- the last login of each account that has logged in
    account TEXT PRIMARY KEY,
    at INTEGER NOT NULL             -- in seconds since 1970
) WITHOUT ROWID;
CREATE TABLE usages (               -- what an account held when its file had the mark
    account TEXT PRIMARY KEY,
    mark TEXT NOT NULL,
    octets INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    mailboxes INTEGER NOT NULL,
    limits TEXT NOT NULL            -- a JSON object of the account's own limits
) WITHOUT ROWID;
"""
"""Since version 7 of the directory."""

_NOTE = (
    "INSERT INTO logins SELECT id, ?2 FROM accounts WHERE id = ?1 "
    "ON CONFLICT (account) DO UPDATE SET at = max(at, excluded.at)"
)
_KEEP = "INSERT OR REPLACE INTO usages SELECT id, ?2, ?3, ?4, ?5, ?6 FROM accounts WHERE id = ?1"
_OF = "account IN (SELECT value FROM json_each(?))"


@dataclass(frozen=True, slots=True)
class Held:
    """What an account held at the moment when its file had the mark."""

    mark: str
    usage: Mapping[Resource, int]
    own: OwnLimits


def note_logins(change: Change, at: Mapping[AccountId, int]) -> None:
    """Keeps the moments of *at* that are later than those that are kept."""
    change.cursor.executemany(_NOTE, list(at.items()))


def last_logins(cursor: Cursor, accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
    """The last login of each of *accounts* that has logged in."""
    asked = f"SELECT account, at FROM logins WHERE {_OF}"
    return {AccountId(account): at for account, at in cursor.execute(asked, (json.dumps(list(accounts)),)).fetchall()}


def kept(cursor: Cursor, accounts: Sequence[AccountId]) -> Mapping[AccountId, Held]:
    """What is kept of *accounts*."""
    asked = f"SELECT account, mark, octets, messages, mailboxes, limits FROM usages WHERE {_OF}"
    rows: list[tuple[Any, ...]] = cursor.execute(asked, (json.dumps(accounts),)).fetchall()
    found = {}
    for account, mark, octets, messages, mailboxes, limits in rows:
        usage = {Resource.STORAGE: octets, Resource.MESSAGE: messages, Resource.MAILBOX: mailboxes}
        own = {Resource(name): most for name, most in json.loads(limits).items()}
        found[AccountId(account)] = Held(mark, usage, own)
    return found


def keep(change: Change, read: Mapping[AccountId, Held]) -> None:
    """Keeps what was read, for accounts that still exist."""
    rows = [
        (
            account,
            held.mark,
            *(held.usage[resource] for resource in (Resource.STORAGE, Resource.MESSAGE, Resource.MAILBOX)),
            json.dumps({resource.value: most for resource, most in held.own.items()}),
        )
        for account, held in read.items()
    ]
    change.cursor.executemany(_KEEP, rows)


def forget(change: Change, account: AccountId) -> None:
    """Removes what is kept of an account that is removed."""
    change.cursor.execute("DELETE FROM logins WHERE account = ?", (account,))
    change.cursor.execute("DELETE FROM usages WHERE account = ?", (account,))


def mark_of(path: Path) -> str:
    """Differs after each change of an account's file, or of its WAL. Raises OSError where there is no file."""
    status = os.stat(path)
    found = [status.st_ino, status.st_mtime_ns, status.st_size]
    try:
        wal = os.stat(f"{path}-wal")
    except FileNotFoundError:
        pass
    else:
        # an empty WAL comes and goes with whoever opens the file
        found += [wal.st_mtime_ns, wal.st_size] if wal.st_size else []
    return " ".join(map(str, found))


def read(path: Path) -> Held:
    """Reads the account's file, and leaves it as it is. Raises OSError, CannotLookError and the engine's errors."""
    mark = mark_of(path)
    with opened(path) as cursor:
        has_limits = cursor.execute("SELECT 1 FROM sqlite_master WHERE name = 'quota'").get
        return Held(mark, quota.usage(cursor), quota.own_limits(cursor) if has_limits else {})
