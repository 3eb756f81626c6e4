"""A client pipelines commands with sequence numbers, while another one expunges at any moment between its octets.

Each answer is about the message that the client meant when it sent the command (RFC 9051 §5.5, §7.5.1). Each message
has a subject of its own, and each STORE a keyword of its own, so no mistake can hide.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from mektup.store.interface import Account
from tests.models.caching import numbers
from tests.models.truth import StoredMailbox, open_both, stored
from tests.support.memory import MemoryWorld
from tests.support.runner import Connection

FEWEST, MOST = 3, 8
"""The messages of the mailbox before the client pipelines."""

T = TypeVar("T")

TOLD = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?", re.DOTALL)
UID = re.compile(rb"\bUID (\d+)")
SUBJECT = re.compile(rb"Subject: (\w+)\r\n")
FOUND = re.compile(rb'\* SEARCH([ 0-9]*)|\* ESEARCH \(TAG "\w+"\)(?: ALL ([0-9:,]+))?')
COPIED = re.compile(rb"\S+ OK \[COPYUID \d+ ([0-9:,]+) ")
VANISHED = re.compile(rb"\* VANISHED ([0-9:,]+)")

share = st.floats(0, 1)
asked = st.lists(
    st.tuples(st.sampled_from(["FETCH", "FETCH body", "STORE", "SEARCH", "SEARCH subject"]), share, share),
    min_size=1,
    max_size=6,
)
last = st.sampled_from(["", "COPY", "MOVE", "UID FETCH", "UID STORE", "EXPUNGE"])
"""What may come behind them: after it the server may tell expunges, so the client must wait (RFC 9051 §5.5)."""
first = st.sampled_from(["", "", "NOOP", "UID FETCH 1:* FLAGS"])
"""What may come before them in the same octets: the server sees what follows, so it keeps the numbers as they are."""
meanwhile = st.lists(st.tuples(st.sampled_from(["expunge", "expunge", "append", "flag"]), share), max_size=4)


class Numbers(RuleBasedStateMachine):
    """Each rule is one pipeline of the reader, cut in two by what the desk does."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.world: MemoryWorld | None = None
        self.known: list[tuple[int, bytes]] = []
        """UID and subject of each message, by sequence number, as the reader was told."""
        self.meant: dict[str, set[int]] = {}
        """The UIDs that each keyword was meant for."""
        self._made = 0

    def teardown(self) -> None:
        if self.world is not None:
            self.run(self.world.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(enables=st.sampled_from(["", "QRESYNC", "IMAP4rev2"]))
    def begin(self, enables: str) -> None:
        self.vanishes = enables == "QRESYNC"
        self.world, self.account = self.run(self._begin(enables))

    async def _begin(self, enables: str) -> tuple[MemoryWorld, Account]:
        world, account = await open_both()
        self.desk = Connection(await world.connect("imap"), literals=True)
        self.reader = Connection(await world.connect("imap"), literals=True)
        for connection in (self.desk, self.reader):
            await connection.response()
            await self._say(connection, "LOGIN linda Pa$$123")
        if enables:
            await self._say(self.reader, f"ENABLE {enables}")
        for connection in (self.desk, self.reader):
            await self._say(connection, "SELECT INBOX")
        return world, account

    async def _say(self, connection: Connection, line: str) -> list[bytes]:
        connection.wire.send(b"t " + line.encode() + b"\r\n")
        return await self._answer(connection, b"t")

    async def _answer(self, connection: Connection, tag: bytes) -> list[bytes]:
        """The responses up to the tagged one, which is the last of them."""
        came: list[bytes] = []
        while not came or not came[-1].startswith(tag + b" "):
            response = await connection.response()
            assert response is not None
            came.append(response)
        assert came[-1].startswith((tag + b" OK", tag + b" NO [EXPUNGEISSUED]")), came[-1]
        return came

    # The desk

    async def _desk_does(self, acts: list[tuple[str, float]]) -> None:
        for act, place in acts:
            there = list((await self._inbox()).messages)
            if act == "append":
                await self._desk_appends()
            elif there:
                uid = there[round(place * (len(there) - 1))]
                flag = "\\Deleted" if act == "expunge" else "x"
                await self._say(self.desk, f"UID STORE {uid} +FLAGS.SILENT ({flag})")
                if act == "expunge":
                    await self._say(self.desk, f"UID EXPUNGE {uid}")

    async def _desk_appends(self) -> None:
        self._made += 1
        octets = b"Subject: m%d\r\n\r\nx" % self._made
        await self._say(self.desk, f"APPEND INBOX {{{len(octets)}+}}\r\n{octets.decode()}")

    async def _inbox(self) -> StoredMailbox:
        (inbox,) = [mailbox for mailbox in (await stored(self.account)).values() if mailbox.name == "INBOX"]
        return inbox

    # The reader

    @rule(asked=asked, first=first, last=last, cut=share, before=meanwhile, after=meanwhile)
    def pipelines(
        self,
        asked: list[tuple[str, float, float]],
        first: str,
        last: str,
        cut: float,
        before: list[tuple[str, float]],
        after: list[tuple[str, float]],
    ) -> None:
        self.run(self._pipelines(asked, first, last, cut, before, after))

    async def _pipelines(
        self,
        asked: list[tuple[str, float, float]],
        first: str,
        last: str,
        cut: float,
        before: list[tuple[str, float]],
        after: list[tuple[str, float]],
    ) -> None:
        await self._catch_up()
        commands = [self._command(number, *each) for number, each in enumerate(asked)]
        lines = [f"a {first}"] * bool(first) + [line for line, _ in commands]
        if last:
            lines.append(self._last(last))
        octets = b"".join(line.encode() + b"\r\n" for line in lines)
        half = 0 if first else round(cut * len(octets))
        self.reader.wire.send(octets[:half])
        await self._desk_does(before)
        self.reader.wire.send(octets[half:])
        await self._desk_does(after)
        for response in (await self._answer(self.reader, b"a"))[:-1] if first else ():
            self._is_about(response, {})
        for number, (_, meant) in enumerate(commands):
            for response in (await self._answer(self.reader, b"c%d" % number))[:-1]:
                self._is_about(response, meant)
        if last:
            named = {uid for uid, _ in self.known[:2]}
            for response in await self._answer(self.reader, b"z"):
                if copied := COPIED.match(response):
                    assert set(numbers(copied[1])) <= named, (response, named)
                self._apply(response)
        await self._knows_the_truth()

    async def _catch_up(self) -> None:
        """The reader learns of everything, and there are neither too few nor too many messages."""
        while len((await self._inbox()).messages) < FEWEST:
            await self._desk_appends()
        while len(there := (await self._inbox()).messages) > MOST:
            await self._say(self.desk, f"UID STORE {min(there)} +FLAGS.SILENT (\\Deleted)")
            await self._say(self.desk, "EXPUNGE")
        for response in await self._say(self.reader, "NOOP"):
            self._apply(response)
        for response in await self._say(self.reader, "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"):
            self._apply(response)

    def _command(self, number: int, kind: str, start: float, stop: float) -> tuple[str, dict[int, tuple[int, bytes]]]:
        """A command, and the messages that it means, by sequence number."""
        one, other = (1 + round(part * (len(self.known) - 1)) for part in (start, stop))
        first, last = min(one, other), max(one, other)
        meant = {seq: self.known[seq - 1] for seq in range(first, last + 1)}
        match kind:
            case "FETCH":
                words = f"FETCH {first}:{last} (UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])"
            case "FETCH body":
                words = f"FETCH {first} (UID BODY[])"
                meant = {first: meant[first]}
            case "STORE":
                keyword = f"k{len(self.meant)}"
                self.meant[keyword] = {uid for uid, _ in meant.values()}
                words = f"STORE {first}:{last} +FLAGS ({keyword})"
            case "SEARCH":
                words = f"SEARCH {first}:{last} ALL"
            case _:
                words = f'SEARCH SUBJECT "{meant[first][1].decode()}"'
                meant = {seq: each for seq, each in enumerate(self.known, 1) if meant[first][1] in each[1]}
        return f"c{number} {words}", meant

    def _last(self, command: str) -> str:
        match command:
            case "COPY" | "MOVE":
                return f"z {command} 1:2 Trash"
            case "EXPUNGE":
                return "z EXPUNGE"
            case _:
                return f"z {command} {self.known[0][0]} {'FLAGS' if command == 'UID FETCH' else '+FLAGS (y)'}"

    def _is_about(self, response: bytes, meant: dict[int, tuple[int, bytes]]) -> None:
        """Whether an untagged response is true of the messages that the reader meant."""
        assert not VANISHED.fullmatch(response), "RFC 7162 §3.2.10.2"
        if found := FOUND.fullmatch(response):
            seqs = {int(seq) for seq in (found[1] or b"").split()} | set(numbers(found[2] or b""))
            assert seqs <= set(meant), (response, meant)
        elif (found := TOLD.fullmatch(response)) is not None:
            assert found[2] != b"EXPUNGE", "RFC 9051 §7.5.1: not while answering FETCH, STORE or SEARCH"
            if found[2] == b"FETCH" and (told := SUBJECT.search(response)):
                assert int(found[1]) in meant, (response, meant)
                assert told[1] == meant[int(found[1])][1], (response, meant)
            self._apply(response)

    def _apply(self, response: bytes) -> None:
        if vanished := VANISHED.fullmatch(response):
            assert self.vanishes, response
            for uid in numbers(vanished[1]):
                del self.known[self._place(uid)]
        elif (found := TOLD.fullmatch(response)) is None:
            return
        elif found[2] == b"EXISTS":
            self.known += [(0, b"")] * (int(found[1]) - len(self.known))
        elif found[2] == b"EXPUNGE":
            assert not self.vanishes, response
            del self.known[int(found[1]) - 1]
        else:
            seq = int(found[1])
            uid, subject = self.known[seq - 1]
            if told := UID.search(found[3]):
                assert uid in (0, int(told[1])), response
                uid = int(told[1])
            if told := SUBJECT.search(found[3]):
                assert subject in (b"", told[1]), response
                subject = told[1]
            self.known[seq - 1] = uid, subject

    def _place(self, uid: int) -> int:
        """Where a message is; one whose UID was not told yet is behind those with lower UIDs."""
        told = [place for place, (known, _) in enumerate(self.known) if known and known <= uid]
        place = told[-1] if told and self.known[told[-1]][0] == uid else told[-1] + 1 if told else 0
        assert self.known[place][0] in (0, uid), (uid, self.known)
        return place

    async def _knows_the_truth(self) -> None:
        for uid, flags in (await self._inbox()).messages.items():
            for keyword in flags & set(self.meant):
                assert uid in self.meant[keyword], "STORE changed a message that the client did not mean"


Numbers.TestCase.settings = settings(max_examples=60, stateful_step_count=10)
test_each_answer_is_about_the_message_that_was_meant = Numbers.TestCase
