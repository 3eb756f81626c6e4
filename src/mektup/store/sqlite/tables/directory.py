"""The directory of accounts: a small file with the accounts' names and secrets.

Adding or removing an account changes two files, its own and this one, and a process may end in between. So the account
is in the table ``unfinished`` from before the first step until after the last. The next process finishes the work of a
killed one: it removes the files of accounts that are not in the table ``accounts``.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from mektup.store import files
from mektup.store.interface import AccountEntry
from mektup.store.memo import Memory, Recall
from mektup.store.rules.account_names import canonical, name_is_taken, new_account_id, require_there
from mektup.store.rules.octets import octets_of
from mektup.store.rules.refusals import uncertain
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.database import Database
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.store.sqlite.file.inspection import CannotLookError, opened
from mektup.store.sqlite.file.reserve import Room
from mektup.store.sqlite.tables import account_figures, addresses, sharing
from mektup.store.threads import Threads
from mektup.terms.errors import Refused
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId

_COLUMNS = "id, name, secrets, hidden"

FEW = 20
"""The most accounts that are read in the event loop; more are read in a thread."""


def _entry(row: tuple[str, str, str, str]) -> AccountEntry:
    account, name, secrets, hidden = row
    return AccountEntry(AccountId(account), name, json.loads(secrets), hidden=frozenset(hidden.split()))


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
    addresses.require_no_alias(change.cursor, entry.name)
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


def _set_hidden(change: Change, name: str, hidden: Collection[str]) -> AccountEntry:
    change.cursor.execute(
        "UPDATE accounts SET hidden = ? WHERE folded = ?", (" ".join(sorted(hidden)), account_key(name))
    )
    return require_there(_find(change.cursor, name))


def _remove(change: Change, name: str) -> AccountEntry:
    entry = require_there(_find(change.cursor, name))
    change.cursor.execute("DELETE FROM accounts WHERE id = ?", (entry.id,))
    sharing.forget(change, entry.id)
    account_figures.forget(change, entry.id)
    addresses.forget(change, entry.id)
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


def _names_of(cursor: Cursor, accounts: Collection[AccountId]) -> Mapping[AccountId, str]:
    asked = "SELECT id, name FROM accounts WHERE id IN (SELECT value FROM json_each(?))"
    rows = cursor.execute(asked, (json.dumps(list(accounts)),)).fetchall()
    return {AccountId(account): name for account, name in rows}


def _sharing_with(cursor: Cursor, reader: AccountId) -> Mapping[str, AccountEntry]:
    return {name: AccountEntry(owner, name, {}) for name, owner in sharing.owners(cursor, reader).items()}


def names_beginning(data: Path, key: str, most: int) -> list[str]:
    """The first *most* accounts of a data directory whose keys begin with *key*; none where they cannot be read.

    For a shell that completes a name. It changes nothing, and blocks.
    """
    asked = "SELECT name FROM accounts WHERE substr(folded, 1, length(?1)) = ?1 ORDER BY folded LIMIT ?2"
    with suppress(OSError, CannotLookError, *ENGINE_ERRORS), opened(data / "mektup.db") as cursor:
        return [name for (name,) in cursor.execute(asked, (key, most)).fetchall()]
    return []


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
        await self._database.read(addresses.require_no_alias, name)
        entry = AccountEntry(new_account_id(), name, dict(secrets))
        async with self._at_work():
            await self._database.write(partial(_begin, account=entry.id))
            try:
                # the mail first, so that no name exists without mail if the process ends here
                await self._make_mail(entry.id, name)
                await self._database.write(partial(_add, entry=entry))
            except Refused as refused:
                if not refused.uncertain:  # else the account may exist, with its mail
                    with suppress(Refused):  # ``finish`` does later what cannot be done now
                        await self._remove_rest(entry.id)
                raise
        return entry

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        return await self._database.write(partial(_set_secrets, name=name, secrets=secrets))

    async def set_hidden(self, name: str, hidden: Collection[str]) -> AccountEntry:
        return await self._database.write(partial(_set_hidden, name=name, hidden=hidden))

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        return await self._database.write(partial(_renew_secrets, account=account, old=old, new=new))

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        if len(accounts) > FEW:
            # also reads on the near connection, so that the state is known afterwards
            await self._database.read(find_by_id, AccountId(""))
            return await self._database.read_long(_secrets_of, accounts)
        return await self._database.read(_secrets_of, accounts)

    async def names_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, str]:
        return await self._database.read(_names_of, accounts)

    async def note_logins(self, at: Mapping[AccountId, int]) -> None:
        await self._database.write(partial(account_figures.note_logins, at=at), durable=False, long=len(at) > FEW)

    async def last_logins(self, accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
        return await self._database.read_long(account_figures.last_logins, accounts)

    async def sharing_with(self, reader: AccountId) -> Mapping[str, AccountEntry]:
        return await self._recall.read(_sharing_with, reader)

    def state(self) -> bytes | None:
        return self._database.state()

    async def remove(self, name: str) -> None:
        async with self._at_work():
            entry = await self._database.write(partial(_remove, name=name), room=Room.FREES)
            try:
                await self._remove_rest(entry.id)
            except Refused as refused:  # the name is gone; ``finish`` removes the rest later
                raise uncertain(refused) from refused

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
        try:
            lock = await self._threads.sync(partial(files.lock, self._accounts, alone=alone))
        except OSError as error:
            raise self._database.refused(error) from error
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
