"""Three sessions on one mailbox, in any order of commands: what each was told adds up to the true state.

A session may be told late, but never wrongly: what it is told of a sequence number must fit what it was told before,
and after a NOOP it knows the mailbox as it is (RFC 9051 §7.4.1, §7.5.1, §7.5.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.models.naive import BelievingClient, Flags, NaiveMailbox
from tests.support.backend import open_world
from tests.support.memory import MemoryWorld
from tests.support.runner import Connection
from tests.support.transcript import parse

SESSIONS = 3
ENOUGH = 8
"""With so many messages none is added: with few messages, sessions often change the same one."""

T = TypeVar("T")

who = st.integers(0, SESSIONS - 1)
flags = st.frozensets(st.sampled_from(["\\Deleted", "\\Seen", "\\Flagged", "urgent"]), max_size=2)
how = st.sampled_from(["", "+", "-"])
share = st.floats(0, 1)
by_uid = st.booleans()
silent = st.booleans()


class Client(BelievingClient):
    """A client model with a connection."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self._connection = connection

    async def command(self, line: str, *, expunges: bool = True) -> list[bytes]:
        """Sends a command, applies and returns the responses; the tagged answer must be OK or report an expunge."""
        self._connection.wire.send(b"t " + line.encode() + b"\r\n")
        came: list[bytes] = []
        while (response := await self._connection.response()) is not None:
            if response.startswith(b"t "):
                assert response.startswith((b"t OK", b"t NO [EXPUNGEISSUED]")), response
                return came
            self.told(response, expunges=expunges)
            came.append(response)
        raise AssertionError("closed")


