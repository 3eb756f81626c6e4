"""A lower bound of each account's modseq, kept in the directory of accounts, to detect an older copy of its file.

Only a modseq that is used and on disk is recorded, some time later, many at once. So the record is never too high, and
an account with a lower modseq is an older copy.
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
"""The delay before recorded modseqs are written."""


def _read(cursor: Cursor, account: AccountId) -> int:
    return cursor.execute("SELECT seen FROM accounts WHERE id = ?", (account,)).get or 0


def _write(change: Change, noted: Mapping[AccountId, ModSeq]) -> None:
    change.cursor.executemany(
        "UPDATE accounts SET seen = ?2 WHERE id = ?1 AND seen < ?2",
        list(noted.items()),
    )


class KnownModseqs:
    """The records of all accounts of a store."""

    def __init__(self, names: Database) -> None:
        self._names = names
        self._noted: dict[AccountId, ModSeq] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    async def of(self, account: AccountId) -> int:
        """The highest modseq that the account is known to have used; 0 for none."""
        return max(await self._names.read(_read, account), self._noted.get(account, 0))

    def note(self, account: AccountId, modseq: ModSeq) -> None:
        """Records that *modseq* of the account is on disk. From any thread."""
        self._noted[account] = modseq
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    def start(self) -> None:
        """Starts writing records. In the event loop."""
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
        except Refused:  # recorded as a fault; tried again with the next records
            self._noted = noted | self._noted
        finally:
            self._writing = None
        # records made meanwhile are written with the next ones, or at the end

    async def close(self) -> None:
        """Writes all records."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._writing is not None:
            await self._writing
        if self._noted:
            await self._write()
