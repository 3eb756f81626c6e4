"""The directory of accounts against the files, and the row that an account's file keeps of itself."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from mektup.store.rules.account_names import require_there
from mektup.store.rules.consistency import Finding, Kind, finding
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId


@dataclass(frozen=True, slots=True)
class Known:
    """An account as the directory knows it."""

    id: AccountId
    name: str
    """Empty where the directory cannot be read."""
    seen: int
    """A modseq that its file has used."""


def known(cursor: Cursor) -> list[Known]:
    """All accounts, by name."""
    rows = cursor.execute("SELECT id, name, seen FROM accounts ORDER BY folded").fetchall()
    return [Known(AccountId(account), name, seen) for account, name, seen in rows]


def named(accounts: Sequence[Known], names: Collection[str]) -> list[Known]:
    """The accounts of these *names*, in their order. Raises Refused(NONEXISTENT)."""
    by_name = {account_key(account.name): account for account in accounts}
    found = [by_name.get(account_key(name)) for name in names]
    return [require_there(account) for account in found]


def is_there(cursor: Cursor, account: AccountId) -> bool:
    """Whether the directory still has the account."""
    return cursor.execute("SELECT 1 FROM accounts WHERE id = ?", (account,)).get is not None


def unfinished(cursor: Cursor) -> list[AccountId]:
    """The accounts that are being added or removed."""
    return [AccountId(account) for (account,) in cursor.execute("SELECT id FROM unfinished ORDER BY id").fetchall()]


def entries(cursor: Cursor) -> Iterator[Finding]:
    """Each entry by itself: whether it can be found by its name, and its owner can log in."""
    wrong_names, wrong_secrets = [], []
    with moment(cursor):
        for name, folded, secrets in cursor.execute("SELECT name, folded, secrets FROM accounts"):
            if account_key(name) != folded:
                wrong_names.append(name)
            if not _are_secrets(secrets):
                wrong_secrets.append(name)
    yield from finding(Kind.NAME, "", "", wrong_names)
    yield from finding(Kind.SECRETS, "", "", wrong_secrets)


def _are_secrets(secrets: object) -> bool:
    try:
        found = json.loads(secrets) if isinstance(secrets, str) else None
    except ValueError:
        return False
    return isinstance(found, dict) and all(isinstance(secret, str) for secret in found.values())


def account(cursor: Cursor, known: Known) -> Iterator[Finding]:
    """The row of the account itself, against what the directory knows."""
    row = cursor.execute("SELECT name, modseq FROM account").get
    if row is None:
        yield Finding(Kind.UNFINISHED, mendable=False)
        return
    name, modseq = row
    if known.name and account_key(name) != account_key(known.name):
        yield Finding(Kind.OTHER_ACCOUNT, "", f"{name}, {known.name}")
    if modseq < known.seen:
        yield Finding(Kind.OLDER_COPY, "", f"modseq {modseq}, known {known.seen}")
