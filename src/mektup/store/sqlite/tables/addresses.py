"""Domains and aliases, in the file of the directory; see ``store.addresses``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from mektup.store.addresses import Alias
from mektup.store.rules import addresses as rules
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.domains import domain_key
from mektup.terms.names import account_key, address_key
from mektup.terms.numbers import AccountId

TABLES: Final = """
CREATE TABLE domains (
    name TEXT PRIMARY KEY
) WITHOUT ROWID;
CREATE TABLE aliases (
    address TEXT NOT NULL,
    domain TEXT NOT NULL,           -- that of the address; empty where it has none
    account TEXT NOT NULL,          -- the ID of an account that gets the mail
    PRIMARY KEY (address, account)
) WITHOUT ROWID;
CREATE INDEX aliases_by_account ON aliases (account);
CREATE INDEX aliases_by_domain ON aliases (domain);
"""
"""Since version 6."""


def domains(cursor: Cursor) -> frozenset[str]:
    """The keys of all domains."""
    return frozenset(name for (name,) in cursor.execute("SELECT name FROM domains").fetchall())


def add_domain(change: Change, domain: str) -> str:
    """See ``store.addresses.Addresses``, also for the functions below."""
    key = rules.new_domain(domain, domains(change.cursor))
    change.cursor.execute("INSERT OR IGNORE INTO domains VALUES (?)", (key,))
    return key


def remove_domain(change: Change, domain: str) -> None:
    key = domain_key(domain)
    if key not in domains(change.cursor):
        raise rules.no_domain(domain)
    used = change.cursor.execute("SELECT address FROM aliases WHERE domain = ? LIMIT 1", (key,)).get
    if used is not None:
        raise rules.domain_in_use(used)
    change.cursor.execute("DELETE FROM domains WHERE name = ?", (key,))


def accounts_of(cursor: Cursor, alias: str) -> tuple[str, ...]:
    asked = "SELECT name FROM aliases JOIN accounts ON id = account WHERE address = ? ORDER BY folded"
    return tuple(name for (name,) in cursor.execute(asked, (alias,)).fetchall())


def add_alias(change: Change, address: str, accounts: Collection[str]) -> Alias:
    cursor = change.cursor
    new = rules.new_alias(address, domains(cursor))
    new.require_no_account([name for name in new.names if _account(cursor, name) is not None])
    for name in accounts:
        account = _account(cursor, name)
        if account is None:
            raise rules.no_account_called(name)
        domain = new.key.rpartition("@")[2] if "@" in new.key else ""
        cursor.execute("INSERT OR IGNORE INTO aliases VALUES (?, ?, ?)", (new.key, domain, account))
    alias = Alias(new.key, accounts_of(cursor, new.key))
    rules.require_few_accounts(len(alias.accounts))
    return alias


def remove_alias(change: Change, address: str, accounts: Collection[str]) -> None:
    cursor, key = change.cursor, address_key(address)
    there = {account_key(name) for name in accounts_of(cursor, key)}
    if not there:
        raise rules.no_alias(address)
    for name in accounts:
        account = _account(cursor, name)
        if account_key(name) not in there:
            raise rules.not_of_alias(name, address)
        cursor.execute("DELETE FROM aliases WHERE address = ? AND account = ?", (key, account))
    if not accounts:
        cursor.execute("DELETE FROM aliases WHERE address = ?", (key,))


def aliases(cursor: Cursor, after: str, most: int) -> Sequence[Alias]:
    asked = "SELECT DISTINCT address FROM aliases WHERE address > ? ORDER BY address LIMIT ?"
    found = cursor.execute(asked, (address_key(after), most)).fetchall()
    return [Alias(address, accounts_of(cursor, address)) for (address,) in found]


def require_no_alias(cursor: Cursor, name: str) -> None:
    """Raises Refused(ALREADYEXISTS) where an alias gets mail that an account *name* would get."""
    key, beginning = rules.alias_of_account(name)
    # "A" comes after "@"; a beginning is empty, or ends with "@"
    asked = "SELECT address FROM aliases WHERE address = ?1 OR (?2 <> '' AND address > ?2 AND address < ?3) LIMIT 1"
    taken = cursor.execute(asked, (key, beginning, f"{key}A")).get
    if taken is not None:
        raise rules.is_an_alias(taken)


def forget(change: Change, account: AccountId) -> None:
    """Removes *account*, which is being removed, from all aliases."""
    change.cursor.execute("DELETE FROM aliases WHERE account = ?", (account,))


def _account(cursor: Cursor, name: str) -> AccountId | None:
    found = cursor.execute("SELECT id FROM accounts WHERE folded = ?", (account_key(name),)).get
    return None if found is None else AccountId(found)
