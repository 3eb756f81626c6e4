"""The quota of an account in a shard: a ``store.quota.AccountQuota``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.shard import Change
from mektup.store.postgres.tables import quota as tables
from mektup.store.postgres.values import limits_of
from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules import quota as rules
from mektup.store.rules.account_names import account_is_gone
from mektup.store.rules.counters import DELETED
from mektup.store.state_blocks import GONE, FactBlock, FlagBlock
from mektup.terms.numbers import MailboxId
from mektup.terms.quota import OwnLimits, Resource


def state_of(row: Sequence[Any], default: DefaultQuota) -> QuotaState:
    """The state that a row tells: octets, messages, mailboxes, and the account's own limits."""
    octets, messages, mailboxes, kept = row
    usage = {Resource.STORAGE: octets, Resource.MESSAGE: messages, Resource.MAILBOX: mailboxes}
    own = limits_of(kept)
    return QuotaState(usage, rules.in_force(own, default.limits), own)


class PostgresQuota:
    """See ``store.quota.AccountQuota``."""

    __slots__ = ("_database", "_default")

    def __init__(self, database: AccountDatabase, default: DefaultQuota) -> None:
        self._database = database
        self._default = default

    async def state(self) -> QuotaState:
        """See ``store.quota.AccountQuota``, also for the other methods."""
        for row in await self._database.ask(tables.STATE, (self._database.account,)):
            return state_of(row, self._default)
        raise account_is_gone()

    async def set_limits(self, own: OwnLimits) -> QuotaState:
        kept = {resource.value: None if most is None else min(most, rules.MOST) for resource, most in own.items()}

        async def make(change: Change) -> None:
            await change.ask(tables.SET_LIMITS, (json.dumps(kept), change.account))

        await self._database.write(make)
        return await self.state()

    async def require_room(self, octets: int) -> None:
        rules.require_room(await self.state(), octets)

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        account = self._database.account
        there: dict[MailboxId, bool] = dict(await self._database.ask(tables.HAS_DELETED, (account, list(mailboxes))))
        asked = [mailbox for mailbox, has_deleted in there.items() if has_deleted]
        found = dict.fromkeys(there, 0)
        rows = await self._database.ask(tables.MESSAGES, (account, asked, DELETED, account, asked)) if asked else ()
        for mailbox, number, modseq, size, flags, facts in rows:
            found[mailbox] += size if flags is None else _deleted(FlagBlock.read(number, modseq, flags), facts)
        return found


def _deleted(block: FlagBlock, facts: bytes) -> int:
    """The octets of the messages of *block* with \\Deleted."""
    sizes = FactBlock.read(block.number, facts).sizes
    words = zip(block.words, sizes, strict=True)
    return sum(size for word, size in words if word != GONE and word & DELETED)
