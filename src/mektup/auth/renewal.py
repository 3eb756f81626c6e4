"""Hashes passwords again, at the first successful login after an import or a change of the settings.

An imported account has a weaker hash until then, and no keys for SCRAM. The login does not wait: the renewal runs after
it, in its own turn of the queue. It is stored only if the directory still has the secrets that were checked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from mektup.auth.login_queue import LoginQueue
from mektup.auth.passwords import PASSWORD, is_right, needs_renewal, renewed_secrets
from mektup.auth.scram_keys import ScramKind
from mektup.store.interface import AccountEntry, Directory
from mektup.terms.errors import Refused, without_text
from mektup.terms.numbers import AccountId

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger

MOST_AT_ONCE = 20
"""How many renewals may wait or run; more accounts are renewed at their next login."""

Renewed = Callable[[Mapping[str, str], Mapping[str, str]], None]
"""Called with the old and the new secrets of the same password."""


class Renewal:
    """The renewals that wait or run in this process."""

    def __init__(
        self,
        directory: Directory,
        queue: LoginQueue,
        renewed: Renewed,
        log: FilteringBoundLogger | None,
        kinds: Sequence[ScramKind],
    ) -> None:
        """Takes turns from *queue*; calls *renewed* and writes to *log* after each renewal."""
        self.kinds = kinds
        """The kinds of SCRAM keys that an account should have; may be changed."""
        self._directory = directory
        self._queue = queue
        self._renewed = renewed
        self._log = log
        self._tasks: dict[AccountId, asyncio.Task[None]] = {}

    @property
    def in_flight(self) -> Collection[AccountId]:
        """Accounts whose secrets may change soon, without a change of the password."""
        return self._tasks.keys()

    def begin(self, entry: AccountEntry, password: bytes) -> None:
        """Starts to hash *password*, which was just correct for *entry*, if its secrets are not as they should be."""
        if not needs_renewal(entry.secrets, self.kinds):
            return
        if entry.id not in self._tasks and len(self._tasks) < MOST_AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._renew(entry, password))
            self._tasks[entry.id] = task
            task.add_done_callback(partial(self._ended, entry))

    async def close(self) -> None:
        """Cancels all renewals; they write nothing."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, entry: AccountEntry, task: asyncio.Task[None]) -> None:
        del self._tasks[entry.id]
        if not task.cancelled() and (failure := task.exception()) is not None and self._log is not None:
            # an error of ours; its text could repeat the password
            self._log.error("password_not_hashed_anew", user=entry.name, exc_info=without_text(failure))

    async def _renew(self, entry: AccountEntry, password: bytes) -> None:
        try:
            async with self._queue.turn("renewal", entry.name):
                made = await asyncio.to_thread(renewed_secrets, password, entry.secrets, self.kinds)
            if made is None:
                return
            if await self._directory.renew_secrets(entry.id, entry.secrets, made):
                self._renewed(entry.secrets, made)
                if self._log is not None:
                    self._log.info("password_hashed_anew", user=entry.name)
            else:
                await self._compare(entry, password)
        except Refused as refusal:
            # The disk may be full, for instance; the next login tries again.
            if self._log is not None:
                self._log.warning("password_not_hashed_anew", user=entry.name, reason=str(refusal))

    async def _compare(self, entry: AccountEntry, password: bytes) -> None:
        """Handles secrets that changed meanwhile: another process renewed them, or the password was changed."""
        found = (await self._directory.secrets_of([entry.id])).get(entry.id, {})
        async with self._queue.turn("renewal", entry.name):
            if await asyncio.to_thread(is_right, password, found.get(PASSWORD)):
                self._renewed(entry.secrets, found)
