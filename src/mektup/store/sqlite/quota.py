"""The quota of an account in one file: a ``store.quota.AccountQuota``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules import quota as rules
from mektup.store.sqlite.loop_limits import FEW_SCANNED
from mektup.store.sqlite.tables import quota as tables
from mektup.terms.numbers import MailboxId
from mektup.terms.quota import OwnLimits

if TYPE_CHECKING:
    from mektup.store.sqlite.file.change import Change
    from mektup.store.sqlite.file.database import Database

T = TypeVar("T")


class SqliteQuota:
    """See ``store.quota.AccountQuota``."""

    __slots__ = ("_database", "_default")

    def __init__(self, database: Database, default: DefaultQuota) -> None:
        self._database = database
        self._default = default

    def within(self, make: Callable[[Change], T]) -> Callable[[Change], T]:
        """The change *make*, refused where the account would grow beyond its quota."""
        return partial(tables.within, make=make, default=self._default)

    async def state(self) -> QuotaState:
        """See ``store.quota.AccountQuota``, also for the other methods."""
        return await self._database.read(tables.state, self._default)

    async def set_limits(self, own: OwnLimits) -> QuotaState:
        await self._database.write(partial(tables.set_limits, own=own))
        return await self.state()

    async def require_room(self, octets: int) -> None:
        # most accounts have no limit, and every RCPT of LMTP asks
        limited = bool(self._default.limits)
        if limited or await self._database.read(tables.has_own_limits):
            rules.require_room(await self.state(), octets)

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        found = await self._database.read(tables.deleted_octets, mailboxes, FEW_SCANNED)
        if found is None:
            found = await self._database.read_long(tables.deleted_octets, mailboxes)
        assert found is not None
        return found
