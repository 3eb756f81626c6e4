"""Hashes passwords anew that came from elsewhere, at the first login that proves them.

Until then the account has a weaker hash, and no keys for SCRAM. The login does not wait for it: it is done behind it,
in a turn of its own, and only if the directory still has what was checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING

from mektup.auth.login_queue import LoginQueue
from mektup.auth.passwords import PASSWORD, is_ours, is_right, renewed_secrets
from mektup.auth.scram_keys import MECHANISM
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST_AT_ONCE = 20
"""Accounts whose passwords wait to be hashed anew; others' are at their next login."""

Renewed = Callable[[Mapping[str, str], Mapping[str, str]], None]
"""Told of what was kept of a password, and what is kept of the same password now."""


class Renewal:
    """Those under way in this process."""

    def __init__(
        self, directory: Directory, queue: LoginQueue, renewed: Renewed, log: FilteringBoundLogger | None
    ) -> None:
        """Turns are taken from *queue*; *renewed* is told of each that is done, and so is *log*."""
        self._directory = directory
        self._queue = queue
        self._renewed = renewed
        self._log = log
        self._tasks: dict[AccountId, asyncio.Task[None]] = {}

    @property
    def in_flight(self) -> Collection[AccountId]:
        """Accounts whose secrets may be others in a moment, though their passwords are not."""
        return self._tasks.keys()

    def begin(self, entry: AccountEntry, password: bytes) -> None:
        """*password* was right for *entry* just now: hashes it anew where that is due."""
        if is_ours(entry.secrets.get(PASSWORD, "")) and MECHANISM in entry.secrets:
            return
        if entry.id not in self._tasks and len(self._tasks) < MOST_AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._renew(entry, password))
            self._tasks[entry.id] = task
            task.add_done_callback(lambda _: self._tasks.pop(entry.id))

    async def close(self) -> None:
        """Ends those under way, of which nothing is written then."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _renew(self, entry: AccountEntry, password: bytes) -> None:
        try:
            async with self._queue.turn("renewal", entry.name):
                made = await asyncio.to_thread(renewed_secrets, password, entry.secrets)
            if made is None:
                return
            if await self._directory.renew_secrets(entry.id, entry.secrets, made):
                self._renewed(entry.secrets, made)
                if self._log is not None:
                    self._log.info("password_hashed_anew", user=entry.name)
            else:
                await self._compare(entry, password)
        except Refused as refusal:
            # a full disk, for instance: there is a next login
            if self._log is not None:
                self._log.warning("password_not_hashed_anew", user=entry.name, reason=str(refusal))

    async def _compare(self, entry: AccountEntry, password: bytes) -> None:
        """Somebody was quicker: another process with the same password, or who changed it."""
        found = (await self._directory.secrets_of([entry.id])).get(entry.id, {})
        async with self._queue.turn("renewal", entry.name):
            if await asyncio.to_thread(is_right, password, found.get(PASSWORD)):
                self._renewed(entry.secrets, found)
