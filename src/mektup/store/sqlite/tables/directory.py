"""The directory of accounts: a small file with the accounts' names and secrets.

Adding or removing an account changes two files, its own and this one, and a process may end in between. So the account
is in the table ``unfinished`` from before the first step until after the last. The next process finishes the work of a
killed one: it removes the files of accounts that are not in the table ``accounts``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from mektup.store import files
from mektup.store.interface import AccountEntry
from mektup.store.memo import Memory, Recall
from mektup.store.rules.account_names import canonical, name_is_taken, new_account_id, require_there
from mektup.store.rules.octets import octets_of
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.reserve import Room
from mektup.store.threads import Threads
from mektup.terms.errors import Refused
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId

_COLUMNS = "id, name, secrets"

FEW = 20
"""The most accounts that are read in the event loop; more are read in a thread."""


def _entry(row: tuple[str, str, str]) -> AccountEntry:
    account, name, secrets = row
    return AccountEntry(AccountId(account), name, json.loads(secrets))


def _find(cursor: Cursor, name: str) -> AccountEntry | None:
    row = cursor.execute(f"SELECT {_COLUMNS} FROM accounts WHERE folded = ?", (account_key(name),)).get
    return None if row is None else _entry(row)


def _named(cursor: Cursor, name: str) -> tuple[AccountEntry, ...]:
    """The account in a tuple, which is empty for none, because a Recall keeps no None."""
    entry = _find(cursor, name)
    return () if entry is None else (entry,)


def find_by_id(cursor: Cursor, account: AccountId) -> AccountEntry | None:
    """The account with that ID."""
    row = cursor.execute(f"SELECT {_COLUMNS} FROM accounts WHERE id = ?", (account,)).get
    return None if row is None else _entry(row)


def _entries(cursor: Cursor, after: str, most: int) -> Sequence[AccountEntry]:
    asked = f"SELECT {_COLUMNS} FROM accounts WHERE folded > ? ORDER BY folded LIMIT ?"
    return [_entry(row) for row in cursor.execute(asked, (account_key(after), most)).fetchall()]


def _add(change: Change, entry: AccountEntry) -> None:
    if _find(change.cursor, entry.name) is not None:
        raise name_is_taken()
    secrets = json.dumps(dict(entry.secrets))
    change.cursor.execute(
        "INSERT INTO accounts (id, name, folded, secrets) VALUES (?, ?, ?, ?)",
        (entry.id, entry.name, account_key(entry.name), secrets),
    )
    _finish(change, entry.id)


def _begin(change: Change, account: AccountId) -> None:
    change.cursor.execute("INSERT INTO unfinished VALUES (?)", (account,))


def _finish(change: Change, account: AccountId) -> None:
    change.cursor.execute("DELETE FROM unfinished WHERE id = ?", (account,))


def _unfinished(cursor: Cursor) -> Sequence[AccountId]:
    return [AccountId(account) for (account,) in cursor.execute("SELECT id FROM unfinished ORDER BY id").fetchall()]


def _known(cursor: Cursor) -> frozenset[AccountId]:
    rows = cursor.execute("SELECT id FROM accounts UNION SELECT id FROM unfinished").fetchall()
    return frozenset(AccountId(account) for (account,) in rows)


def _set_secrets(change: Change, name: str, secrets: Mapping[str, str]) -> AccountEntry:
    change.cursor.execute(
        "UPDATE accounts SET secrets = ? WHERE folded = ?", (json.dumps(dict(secrets)), account_key(name))
    )
    return require_there(_find(change.cursor, name))


def _remove(change: Change, name: str) -> AccountEntry:
    entry = require_there(_find(change.cursor, name))
    change.cursor.execute("DELETE FROM accounts WHERE id = ?", (entry.id,))
    _begin(change, entry.id)
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


class SqliteDirectory:
    """An ``interface.Directory`` in one file."""

    def __init__(
        self,
        database: Database,
        threads: Threads,
        memory: Memory,
        accounts: Path | None,
        make_mail: Callable[[AccountId, str], Awaitable[None]],
        remove_mail: Callable[[AccountId], Awaitable[None]],
    ) -> None:
        """*accounts* is the directory of the accounts' files, None for memory.

        *make_mail* creates an account's own file; *remove_mail* removes it. Both are on disk when they return.
        """
        self._threads = threads
        self._accounts = accounts
        self._database = database
        self._recall = Recall(database, memory, octets_of)
        self._make_mail = make_mail
        self._remove_mail = remove_mail

    async def find(self, name: str) -> AccountEntry | None:
        """See ``interface.Directory``, also for the other methods."""
        found = await self._recall.read(_named, name)
        return found[0] if found else None

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        name = canonical(name)
        if await self.find(name) is not None:
            raise name_is_taken()
        entry = AccountEntry(new_account_id(), name, dict(secrets))
        async with self._at_work():
            await self._database.write(partial(_begin, account=entry.id))
            try:
                # the mail first, so that no name exists without mail if the process ends here
                await self._make_mail(entry.id, name)
                await self._database.write(partial(_add, entry=entry))
            except Refused:
                await self._remove_rest(entry.id)
                raise
        return entry

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        return await self._database.write(partial(_set_secrets, name=name, secrets=secrets))

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        return await self._database.write(partial(_renew_secrets, account=account, old=old, new=new))

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        if len(accounts) > FEW:
            # also reads on the near connection, so that the state is known afterwards
            await self._database.read(find_by_id, AccountId(""))
            return await self._database.read_long(_secrets_of, accounts)
        return await self._database.read(_secrets_of, accounts)

    def state(self) -> bytes | None:
        return self._database.state()

    async def remove(self, name: str) -> None:
        async with self._at_work():
            entry = await self._database.write(partial(_remove, name=name), room=Room.FREES)
            await self._remove_rest(entry.id)

    async def finish(self) -> Sequence[AccountId]:
        """Finishes the work of a killed process; returns the accounts whose files were removed.

        Does nothing while a process adds or removes an account, because that work is not finished yet.
        """
        if self._accounts is None or not await self._database.read(_unfinished):
            return ()
        async with self._at_work(alone=True) as is_alone:
            if not is_alone:
                return ()
            left = await self._database.read(_unfinished)
            for account in left:
                await self._remove_rest(account)
            return left

    async def known(self) -> frozenset[AccountId]:
        """All accounts, with those that are being added or removed."""
        return await self._database.read(_known)

    async def _remove_rest(self, account: AccountId) -> None:
        await self._remove_mail(account)
        await self._database.write(partial(_finish, account=account), room=Room.FREES)

    @asynccontextmanager
    async def _at_work(self, *, alone: bool = False) -> AsyncIterator[bool]:
        """A block whose work no other process finishes. With *alone*, yields False where another is in the block."""
        if self._accounts is None:
            yield True
            return
        lock = await self._threads.sync(partial(files.lock, self._accounts, alone=alone))
        if lock is None:
            yield False
            return
        try:
            yield True
        finally:
            files.unlock(lock)

    async def entries(self, after: str, most: int) -> Sequence[AccountEntry]:
        ask = self._database.read if most <= FEW else self._database.read_long
        return await ask(_entries, after, most)
