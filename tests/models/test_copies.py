"""Clients of all kinds change several mailboxes, lose their connections and come back, in any order.

Each time one has synchronized, its copy of the mailbox, built only from what it was sent, equals the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mektup.store.interface import Account
from tests.models.caching import KINDS, CachingClient, Kind
from tests.models.truth import open_both, stored
from tests.support.memory import MemoryWorld

CLIENTS = 3
ENOUGH = 10
"""With so many messages in a copy none is added: with few messages, clients often change the same one."""

T = TypeVar("T")

NAMES = ("INBOX", "INBOX", "A", "B", "A/x")
who = st.integers(0, CLIENTS - 1)
names = st.sampled_from(NAMES)
share = st.floats(0, 1)
flags = st.sampled_from(["", "\\Seen", "\\Deleted", "\\Deleted \\Flagged", "urgent"])
acts = st.lists(st.tuples(st.sampled_from(["append", "expunge", "expunge", "move", "+FLAGS (x)"]), share), max_size=4)
questions = st.sampled_from(["NOOP", "UID FETCH 1:* (FLAGS)", "UID SEARCH ALL", "EXPUNGE", "UID STORE 1:* +FLAGS (x)"])


class Copies(RuleBasedStateMachine):
    """Each rule is something that one client does; it connects first if it must."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.clients: list[CachingClient] = []
        self.world: MemoryWorld | None = None

    def teardown(self) -> None:
        if self.world is not None:
            self.run(self.world.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(kinds=st.lists(st.sampled_from(KINDS), min_size=CLIENTS, max_size=CLIENTS), messages=st.integers(0, 5))
    def begin(self, kinds: list[Kind], messages: int) -> None:
        self.world, self.account = self.run(self._begin(kinds))
        for number in range(messages):
            self.appends(number % CLIENTS, "INBOX", "")

    async def _begin(self, kinds: list[Kind]) -> tuple[MemoryWorld, Account]:
        world, account = await open_both()
        self.clients = [CachingClient(kind) for kind in kinds]
        for client in self.clients:
            await client.connect(world)
            await client.open("INBOX")
        return world, account

    def _online(self, who: int) -> CachingClient:
        client = self.clients[who]
        if not client.online:
            self._comes_back(client, "INBOX")
        return client

    def _comes_back(self, client: CachingClient, name: str) -> None:
        assert self.world is not None
        self.run(client.connect(self.world))
        self.run(client.open(name))
        self._knows_the_truth(client)

    def _picked(self, client: CachingClient, start: float, stop: float, by_uid: bool) -> str | None:
        """Some messages that the client knows, for a command, by UID or number; None if there are none."""
        if client.uidvalidity is None:
            return None
        by_uid = by_uid or client.kind.by_uid
        known = sorted(client.copy.messages) if by_uid else list(range(1, client.exists + 1))
        if not known:
            return None
        one, other = (round(part * (len(known) - 1)) for part in (start, stop))
        return ",".join(map(str, known[min(one, other) : max(one, other) + 1]))

    def _does(self, who: int, command: str, start: float, stop: float, by_uid: bool, rest: str) -> None:
        client = self._online(who)
        if (picked := self._picked(client, start, stop, by_uid)) is not None:
            uid = "UID " if by_uid or client.kind.by_uid else ""
            self.run(client.command(f"{uid}{command} {picked} {rest}"))

    # Changes of messages

    @rule(who=who, name=names, flags=flags)
    def appends(self, who: int, name: str, flags: str) -> None:
        client = self._online(who)
        if client.uidvalidity is None or len(client.copy.messages) < ENOUGH:
            self.run(client.command(f"APPEND {name} ({flags}) {{1+}}\r\nx"))

    @rule(who=who, start=share, stop=share, by_uid=st.booleans(), how=st.sampled_from(["", "+", "-"]), flags=flags)
    def stores(self, who: int, start: float, stop: float, by_uid: bool, how: str, flags: str) -> None:
        self._does(who, "STORE", start, stop, by_uid, f"{how}FLAGS ({flags})")

    @rule(who=who, start=share, stop=share, all_of_them=st.booleans())
    def expunges(self, who: int, start: float, stop: float, all_of_them: bool) -> None:
        client = self._online(who)
        if (picked := self._picked(client, start, stop, True)) is not None:
            self.run(client.command("EXPUNGE" if all_of_them else f"UID EXPUNGE {picked}"))

    @rule(who=who, command=st.sampled_from(["COPY", "MOVE"]), start=share, stop=share, by_uid=st.booleans(), name=names)
    def transfers(self, who: int, command: str, start: float, stop: float, by_uid: bool, name: str) -> None:
        self._does(who, command, start, stop, by_uid, name)

    @rule(who=who, start=share, stop=share, by_uid=st.booleans())
    def reads(self, who: int, start: float, stop: float, by_uid: bool) -> None:
        self._does(who, "FETCH", start, stop, by_uid, "BODY[]")

    # Changes of mailboxes

    @rule(who=who, command=st.sampled_from(["CREATE", "CREATE", "DELETE"]), name=names)
    def makes_or_removes(self, who: int, command: str, name: str) -> None:
        self.run(self._online(who).command(f"{command} {name}"))

    @rule(who=who, old=names, new=names)
    def renames(self, who: int, old: str, new: str) -> None:
        self.run(self._online(who).command(f"RENAME {old} {new}"))

    # Synchronization

    @rule(who=who, command=st.sampled_from(["NOOP", "CHECK", "IDLE\r\nDONE"]))
    def hears_everything(self, who: int, command: str) -> None:
        client = self._online(who)
        if client.uidvalidity is not None and self.run(client.command(command)) and client.online:
            self.run(client.look_for_new())
            self._knows_the_truth(client)

    @rule(who=who, name=names)
    def opens(self, who: int, name: str) -> None:
        client = self._online(who)
        self.run(client.open(name))
        self._knows_the_truth(client)

    @rule(who=who, question=questions, until=st.integers(0, 4), name=names)
    def loses_its_connection(self, who: int, question: str, until: int, name: str) -> None:
        client = self._online(who)
        if client.uidvalidity is not None:
            self.run(client.command(question, until=until))

    @rule(who=who, acts=acts, question=questions, until=st.integers(0, 4))
    def is_away(self, who: int, acts: list[tuple[str, float]], question: str, until: int) -> None:
        """Another client is busy in the same mailbox, while this one is offline."""
        client, other = self._online(who), self._online((who + 1) % CLIENTS)
        if client.uidvalidity is None or client.uidvalidity not in (truth := self.run(stored(self.account))):
            return
        name = truth[client.uidvalidity].name
        self.run(client.command(question, until=until))
        if client.online:
            self.run(client.leave())
        self.run(other.open(name))
        for act, place in acts:
            self.run(self._acts(other, act, place, name))
        self._comes_back(client, name)

    async def _acts(self, client: CachingClient, act: str, place: float, name: str) -> None:
        there = sorted(client.copy.messages)
        if act == "append" or not there:
            await client.command(f"APPEND {name} {{1+}}\r\nx")
            return
        uid = there[round(place * (len(there) - 1))]
        match act:
            case "expunge":
                await client.command(f"UID STORE {uid} +FLAGS (\\Deleted)")
                await client.command(f"UID EXPUNGE {uid}")
            case "move":
                await client.command(f"UID MOVE {uid} {name}")
            case _:
                await client.command(f"UID STORE {uid} {act}")

    @rule(who=who, name=names)
    def comes_back(self, who: int, name: str) -> None:
        client = self.clients[who]
        if client.online:
            self.run(client.leave())
        self._comes_back(client, name)

    def _knows_the_truth(self, client: CachingClient) -> None:
        if not client.online:
            return
        truth = self.run(stored(self.account))
        if client.uidvalidity is not None:
            mailbox = truth[client.uidvalidity]
            assert client.copy.messages == mailbox.messages, client.kind
            assert client.exists == len(mailbox.messages)
            if not client.kind.by_uid:
                assert client.places == list(mailbox.messages)
        self.run(client.list_names())
        assert client.names == {mailbox.name for mailbox in truth.values()}


Copies.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
test_who_synchronizes_knows_the_truth = Copies.TestCase
