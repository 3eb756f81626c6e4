"""How far each account is known to have come, kept in the directory of accounts: an older copy of its file has not.

Only a modseq that was given, and is on disk, is noted; some time later, many at once. So what is noted is never more
than what is true, and an account that is behind it was put back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial

from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.database import Database
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId, ModSeq

WRITTEN_SECONDS = 1.0
"""After which what was noted is written."""


def _read(cursor: Cursor, account: AccountId) -> int:
    return cursor.execute("SELECT seen FROM accounts WHERE id = ?", (account,)).get or 0


def _write(change: Change, noted: Mapping[AccountId, ModSeq]) -> None:
    change.cursor.executemany(
        "UPDATE accounts SET seen = ?2 WHERE id = ?1 AND seen < ?2",
        list(noted.items()),
    )


class Seen:
    """Of all accounts of a store."""

    def __init__(self, names: Database) -> None:
        self._names = names
        self._noted: dict[AccountId, ModSeq] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def of(self, account: AccountId) -> int:
        """A modseq that the account is known to have given; 0 for none."""
        return max(await self._names.read(_read, account), self._noted.get(account, 0))

    def note(self, account: AccountId, modseq: ModSeq) -> None:
        """The account has given *modseq*, and it is on disk. From any thread, once ``of`` was asked or ``start``."""
        self._noted[account] = modseq
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def start(self) -> None:
        """From now on what is noted is written. In the event loop."""
        self._loop = asyncio.get_running_loop()

    def _wake(self) -> None:
        if self._timer is None and self._writing is None and self._noted and self._loop is not None:
            self._timer = self._loop.call_later(WRITTEN_SECONDS, self._begin)

    def _begin(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        noted, self._noted = self._noted, {}
        try:
            await self._names.write(partial(_write, noted=noted), durable=False)
        except Refused:  # noted as a fault; to be tried again with what comes next
            self._noted = noted | self._noted
        finally:
            self._writing = None
        # what came meanwhile waits for what comes next, or for the end

    async def close(self) -> None:
        """Writes what is noted."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        if self._noted:
            await self._write()
