"""Sessions that watch searches, in any order of commands: what each was told adds up to what it would find now.

A client builds the list of results only from the first answer and from ADDTO and REMOVEFROM. After each NOOP the list
is what a new search finds, in the same order (RFC 5267 §4.3.2).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.models.naive import BelievingClient, Known
from tests.support.backend import open_world
from tests.support.memory import MemoryWorld
from tests.support.runner import Connection
from tests.support.transcript import parse

SESSIONS = 2
ENOUGH = 10
"""With so many messages none is added: with few messages, sessions often change the same one."""

PROGRAMS = (
    "ALL",
    "UNSEEN",
    "DELETED",
    "OR FLAGGED NOT KEYWORD urgent",
    "NOT UID *",
    "UID *",
    "UID 3:*",
    "OR UID 4:* SEEN",
    "RECENT",
    "OLD UNDELETED",
    "NOT SUBJECT b",
    "SUBJECT a UNFLAGGED",
    "OR TEXT c FLAGGED",
    "LARGER 15",
    "YOUNGER 100000 UNSEEN",
    "MODSEQ 12",
)
ORDERS = ("SUBJECT", "REVERSE SUBJECT", "REVERSE ARRIVAL", "SIZE", "REVERSE SIZE SUBJECT", "FROM")
SUBJECTS = ("a", "b", "bbb", "c", "ab", "")
FLAGS = ("\\Deleted", "\\Seen", "\\Flagged", "urgent")

ESEARCH = re.compile(
    rb'\* ESEARCH \(TAG "(\w+)"\)( UID)?(?: (ALL|ADDTO|REMOVEFROM) \(?([0-9:, ]+)\)?)?(?: MODSEQ \d+)?'
)

T = TypeVar("T")

who = st.integers(0, SESSIONS - 1)
share = st.floats(0, 1)


def numbers(text: bytes) -> list[int]:
    """The numbers of a sequence set, in its order."""
    found: list[int] = []
    for part in text.split(b",") if text else ():
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found


def _same(one: Any, other: Any) -> bool:
    """Whether two results are the same UID or the same place; different places can be equal."""
    return one is other or (isinstance(one, int) and one == other)


class Watched:
    """A search that a client watches: its results, as UIDs or as the places of sequence numbers."""

    def __init__(self, command: str, *, by_uid: bool, in_order: bool) -> None:
        self.command = command
        self.by_uid = by_uid
        self.in_order = in_order
        self.results: list[Any] = []


class Client(BelievingClient):
    """A client model with a connection, and the searches that it watches, by tag."""

    def __init__(self, connection: Connection, *, vanished: bool) -> None:
        super().__init__()
        self._connection = connection
        self._vanished = vanished
        self.watched: dict[bytes, Watched] = {}
        self._answer: list[int] | None = None

    async def command(self, line: str, *, tag: bytes = b"t", expunges: bool = True) -> list[int]:
        """Sends a command, applies the responses, and learns the UIDs of new messages; returns what ALL told."""
        self._connection.wire.send(tag + b" " + line.encode() + b"\r\n")
        self._answer = None
        while (response := await self._connection.response()) is not None:
            if response.startswith(tag + b" "):
                assert response.startswith(tag + b" OK"), response
                break
            self.told(response, expunges=expunges)
        answer = self._answer or []
        if None in self.uids:
            await self.command("FETCH 1:* UID", expunges=False)
        return answer

    def told(self, response: bytes, *, expunges: bool) -> None:
        if response.startswith(b"* ESEARCH"):
            self._results_told(response)
        elif response.startswith(b"* VANISHED "):
            assert expunges
            assert self._vanished
            for uid in numbers(response.split()[2]):
                self._gone(self.known[self.uids.index(uid)])
                del self.known[self.uids.index(uid)]
        else:
            if response.endswith(b" EXPUNGE"):
                assert not self._vanished
                self._gone(self.known[int(response.split()[1]) - 1])
            super().told(response, expunges=expunges)

    def _gone(self, place: Known) -> None:
        """A message that is expunged must not be a result any more: its number would mean another message."""
        for watched in self.watched.values():
            assert all(place is not result for result in watched.results)
            assert place.uid is None or place.uid not in watched.results

    def _results_told(self, response: bytes) -> None:
        match = ESEARCH.fullmatch(response)
        assert match is not None, response
        tag, by_uid, word, told = match.groups()
        if word not in (b"ADDTO", b"REMOVEFROM"):
            self._answer = numbers(told or b"")
            if tag in self.watched:
                # updates may follow in the same command
                self.watched[tag].results = self._as_results(self.watched[tag], self._answer)
            return
        watched = self.watched[tag]
        assert watched.by_uid == bool(by_uid)
        pairs = told.split()
        for position, some in zip(map(int, pairs[::2]), pairs[1::2], strict=True):
            results = self._as_results(watched, numbers(some))
            assert watched.in_order == (position > 0)
            (self._added if word == b"ADDTO" else self._removed)(watched.results, position, results)

    def _as_results(self, watched: Watched, said: list[int]) -> list[Any]:
        """UIDs, or the places of sequence numbers, which must exist."""
        assert all(said)
        return said if watched.by_uid else [self.known[number - 1] for number in said]

    def _added(self, results: list[Any], position: int, added: list[Any]) -> None:
        assert not any(_same(one, other) for one in results for other in added)
        if position:
            assert position <= len(results) + 1
            results[position - 1 : position - 1] = added
        else:
            results += added
            results.sort(key=lambda result: result if isinstance(result, int) else self._place(result))

    def _removed(self, results: list[Any], position: int, removed: list[Any]) -> None:
        if position:
            there = results[position - 1 : position - 1 + len(removed)]
            assert len(there) == len(removed)
            assert all(map(_same, there, removed))
            del results[position - 1 : position - 1 + len(removed)]
        else:
            for each in removed:
                (at,) = [index for index, result in enumerate(results) if _same(result, each)]
                del results[at]

    def _place(self, known: Known) -> int:
        """The sequence number of a place."""
        (index,) = (index for index, each in enumerate(self.known) if each is known)
        return index + 1

    async def watch(self, tag: bytes, watched: Watched) -> None:
        self.watched[tag] = watched
        await self.command(watched.command.format("UPDATE ALL"), tag=tag, expunges=watched.by_uid)

    async def check(self) -> None:
        """Each list is what a new search finds."""
        for watched in self.watched.values():
            found = await self.command(watched.command.format("ALL"), expunges=watched.by_uid)
            listed = [each if isinstance(each, int) else self._place(each) for each in watched.results]
            assert listed == found, watched.command


class WatchingSessions(RuleBasedStateMachine):
    """Each rule is one command of one session."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.clients: list[Client] = []
        self.world: MemoryWorld | None = None
        self._tags = 0

    def teardown(self) -> None:
        if self.world is not None:
            self.run(self.world.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(
        enabled=st.tuples(*[st.sampled_from(["", "IMAP4rev2", "QRESYNC"])] * SESSIONS),
        subjects=st.lists(st.sampled_from(SUBJECTS), max_size=6),
    )
    def begin(self, enabled: tuple[str, ...], subjects: list[str]) -> None:
        self.run(self._begin(enabled))
        for number, subject in enumerate(subjects):
            self.append(number % SESSIONS, subject, frozenset())

    async def _begin(self, enabled: tuple[str, ...]) -> None:
        self.world = await open_world(parse("title"), None, by_octet=False)
        for name in enabled:
            connection = Connection(await self.world.connect("imap"), literals=True)
            await connection.response()
            client = Client(connection, vanished=name == "QRESYNC")
            await client.command("LOGIN linda Pa$$123")
            if name:
                await client.command(f"ENABLE {name}")
            await client.command("SELECT INBOX")
            self.clients.append(client)

    def _named(self, client: Client, start: float, stop: float) -> str | None:
        """UIDs for a command."""
        known = [uid for uid in client.uids if uid is not None]
        if not known:
            return None
        first, last = sorted(round(part * (len(known) - 1)) for part in (start, stop))
        return ",".join(map(str, known[first : last + 1]))

    def _has_room(self) -> bool:
        return all(len(client.known) < ENOUGH for client in self.clients)

    @precondition(_has_room)
    @rule(who=who, subject=st.sampled_from(SUBJECTS), flags=st.frozensets(st.sampled_from(FLAGS), max_size=2))
    def append(self, who: int, subject: str, flags: frozenset[str]) -> None:
        message = f"Subject: {subject}\r\nFrom: {subject[:1]}@x\r\n\r\n{subject}"
        self.run(
            self.clients[who].command(f"APPEND INBOX ({' '.join(sorted(flags))}) {{{len(message)}+}}\r\n{message}")
        )

    @rule(
        who=who, start=share, stop=share, how=st.sampled_from("+-"), flag=st.sampled_from(FLAGS), silent=st.booleans()
    )
    def store(self, who: int, start: float, stop: float, how: str, flag: str, silent: bool) -> None:
        client = self.clients[who]
        if named := self._named(client, start, stop):
            self.run(client.command(f"UID STORE {named} {how}FLAGS{'.SILENT' if silent else ''} ({flag})"))

    @rule(who=who)
    def expunge(self, who: int) -> None:
        self.run(self.clients[who].command("EXPUNGE"))

    @precondition(_has_room)
    @rule(who=who, start=share, stop=share)
    def copy(self, who: int, start: float, stop: float) -> None:
        client = self.clients[who]
        if named := self._named(client, start, stop):
            self.run(client.command(f"UID COPY {named} INBOX"))

    @rule(who=who, start=share, stop=share, away=st.booleans())
    def move(self, who: int, start: float, stop: float, away: bool) -> None:
        client = self.clients[who]
        if named := self._named(client, start, stop):
            self.run(client.command(f"UID MOVE {named} {'Trash' if away else 'INBOX'}"))

    @rule(who=who)
    def read(self, who: int) -> None:
        client = self.clients[who]
        if client.known:
            self.run(client.command("FETCH 1 BODY[]", expunges=False))

    @rule(who=who)
    def noop(self, who: int) -> None:
        client = self.clients[who]
        self.run(client.command("NOOP"))
        self.run(client.check())

    @rule(who=who)
    def idle(self, who: int) -> None:
        client = self.clients[who]
        self.run(client.command("IDLE\r\nDONE"))
        self.run(client.check())

    def _watch(self, who: int, command: str, *, by_uid: bool, in_order: bool) -> None:
        client = self.clients[who]
        self._tags += 1
        tag = b"w%d" % self._tags
        watched = Watched(("UID " if by_uid else "") + command, by_uid=by_uid, in_order=in_order)
        self.run(client.watch(tag, watched))

    def _may_watch(self) -> bool:
        return all(len(client.watched) < 10 for client in self.clients)

    @precondition(_may_watch)
    @rule(who=who, program=st.sampled_from(PROGRAMS), by_uid=st.booleans())
    def search(self, who: int, program: str, by_uid: bool) -> None:
        self._watch(who, f"SEARCH RETURN ({{}}) {program}", by_uid=by_uid, in_order=False)

    @precondition(_may_watch)
    @rule(who=who, program=st.sampled_from(PROGRAMS), order=st.sampled_from(ORDERS), by_uid=st.booleans())
    def sort(self, who: int, program: str, order: str, by_uid: bool) -> None:
        self._watch(who, f"SORT RETURN ({{}}) ({order}) UTF-8 {program}", by_uid=by_uid, in_order=True)

    @precondition(lambda self: any(client.watched for client in self.clients))
    @rule(who=who, which=share)
    def cancel(self, who: int, which: float) -> None:
        client = self.clients[who]
        if client.watched:
            tag = list(client.watched)[round(which * (len(client.watched) - 1))]
            # what was not told before is not told any more
            del client.watched[tag]
            self.run(client.command(f'CANCELUPDATE "{tag.decode()}"'))

    @rule(who=who)
    def select(self, who: int) -> None:
        client = self.clients[who]
        client.selected()
        client.watched.clear()
        self.run(client.command("SELECT INBOX"))


WatchingSessions.TestCase.settings = settings(max_examples=100, stateful_step_count=50)
test_what_each_session_was_told_of_its_searches_adds_up = WatchingSessions.TestCase
