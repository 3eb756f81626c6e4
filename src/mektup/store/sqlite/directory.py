"""The accounts there are: a small file beside theirs, with names and what auth keeps of the passwords."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial

from mektup.store.interface import AccountEntry
from mektup.store.sqlite.cursor import Cursor
from mektup.store.sqlite.database import Change, Database
from mektup.store.sqlite.recall import Recall
from mektup.store.sqlite.reserve import Room
from mektup.terms.errors import Code, Refused
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId

_COLUMNS = "id, name, secrets"

FEW = 20
"""Accounts that are asked for in the event loop; more of them in a thread."""


def _entry(row: tuple[str, str, str]) -> AccountEntry:
    account, name, secrets = row
    return AccountEntry(AccountId(account), name, json.loads(secrets))


def _find(cursor: Cursor, name: str) -> AccountEntry | None:
    row = cursor.execute(f"SELECT {_COLUMNS} FROM accounts WHERE folded = ?", (account_key(name),)).get
    return None if row is None else _entry(row)


def _named(cursor: Cursor, name: str) -> tuple[AccountEntry, ...]:
    """The same, in a tuple, empty for none: a Recall keeps no None."""
    entry = _find(cursor, name)
    return () if entry is None else (entry,)


def find_by_id(cursor: Cursor, account: AccountId) -> AccountEntry | None:
    """The account of that id."""
    row = cursor.execute(f"SELECT {_COLUMNS} FROM accounts WHERE id = ?", (account,)).get
    return None if row is None else _entry(row)


def _entries(cursor: Cursor) -> Sequence[AccountEntry]:
    return [_entry(row) for row in cursor.execute(f"SELECT {_COLUMNS} FROM accounts ORDER BY folded").fetchall()]


def _add(change: Change, entry: AccountEntry) -> None:
    if _find(change.cursor, entry.name) is not None:
        raise _taken()
    secrets = json.dumps(dict(entry.secrets))
    change.cursor.execute(
        "INSERT INTO accounts VALUES (?, ?, ?, ?)", (entry.id, entry.name, account_key(entry.name), secrets)
    )


def _set_secrets(change: Change, name: str, secrets: Mapping[str, str]) -> AccountEntry:
    change.cursor.execute(
        "UPDATE accounts SET secrets = ? WHERE folded = ?", (json.dumps(dict(secrets)), account_key(name))
    )
    return _there(_find(change.cursor, name))


def _remove(change: Change, name: str) -> AccountEntry:
    entry = _there(_find(change.cursor, name))
    change.cursor.execute("DELETE FROM accounts WHERE id = ?", (entry.id,))
    return entry


def _renew_secrets(change: Change, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    entry = find_by_id(change.cursor, account)
    if entry is None or entry.secrets != dict(old):
        return False
    change.cursor.execute("UPDATE accounts SET secrets = ? WHERE id = ?", (json.dumps(dict(new)), account))
    return True


def _secrets_of(cursor: Cursor, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
    rows = cursor.execute(
        "SELECT id, secrets FROM accounts WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(list(accounts)),)
    ).fetchall()
    return {AccountId(account): json.loads(secrets) for account, secrets in rows}


def _there(entry: AccountEntry | None) -> AccountEntry:
    if entry is None:
        raise Refused(Code.NONEXISTENT, "There is no account of that name")
    return entry


def _taken() -> Refused:
    return Refused(Code.ALREADYEXISTS, "There is an account of that name")


def _check_name(name: str) -> None:
    if not name or "/" in name or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise Refused(Code.CANNOT, 'The name of an account is not empty and holds no control character and no "/"')


class SqliteDirectory:
    """An ``interface.Directory`` in one file."""

    def __init__(
        self,
        database: Database,
        make_mail: Callable[[str], Awaitable[AccountId]],
        remove_mail: Callable[[AccountId], Awaitable[None]],
    ) -> None:
        """*make_mail* makes an account's own file, for its name, and *remove_mail* removes it."""
        self._database = database
        self._recall = Recall(database)
        self._make_mail = make_mail
        self._remove_mail = remove_mail

    async def find(self, name: str) -> AccountEntry | None:
        """See ``interface.Directory``, as for all that follows."""
        found = await self._recall.read(_named, name)
        return found[0] if found else None

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        name = unicodedata.normalize("NFC", name)
        _check_name(name)
        if await self.find(name) is not None:
            raise _taken()
        # The mail first: should the process end in between, a file is left that nobody names, not a name without mail.
        entry = AccountEntry(await self._make_mail(name), name, dict(secrets))
        try:
            await self._database.write(partial(_add, entry=entry))
        except Refused:
            await self._remove_mail(entry.id)
            raise
        return entry

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        return await self._database.write(partial(_set_secrets, name=name, secrets=secrets))

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        return await self._database.write(partial(_renew_secrets, account=account, old=old, new=new))

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        if len(accounts) > FEW:
            # also on the near connection, so that the state is known afterwards
            await self._database.read(find_by_id, AccountId(""))
            return await self._database.read_long(_secrets_of, accounts)
        return await self._database.read(_secrets_of, accounts)

    def state(self) -> bytes | None:
        return self._database.state()

    async def remove(self, name: str) -> None:
        entry = await self._database.write(partial(_remove, name=name), room=Room.FREES)
        await self._remove_mail(entry.id)

    async def entries(self) -> Sequence[AccountEntry]:
        return await self._database.read(_entries)