class ThreeSessions(RuleBasedStateMachine):
    """Each rule is one command of one session, and the same change of the naive mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.truth = NaiveMailbox()
        self.clients: list[Client] = []
        self.world: MemoryWorld | None = None

    def teardown(self) -> None:
        if self.world is not None:
            self.run(self.world.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(rev2=st.tuples(*[st.booleans()] * SESSIONS), messages=st.integers(0, 6))
    def begin(self, rev2: tuple[bool, ...], messages: int) -> None:
        self.run(self._begin(rev2))
        for number in range(messages):
            self.append(number % SESSIONS, frozenset())

    async def _begin(self, rev2: tuple[bool, ...]) -> None:
        self.world = await open_world(parse("title"), None, by_octet=False)
        for is_rev2 in rev2:
            connection = Connection(await self.world.connect("imap"), literals=True)
            await connection.response()
            client = Client(connection)
            await client.command("LOGIN linda Pa$$123")
            if is_rev2:
                await client.command("ENABLE IMAP4rev2")
            await client.command("SELECT INBOX")
            self.clients.append(client)

    def _pick(self, client: Client, start: float, stop: float) -> tuple[int, int]:
        """Two sequence numbers of the client."""
        last = len(client.known)
        one, other = (1 + round(part * (last - 1)) for part in (start, stop))
        return min(one, other), max(one, other)

    def _named(self, client: Client, start: float, stop: float, by_uid: bool) -> tuple[str, list[int]] | None:
        """A set for a command, and the UIDs that the client means by it."""
        if not client.known:
            return None
        if None in client.uids:
            self.run(client.command("FETCH 1:* UID", expunges=False))
        first, last = self._pick(client, start, stop)
        meant = [uid for uid in client.uids[first - 1 : last] if uid is not None]
        if len(meant) != last - first + 1:
            # a message that was expunged before the client was told its UID: no UID command can name it
            return None
        return (",".join(map(str, meant)) if by_uid else f"{first}:{last}"), meant

    def _has_room(self) -> bool:
        return len(self.truth.messages) < ENOUGH

    @precondition(_has_room)
    @rule(who=who, flags=flags)
    def append(self, who: int, flags: Flags) -> None:
        self.run(self.clients[who].command(f"APPEND INBOX ({' '.join(sorted(flags))}) {{1+}}\r\nx"))
        self.truth.append(flags)

    @rule(who=who, start=share, stop=share, how=how, flags=flags, by_uid=by_uid, silent=silent)
    def store(self, who: int, start: float, stop: float, how: str, flags: Flags, by_uid: bool, silent: bool) -> None:
        client = self.clients[who]
        if (named := self._named(client, start, stop, by_uid)) is None:
            return
        line = f"STORE {named[0]} {how}FLAGS{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})"
        if silent:
            # RFC 9051 §6.4.6: the client computes the flags, unless it is told
            client.assume(named[1], how, flags)
        self.run(client.command("UID " + line if by_uid else line, expunges=by_uid))
        self.truth.change(named[1], how, flags)

    @rule(who=who)
    def expunge(self, who: int) -> None:
        self.truth.expunge()
        self.run(self.clients[who].command("EXPUNGE"))
        self._knows_the_truth(self.clients[who])

    @rule(who=who, start=share, stop=share)
    def uid_expunge(self, who: int, start: float, stop: float) -> None:
        client = self.clients[who]
        if (named := self._named(client, start, stop, True)) is not None:
            self.truth.expunge(named[1])
            self.run(client.command(f"UID EXPUNGE {named[0]}"))
            self._knows_the_truth(client)

    @precondition(_has_room)
    @rule(who=who, start=share, stop=share, by_uid=by_uid)
    def copy(self, who: int, start: float, stop: float, by_uid: bool) -> None:
        client = self.clients[who]
        if (named := self._named(client, start, stop, by_uid)) is not None:
            self.run(client.command(f"{'UID ' if by_uid else ''}COPY {named[0]} INBOX"))
            self.truth.copy(named[1])

    @rule(who=who, start=share, stop=share, by_uid=by_uid, away=st.booleans())
    def move(self, who: int, start: float, stop: float, by_uid: bool, away: bool) -> None:
        client = self.clients[who]
        if (named := self._named(client, start, stop, by_uid)) is not None:
            self.run(client.command(f"{'UID ' if by_uid else ''}MOVE {named[0]} {'Trash' if away else 'INBOX'}"))
            if not away:
                self.truth.copy(named[1])
            self.truth.remove(named[1])

    @rule(who=who, start=share, stop=share, by_uid=by_uid)
    def read(self, who: int, start: float, stop: float, by_uid: bool) -> None:
        client = self.clients[who]
        if (named := self._named(client, start, stop, by_uid)) is not None:
            line = f"FETCH {named[0]} BODY[]"
            self.run(client.command("UID " + line if by_uid else line, expunges=by_uid))
            self.truth.change(named[1], "+", frozenset({"\\Seen"}))

    @precondition(lambda self: any(client.known for client in self.clients))
    @rule(who=who)
    def fetch(self, who: int) -> None:
        client = self.clients[who]
        if client.known:
            came = self.run(client.command("FETCH 1:* (UID FLAGS)", expunges=False))
            there = sum(b" FETCH (UID " in response for response in came)
            assert there >= len([uid for uid in client.uids if uid in self.truth.messages])

    @rule(who=who, flag=st.sampled_from(["DELETED", "SEEN", "FLAGGED"]))
    def search(self, who: int, flag: str) -> None:
        came = self.run(self.clients[who].command(f"UID SEARCH RETURN (COUNT) {flag}"))
        wanted = sum(f"\\{flag.capitalize()}" in flags for flags in self.truth.messages.values())
        # RFC 9051 §7.5.1: UID SEARCH may be answered before the changes that it then tells
        counts = [int(line.rsplit(b" ", 1)[1]) for line in came if line.startswith(b"* ESEARCH")]
        assert len(counts) == 1
        assert counts[0] <= wanted

    @rule(who=who)
    def idle(self, who: int) -> None:
        self.run(self.clients[who].command("IDLE\r\nDONE"))
        self._knows_the_truth(self.clients[who])

    @rule(who=who)
    def noop(self, who: int) -> None:
        self.run(self.clients[who].command("NOOP"))
        self._knows_the_truth(self.clients[who])

    @rule(who=who)
    def select(self, who: int) -> None:
        client = self.clients[who]
        client.selected()
        self.run(client.command("SELECT INBOX"))
        self._knows_the_truth(client)

    def _knows_the_truth(self, client: Client) -> None:
        """Each UID that the client was told is right; after it asks for the rest, it knows the mailbox as it is."""
        assert len(client.known) == len(self.truth.messages)
        for told, (uid, flags) in zip(client.known, self.truth.messages.items(), strict=True):
            assert told.uid in (None, uid)
            assert told.flags in (None, flags)
        if client.known:
            self.run(client.command("FETCH 1:* (UID FLAGS)", expunges=False))
        assert client.uids == list(self.truth.messages)
        assert [place.flags for place in client.known] == list(self.truth.messages.values())


ThreeSessions.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
test_what_each_session_was_told_adds_up = ThreeSessions.TestCase
