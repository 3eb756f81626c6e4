"""The directory of accounts: which there are, with their secrets, and which shard has the mail of each.

Adding or removing an account changes two databases, its shard and this one, and a node may end in between. So the
account is in the table ``unfinished`` from before the first step until after the last. ``finish`` does what was left.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from mektup.store.access_lists import ANYONE
from mektup.store.interface import AccountEntry
from mektup.store.postgres.addresses import require_no_alias
from mektup.store.postgres.shard import Connection, LostAnswer, Row, Shard
from mektup.store.postgres.tables import directory as tables
from mektup.store.postgres.values import account_id, is_storable, storable_ids
from mektup.store.rules import account_names as names
from mektup.store.rules.refusals import uncertain
from mektup.terms.errors import Refused
from mektup.terms.names import account_key
from mektup.terms.numbers import AccountId

LOOK_SECONDS: Final = 1.0
"""How old the number of changes may be before ``state`` has it read again."""

LEFT_SECONDS: Final = 600
"""An addition or removal that takes longer was left by a node that ended."""


class PostgresDirectory:
    """An ``interface.Directory``."""

    def __init__(
        self,
        database: Shard,
        shards: Collection[str],
        make_mail: Callable[[AccountEntry], Awaitable[None]],
        remove_mail: Callable[[AccountEntry], Awaitable[None]],
    ) -> None:
        """*shards* are the names of those that take new accounts.

        *make_mail* makes the mail of a new account in its shard; *remove_mail* removes it, if it is there.
        """
        self._database = database
        self._shards = sorted(shards)
        self._make_mail = make_mail
        self._remove_mail = remove_mail
        self._changes: int | None = None
        self._looked = 0.0
        self._looking: asyncio.Task[None] | None = None

    async def find(self, name: str) -> AccountEntry | None:
        """See ``interface.Directory``, also for the other methods."""
        if not is_storable(name):
            return None
        return self._found(await self._database.ask(tables.FIND, (account_key(name),)))

    async def find_by_id(self, account: AccountId) -> AccountEntry | None:
        """The account with that ID."""
        if not storable_ids((account,)):
            return None
        return self._found(await self._database.ask(tables.FIND_BY_ID, (account,)))

    async def add(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        name = names.canonical(name)
        if await self.find(name) is not None:
            raise names.name_is_taken()
        await require_no_alias(self._database.ask, name)
        left = list(self._shards)
        while True:
            entry = await self._begin_adding(name, secrets, left)
            left.remove(entry.shard)
            try:
                # the mail first, so that no name exists without mail if the node ends here
                await self._make_mail(entry)
            except Refused:
                await self._try_to_remove_rest(entry)
                if not left:
                    raise
                continue  # a shard that cannot be reached now gets its accounts later
            await self._add(entry)
            return entry

    async def set_secrets(self, name: str, secrets: Mapping[str, str]) -> AccountEntry:
        return await self._set(tables.SET_SECRETS, name, _in_json(secrets))

    async def set_hidden(self, name: str, hidden: Collection[str]) -> AccountEntry:
        return await self._set(tables.SET_HIDDEN, name, " ".join(sorted(hidden)))

    async def renew_secrets(self, account: AccountId, old: Mapping[str, str], new: Mapping[str, str]) -> bool:
        if not storable_ids((account,)):
            return False
        values = (_in_json(new), account, _in_json(old))
        try:
            ((changes, found),) = await self._database.call(tables.RENEW_SECRETS, values)
        except LostAnswer:
            entry = await self.find_by_id(account)
            return entry is not None and entry.secrets == new
        self._note(changes)
        return found is not None

    async def secrets_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, Mapping[str, str]]:
        rows = await self._database.ask(tables.SECRETS, (storable_ids(accounts),))
        self._note(rows[0][0])
        return {account_id(account): json.loads(secrets) for _, account, secrets in rows if account is not None}

    async def names_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, str]:
        rows = await self._database.ask(tables.NAMES, (storable_ids(accounts),))
        return {account_id(account): name for account, name in rows}

    async def shards_of(self, accounts: Collection[AccountId]) -> Mapping[AccountId, str]:
        """The shards of these accounts, without accounts that are gone."""
        rows = await self._database.ask(tables.SHARDS, (storable_ids(accounts),))
        return {account_id(account): shard for account, shard in rows}

    async def note_logins(self, at: Mapping[AccountId, int]) -> None:
        accounts = storable_ids(at)
        # done twice is done once
        await self._database.ask(tables.NOTE_LOGINS, (accounts, [at[account] for account in accounts]))

    async def last_logins(self, accounts: Collection[AccountId]) -> Mapping[AccountId, int]:
        rows = await self._database.ask(tables.LAST_LOGINS, (storable_ids(accounts),))
        return {account_id(account): at for account, at in rows}

    async def sharing_with(self, reader: AccountId) -> Mapping[str, AccountEntry]:
        if not storable_ids((reader,)):
            return {}
        rows = await self._database.ask(tables.SHARERS, ([reader, ANYONE], reader))
        return {entry.name: replace(entry, secrets={}) for entry in map(_entry, rows)}

    def state(self) -> bytes | None:
        """See ``interface.Directory``: changes of other nodes are in it after about LOOK_SECONDS.

        It is None until anything was read, and stays the same while the database cannot be reached.
        """
        if time.monotonic() - self._looked > LOOK_SECONDS and self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._look())
        return None if self._changes is None else self._changes.to_bytes(8)

    async def remove(self, name: str) -> None:
        entry = names.require_there(await self.find(name))
        try:
            self._note(await self._database.transaction(partial(_remove, entry=entry)))
        except LostAnswer as lost:
            if await self._is_there(entry, lost):
                raise _not_done(lost) from lost
        try:
            await self._remove_rest(entry)
        except Refused as refused:  # the name is gone; ``finish`` removes the rest later
            raise uncertain(refused) from refused

    async def entries(self, after: str, most: int) -> Sequence[AccountEntry]:
        return [_entry(row) for row in await self._database.ask(tables.PAGE, (account_key(after), most))]

    async def finish(self) -> Sequence[AccountId]:
        """Finishes the work of killed nodes; returns the accounts whose mail was removed.

        What cannot be removed now, because its shard is down or unknown, is left for later.
        """
        rows = await self._certain(self._database.call(tables.CLAIM_UNFINISHED, (LEFT_SECONDS,)))
        removed = []
        for account, shard in rows:
            entry = AccountEntry(account_id(account), "", {}, shard)
            with suppress(Refused):
                await self._remove_rest(entry)
                removed.append(entry.id)
        return removed

    async def close(self) -> None:
        """Ends what runs in the background."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait((self._looking,))

    # Adding and removing

    async def _begin_adding(self, name: str, secrets: Mapping[str, str], shards: Sequence[str]) -> AccountEntry:
        """A new account, on that of *shards* that has the fewest."""
        account = names.new_account_id()
        ((shard,),) = await self._certain(self._database.call(tables.BEGIN_ADDING, (account, list(shards))))
        return AccountEntry(account, name, dict(secrets), shard)

    async def _add(self, entry: AccountEntry) -> None:
        """Makes the name known. Raises Refused."""
        try:
            self._note(await self._database.transaction(partial(_add, entry=entry)))
        except LostAnswer as lost:
            if not await self._is_there(entry, lost):
                await self._try_to_remove_rest(entry)
                raise _not_done(lost) from lost
        except Refused:
            await self._try_to_remove_rest(entry)
            raise

    async def _is_there(self, entry: AccountEntry, lost: LostAnswer) -> bool:
        """Whether the directory has *entry*, once the change whose answer was lost has ended."""

        async def look(connection: Connection) -> bool:
            await connection.execute(tables.LOCK.encode())
            found = await connection.execute(tables.SHARDS.encode(), ([entry.id],))
            return await found.fetchone() is not None

        try:
            return await self._database.transaction(look)
        except (Refused, LostAnswer):
            raise lost.refused from lost

    async def _try_to_remove_rest(self, entry: AccountEntry) -> None:
        with suppress(Refused):  # ``finish`` does later what cannot be done now
            await self._remove_rest(entry)

    async def _remove_rest(self, entry: AccountEntry) -> None:
        await self._remove_mail(entry)
        await self._database.ask(tables.REMOVE_UNFINISHED, (entry.id,))  # done twice is done once

    async def _set(self, statement: str, name: str, value: str) -> AccountEntry:
        rows: list[Row] = []
        if is_storable(name):
            # done twice is done once
            rows = await self._database.ask(statement, (value, account_key(name)))
        return names.require_there(self._found(rows))

    async def _certain(self, asking: Awaitable[list[Row]]) -> list[Row]:
        """The answer to a write that shows to nobody, so that nothing has changed where its answer is lost."""
        try:
            return await asking
        except LostAnswer as lost:
            raise _not_done(lost) from lost

    # The number of changes

    def _found(self, rows: Sequence[Row]) -> AccountEntry | None:
        for changes, *row in rows:
            self._note(changes)
            return None if row[0] is None else _entry(row)
        return None

    def _note(self, changes: int) -> None:
        self._changes = max(changes, self._changes or 0)
        self._looked = time.monotonic()

    async def _look(self) -> None:
        try:
            ((changes,),) = await self._database.ask(tables.CHANGES)
            self._note(changes)
        except Refused:
            self._looked = time.monotonic()  # reported by the shard; asked again after a while
        finally:
            self._looking = None


