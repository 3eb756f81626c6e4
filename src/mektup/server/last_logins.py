"""Notes when each account last logged in, and writes that later, many at once: no login waits for it."""

from __future__ import annotations

import asyncio
import time

from structlog.typing import FilteringBoundLogger

from mektup.store.interface import Directory
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId

WRITTEN_SECONDS = 300.0
"""How often the logins are written; ``mektup user list`` shows them so much later at most."""


class LastLogins:
    """The logins of one process that are not written yet: at most one for each account."""

    def __init__(self, directory: Directory, log: FilteringBoundLogger) -> None:
        """Call ``start`` in the event loop."""
        self._directory = directory
        self._log = log
        self._noted: dict[AccountId, int] = {}
        self._keeper: asyncio.Task[None] | None = None
        self._complained = ""

    def start(self) -> None:
        """Writes what is noted from time to time."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    def note(self, account: AccountId) -> None:
        """Notes that *account* logs in now."""
        self._noted[account] = int(time.time())

    async def write(self) -> None:
        """Writes what is noted; what cannot be written stays noted, and the log has the reason."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            await self._directory.note_logins(noted)
            self._complained = ""
        except Refused as refusal:
            self._noted = noted | self._noted
            if str(refusal) != self._complained:
                self._complained = str(refusal)
                self._log.warning("last_logins_not_written", reason=self._complained)

    async def close(self) -> None:
        """Writes what is left, and ends."""
        if self._keeper is not None:
            self._keeper.cancel()
        await self.write()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_SECONDS)
            await self.write()
