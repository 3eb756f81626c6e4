"""The quota of an account in memory: a ``store.quota.AccountQuota``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mektup.store.quota import DefaultQuota, QuotaState
from mektup.store.rules import quota as rules
from mektup.store.rules.counters import DELETED
from mektup.terms.numbers import MailboxId
from mektup.terms.quota import OwnLimits
from tests.support.naive.state import State, Transaction


class NaiveQuota:
    """Counts everything again each time."""

    def __init__(
        self,
        read: Callable[[], State],
        write: Callable[[Callable[[Transaction], None]], None],
        default: DefaultQuota,
    ) -> None:
        self._read, self._write, self._default = read, write, default

    def require_growth_within(self, before: State, after: State) -> None:
        """Raises Refused(OVERQUOTA)."""
        old, new = before.usage(), after.usage()
        grown = {resource: new[resource] - old[resource] for resource in new}
        rules.require_growth_within(grown, new, rules.in_force(after.own_limits, self._default.limits))

    async def state(self) -> QuotaState:
        state = self._read()
        limits = rules.in_force(state.own_limits, self._default.limits)
        return QuotaState(state.usage(), limits, dict(state.own_limits))

    async def set_limits(self, own: OwnLimits) -> QuotaState:
        def make(change: Transaction) -> None:
            change.state.own_limits = {
                resource: None if most is None else min(most, rules.MOST) for resource, most in own.items()
            }

        self._write(make)
        return await self.state()

    async def require_room(self, octets: int) -> None:
        rules.require_room(await self.state(), octets)

    async def deleted_octets(self, mailboxes: Sequence[MailboxId]) -> Mapping[MailboxId, int]:
        folders = self._read().folders
        return {
            each: sum(one.size for one in folders[each].messages.values() if one.word & DELETED)
            for each in mailboxes
            if each in folders
        }
