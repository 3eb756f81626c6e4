"""Followers that know only what the log told them are compared with the full listing, after any sequence of changes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from mektup.store.interface import Account, Store
from mektup.store.rules import account_log
from mektup.terms.errors import Refused
from mektup.terms.numbers import AccountId, MailboxId, ModSeq
from tests.contract.engines import ENGINES, EXAMPLES, new_places, open_engine
from tests.contract.mail import START, entry_of, incoming

T = TypeVar("T")

Attributes = tuple[str, int, str, str | None, bool]
"""Name, UIDVALIDITY, MAILBOXID, special use, and whether it is selectable."""

names = st.sampled_from(("INBOX", "Junk", "a", "a/b", "a/b/c", "d", "d/b"))
uses = st.sampled_from((None, None, "\\All", "\\Junk"))


@dataclass
class Follower:
    """A follower: the mailboxes and subscriptions as of a modseq."""

    modseq: ModSeq = START
    mailboxes: dict[MailboxId, Attributes] = field(default_factory=dict)
    subscribed: set[str] = field(default_factory=set)

    async def catch_up(self, account: Account) -> bool:
        """Applies the changes since; returns whether it had to forget everything."""
        changes = await account.mailbox_changes(self.modseq)
        if changes.whole:
            self.mailboxes, self.subscribed = {}, set()
        for gone in changes.gone:
            del self.mailboxes[gone.id]
            assert self.modseq < gone.gone <= changes.modseq
        for each in changes.mailboxes:
            assert changes.whole or (each.id not in self.mailboxes) == (each.created > self.modseq)
            self.mailboxes[each.id] = each.name, each.uidvalidity, each.mailboxid, each.special_use, each.selectable
        for name in changes.subscriptions:
            (self.subscribed.add if name.subscribed else self.subscribed.discard)(name.name)
        self.modseq = changes.modseq
        return changes.whole


async def listed(account: Account) -> Follower:
    """What a follower must know at this moment."""
    mailboxes = {
        each.id: (each.name, each.uidvalidity, each.mailboxid, each.special_use, each.selectable)
        for each in await account.mailboxes()
    }
    return Follower(ModSeq(0), mailboxes, set(await account.subscriptions()))


class AccountLogMachine(RuleBasedStateMachine):
    """One follower catches up after each change, others sometimes."""

    engine: str
    new_place: Callable[[], str]

    @initialize()
    def open(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.place = self.new_place()
        self.store: Store = self.run(open_engine(self.engine, self.place))
        self.id: AccountId = self.run(self.store.directory.add("linda", {})).id
        self.account: Account = self.run(self.store.account(entry_of(self.id)))
        self.eager = Follower()
        self.followers = [Follower()]
        self.is_reset = True

    def run(self, asked: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(asked)

    def tried(self, asked: Coroutine[Any, Any, object]) -> None:
        """Runs a command that may be refused; then nothing may have changed."""
        try:
            self.run(asked)
        except Refused:
            assert not (changes := self.run(self.account.mailbox_changes(self.eager.modseq))).mailboxes
            assert (changes.gone, changes.subscriptions) == ((), ())

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.run(self.store.close())
            self.loop.close()

    @rule(name=names, use=uses)
    def create(self, name: str, use: str | None) -> None:
        self.tried(self.account.create(name, special_use=use))

    @rule(name=names)
    def delete(self, name: str) -> None:
        self.tried(self.account.delete(name))

    @rule(old=names, new=names)
    def rename(self, old: str, new: str) -> None:
        self.tried(self.account.rename(old, new))

    @rule(name=names)
    def subscribe(self, name: str) -> None:
        self.tried(self.account.subscribe(name))

    @rule(name=names)
    def unsubscribe(self, name: str) -> None:
        self.tried(self.account.unsubscribe(name))

    @rule()
    def append(self) -> None:
        self.run(self.account.append(self.run(self.account.mailbox("INBOX")).id, [incoming()]))

    @rule()
    def renew(self) -> None:
        self.run(self.account.renew())
        self.is_reset = True

    @rule()
    def reopen(self) -> None:
        if self.engine in ("sqlite on disk", "postgres"):
            self.run(self.store.close())
            self.store = self.run(open_engine(self.engine, self.place))
            self.account = self.run(self.store.account(entry_of(self.id)))

    @rule()
    def another_follows(self) -> None:
        self.followers.append(Follower())

    @rule(data=st.data())
    def one_catches_up(self, data: st.DataObject) -> None:
        follower = data.draw(st.sampled_from(self.followers))
        self.run(follower.catch_up(self.account))
        assert follower == self.eager

    @invariant()
    def the_eager_one_knows_all(self) -> None:
        if not hasattr(self, "store"):
            return
        assert self.run(self.eager.catch_up(self.account)) == self.is_reset
        self.is_reset = False
        expected = self.run(listed(self.account))
        assert (self.eager.mailboxes, self.eager.subscribed) == (expected.mailboxes, expected.subscribed)


@pytest.mark.parametrize("kept", [1, account_log.KEPT_TOMBSTONES], ids=["few tombstones", "many tombstones"])
@pytest.mark.timeout(240)
@pytest.mark.parametrize("engine", ENGINES)
def test_a_follower_knows_what_a_listing_shows(
    engine: str, kept: int, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    monkeypatch.setattr(account_log, "KEPT_TOMBSTONES", kept)
    monkeypatch.setattr(account_log, "SPARE_TOMBSTONES", kept)
    new_place = staticmethod(new_places(request, engine, tmp_path))
    machine = type("Machine", (AccountLogMachine,), {"engine": engine, "new_place": new_place})
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=40, suppress_health_check=list(HealthCheck)),
    )