def _entry(row: Sequence[Any]) -> AccountEntry:
    account, name, secrets, hidden, shard = row
    return AccountEntry(account_id(account), name, json.loads(secrets), shard, frozenset(hidden.split()))


def _in_json(secrets: Mapping[str, str]) -> str:
    """Equal for equal secrets."""
    return json.dumps(dict(secrets), sort_keys=True)


def _not_done(lost: LostAnswer) -> Refused:
    """The refusal of a change whose answer was lost, and that was not made."""
    return lost.refused.fault.refusal()


async def _add(connection: Connection, entry: AccountEntry) -> int:
    """Adds *entry*; returns the number of changes."""

    async def ask(statement: str, parameters: Sequence[Any] = ()) -> list[Row]:
        return await (await connection.execute(statement.encode(), parameters)).fetchall()

    ((changes,),) = await ask(tables.COUNT_CHANGE)
    if (await ask(tables.FIND, (account_key(entry.name),)))[0][1] is not None:
        raise names.name_is_taken()
    await require_no_alias(ask, entry.name)
    if not await ask(tables.END_ADDING, (entry.id,)):
        raise names.account_is_gone()
    values = (entry.id, entry.name, account_key(entry.name), _in_json(entry.secrets), entry.shard)
    await connection.execute(tables.INSERT.encode(), values)
    await connection.execute(tables.FILL.encode(), (entry.shard, 1))
    return int(changes)


async def _remove(connection: Connection, entry: AccountEntry) -> int:
    """Removes *entry* and what the directory has about it; returns the number of changes."""
    changes = await (await connection.execute(tables.COUNT_CHANGE.encode())).fetchone()
    assert changes is not None
    removed = await (await connection.execute(tables.REMOVE.encode(), (entry.id,))).fetchone()
    (shard,) = names.require_there(removed)
    for statement in tables.FORGET:
        await connection.execute(statement.encode(), (entry.id,))
    await connection.execute(tables.BEGIN_REMOVING.encode(), (entry.id, shard))
    await connection.execute(tables.FILL.encode(), (shard, -1))
    return int(changes[0])
