"""Changes of an account's mailboxes: planned on all of them by ``rules.mailbox_tree``, then written.

The rules ask many small questions. So the mailboxes are read once, after the account was locked; the plan answers from
memory, and keeps what to write.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mektup.store.interface import Mailbox
from mektup.store.postgres import mailbox_removal, past_names
from mektup.store.postgres.shard import Change
from mektup.store.postgres.tables import mailbox_removal as removal
from mektup.store.postgres.tables import mailboxes as tables
from mektup.store.postgres.values import limits_of
from mektup.store.quota import DefaultQuota
from mektup.store.rules import account_log
from mektup.store.rules import quota as quota_rules
from mektup.store.rules.counters import next_uidvalidity
from mektup.store.rules.mailbox_names import inferiors, new_mailboxid
from mektup.terms.numbers import ACCOUNT_ITSELF, NO_MODSEQ, MailboxId, ModSeq, Uid, UidValidity
from mektup.terms.quota import Resource

Step = Callable[[Change, ModSeq], Awaitable[None]]
"""Writes a part of the plan, with the modseq of the change."""


class PlannedTree:
    """A ``rules.adoption.AdoptingTree``. Nothing is written before ``carry_out``."""

    def __init__(
        self, change: Change, mailboxes: Sequence[Mailbox], subscriptions: frozenset[str], numbers: Sequence[Any]
    ) -> None:
        """*numbers* is the answer to NUMBERS."""
        uidvalidity, highest, octets, messages, selectable, own = numbers
        self._moment = change.moment
        self._by_name = {each.name: each for each in mailboxes}
        self._subscribed = set(subscriptions)
        self._uidvalidity = UidValidity(uidvalidity)
        self._highest = MailboxId(highest)
        self._held = {Resource.STORAGE: octets, Resource.MESSAGE: messages, Resource.MAILBOX: selectable}
        self._grown = dict.fromkeys(Resource, 0)
        self._own = limits_of(own)
        self._steps: list[Step] = []
        self._buries = False

    # What the rules ask

    def find(self, name: str) -> Mailbox | None:
        """See ``Tree``, also for the other methods."""
        return self._by_name.get(name)

    def below(self, name: str) -> Sequence[tuple[MailboxId, str]]:
        first, last = inferiors(name)
        return [(each.id, each.name) for each in self._by_name.values() if first <= each.name < last]

    def has_special_use(self, special_use: str) -> bool:
        return self.with_special_use(special_use) is not None

    def with_special_use(self, special_use: str) -> Mailbox | None:
        return next((each for each in self._by_name.values() if each.special_use == special_use), None)

    def count(self) -> int:
        return len(self._by_name)

    def is_subscribed(self, name: str) -> bool:
        return name in self._subscribed

    def count_subscriptions(self) -> int:
        return len(self._subscribed)

    # What the rules do

    def insert(
        self,
        name: str,
        *,
        special_use: str | None = None,
        selectable: bool = True,
        uidvalidity: UidValidity | None = None,
    ) -> None:
        if uidvalidity is None:
            uidvalidity = next_uidvalidity(self._uidvalidity, self._moment)
        self._uidvalidity = max(self._uidvalidity, uidvalidity)
        self._highest = MailboxId(self._highest + 1)
        made = Mailbox(
            self._highest, name, uidvalidity, Uid(1), NO_MODSEQ, 0, 0, 0, 0, 0, new_mailboxid(), special_use, selectable
        )
        self._by_name[name] = made
        self._grown[Resource.MAILBOX] += selectable
        self._steps.append(partial(_insert, made))

    def inherit(self, name: str, above: MailboxId) -> None:
        self._steps.append(partial(_inherit, self._by_name[name].id, above))

    def remove(self, mailbox: MailboxId) -> None:
        doomed = self._by_name.pop(self._with_id(mailbox).name)
        self._grown[Resource.STORAGE] -= doomed.size
        self._grown[Resource.MESSAGE] -= doomed.messages
        self._grown[Resource.MAILBOX] -= doomed.selectable
        self._steps.append(partial(_remove, mailbox))
        self._buries = True

    def rename(self, mailbox: MailboxId, name: str) -> None:
        moved = self._by_name.pop(self._with_id(mailbox).name)
        self._by_name[name] = replace(moved, name=name)
        self._steps.append(partial(_rename, mailbox, name))

    def subscribe(self, name: str) -> None:
        self._subscribed.add(name)
        self._steps.append(partial(_subscribe, name))

    def unsubscribe(self, name: str) -> None:
        self._subscribed.discard(name)
        self._steps.append(partial(_unsubscribe, name))
        self._buries = True

    def renumber(self, mailbox: MailboxId, uidvalidity: UidValidity) -> None:
        self._uidvalidity = max(self._uidvalidity, uidvalidity)
        self._highest = MailboxId(self._highest + 1)
        before = self._with_id(mailbox)
        made = replace(before, id=self._highest, uidvalidity=uidvalidity, uidnext=Uid(1), mailboxid=new_mailboxid())
        self._by_name[before.name] = made
        self._steps.append(partial(_renumber, mailbox, made))
        self._buries = True

    def set_special_use(self, mailbox: MailboxId, special_use: str | None) -> None:
        before = self._with_id(mailbox)
        self._by_name[before.name] = replace(before, special_use=special_use)
        self._steps.append(partial(_set_special_use, mailbox, special_use))

    def _with_id(self, mailbox: MailboxId) -> Mailbox:
        return next(each for each in self._by_name.values() if each.id == mailbox)

    # Afterwards

    def require_within(self, default: DefaultQuota) -> None:
        """Raises Refused(OVERQUOTA) where the plan makes the account grow beyond its quota."""
        after = {resource: held + self._grown[resource] for resource, held in self._held.items()}
        quota_rules.require_growth_within(self._grown, after, quota_rules.in_force(self._own, default.limits))

    async def carry_out(self, change: Change) -> None:
        """Writes the plan; takes a modseq where there is something to write."""
        if not self._steps:
            return
        modseq = await change.modseq()
        for step in self._steps:
            await step(change, modseq)
        grown = self._grown[Resource.STORAGE], self._grown[Resource.MESSAGE], self._grown[Resource.MAILBOX]
        await change.ask(tables.SET_NUMBERS, (self._uidvalidity, self._highest, *grown, change.account))
        if self._buries:
            await _remove_oldest_tombstones(change)


async def read(change: Change) -> PlannedTree:
    """The mailboxes and subscriptions of the account of *change*."""
    mailboxes = [Mailbox(*row) for row in await change.ask(tables.ALL, (change.account,)) if row[0] is not None]
    return PlannedTree(change, mailboxes, await _subscriptions(change), await _numbers(change))


async def read_subscriptions(change: Change) -> PlannedTree:
    """The subscriptions of the account of *change*, without its mailboxes."""
    return PlannedTree(change, (), await _subscriptions(change), await _numbers(change))


async def _subscriptions(change: Change) -> frozenset[str]:
    rows = await change.ask(tables.SUBSCRIPTIONS, (change.account,))
    return frozenset(name for (name,) in rows if name is not None)


async def _numbers(change: Change) -> Sequence[Any]:
    (numbers,) = await change.ask(tables.NUMBERS, (change.account,))
    return numbers


# Steps


async def _insert(made: Mailbox, change: Change, modseq: ModSeq) -> None:
    values = (made.id, made.name, made.uidvalidity, modseq, made.mailboxid, made.special_use, made.selectable)
    await change.ask(tables.INSERT, (change.account, *values, modseq, modseq, change.moment))
    change.touched.add(made.id)


async def _inherit(mailbox: MailboxId, above: MailboxId, change: Change, modseq: ModSeq) -> None:
    await change.ask(tables.INHERIT, (mailbox, change.account, above))


async def _remove(mailbox: MailboxId, change: Change, modseq: ModSeq) -> None:
    await past_names.keep(change, mailbox, modseq, deleted=True)
    await mailbox_removal.remove_messages(change, mailbox, modseq)
    await change.ask(tables.BURY, (modseq, change.account, mailbox))
    await change.ask(tables.REMOVE, (change.account, mailbox))
    change.touched.add(mailbox)


async def _rename(mailbox: MailboxId, name: str, change: Change, modseq: ModSeq) -> None:
    await past_names.keep(change, mailbox, modseq)
    await change.ask(tables.RENAME, (name, modseq, change.moment, change.account, mailbox))
    change.touched.add(mailbox)


async def _set_special_use(mailbox: MailboxId, special_use: str | None, change: Change, modseq: ModSeq) -> None:
    await past_names.keep(change, mailbox, modseq)
    await change.ask(tables.SET_SPECIAL_USE, (special_use, modseq, change.moment, change.account, mailbox))
    change.touched.add(mailbox)


async def _renumber(mailbox: MailboxId, made: Mailbox, change: Change, modseq: ModSeq) -> None:
    await change.ask(tables.BURY, (modseq, change.account, mailbox))
    await past_names.keep(change, mailbox, modseq)
    values = (made.id, made.uidvalidity, modseq, made.mailboxid, modseq, modseq, change.moment)
    await change.ask(tables.RENUMBER, (*values, change.account, mailbox))
    for table in ("tail", "flags", "facts", "expunged", "lists"):
        await change.ask(removal.REMOVE_FROM.format(table), (change.account, mailbox))
    for table in ("access", "metadata", "imported"):
        await change.ask(tables.RENUMBER_IN.format(table), (made.id, change.account, mailbox))
    change.touched |= {mailbox, made.id}


async def _subscribe(name: str, change: Change, modseq: ModSeq) -> None:
    await change.ask(tables.SUBSCRIBE, (change.account, name, modseq))
    await change.ask(tables.UNBURY_SUBSCRIPTION, (change.account, name))
    change.touched.add(ACCOUNT_ITSELF)


async def _unsubscribe(name: str, change: Change, modseq: ModSeq) -> None:
    await change.ask(tables.UNSUBSCRIBE, (change.account, name))
    await change.ask(tables.BURY_SUBSCRIPTION, (change.account, modseq, name))
    change.touched.add(ACCOUNT_ITSELF)


async def _remove_oldest_tombstones(change: Change) -> None:
    ((tombstones,),) = await change.ask(tables.COUNT_TOMBSTONES, (change.account,))
    if account_log.are_many(tombstones):
        found = await change.ask(tables.NEWEST_REMOVED, (change.account, account_log.KEPT_TOMBSTONES))
        await begin_log_at(change, found[0][0])


async def begin_log_at(change: Change, floor: ModSeq) -> None:
    """Removes the tombstones up to *floor*: who knows the account as of an earlier modseq gets everything."""
    await change.ask(tables.BEGIN_LOG_AT, (floor, change.account))
    await change.ask(tables.REMOVE_TOMBSTONES, (change.account, floor))


__all__ = ["PlannedTree", "begin_log_at", "read", "read_subscriptions"]
