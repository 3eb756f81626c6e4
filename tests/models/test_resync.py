"""A client that loses its connection at any moment, and resynchronizes by QRESYNC, misses nothing.

The phone applies what it is told, and computes its HIGHESTMODSEQ exactly as RFC 7162 §6 says. Meanwhile a desk changes
the same mailbox. Each time the phone is back, and has looked for new messages, its cache must equal the mailbox.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Coroutine
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.models.naive import FLAGS, UID, Flags, NaiveMailbox, changed
from tests.support.backend import open_world
from tests.support.memory import MemoryWorld
from tests.support.runner import Connection
from tests.support.transcript import parse

ENOUGH = 30
"""With so many messages none is added."""

T = TypeVar("T")

TOLD = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH)(?: \((.*)\))?", re.DOTALL)
VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)")
MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
HIGHESTMODSEQ = re.compile(rb"\S+ OK \[HIGHESTMODSEQ (\d+)\]")
UIDVALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d+)\]")
MODIFIED = re.compile(rb"t OK \[MODIFIED ([0-9:,]+)\]")

flags = st.frozensets(st.sampled_from(["\\Deleted", "\\Seen", "\\Flagged", "urgent"]), max_size=2)
how = st.sampled_from(["", "+", "-"])
share = st.floats(0, 1)
acts = st.tuples(
    st.sampled_from(["append", "expunge", "move", "+FLAGS \\Seen", "-FLAGS \\Seen", "+FLAGS \\Flagged"]), share, share
)
LATE = ("FETCH 1:* (MODSEQ)", "FETCH 1 (FLAGS)", "SEARCH ALL")
"""RFC 7162 §3.2.10.2: while one of these is answered, no VANISHED may be sent."""
QUESTIONS = (*LATE, "NOOP", "UID FETCH 1:* (FLAGS)", "UID SEARCH ALL", "CHECK")


def numbers(text: bytes) -> list[int]:
    """The numbers of a sequence set."""
    found: list[int] = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found


def as_set(values: list[int]) -> str:
    return ",".join(map(str, values))


class Phone:
    """A client with a cache, which outlives its connections."""

    def __init__(self) -> None:
        self.cache: dict[int, Flags] = {}
        self.modseqs: dict[int, int] = {}
        self.modseq = 0
        """The client's HIGHESTMODSEQ."""
        self.uidvalidity = 0
        self.looked_upto = 1
        """The client has looked for all UIDs below this one."""
        self.uids: list[int | None] = []
        """UIDs by sequence number; None if the client was not told."""
        self._connection: Connection | None = None
        self._shown = 0
        self._said: int | None = None
        self.told_flags: set[int] = set()
        """UIDs whose flags the answer to the last command told."""

    @property
    def online(self) -> bool:
        return self._connection is not None

    async def connect(self, world: MemoryWorld) -> None:
        self._connection = Connection(await world.connect("imap"), literals=True)
        await self._connection.response()
        await self.command("LOGIN linda Pa$$123")
        await self.command("ENABLE QRESYNC")

    async def command(self, line: str, *, vanishes: bool = True, until: int | None = None) -> bytes:
        """Sends a command and applies the answer; with *until* only so many responses, and then it disconnects."""
        assert self._connection is not None
        self._shown, self._said = 0, None
        self.told_flags.clear()
        self._connection.wire.send(b"t " + line.encode() + b"\r\n")
        while until is None or until > 0:
            response = await self._connection.response()
            assert response is not None
            if response.startswith(b"t "):
                assert response.startswith((b"t OK", b"t NO [EXPUNGEISSUED]")), response
                self._reckon(response)
                return response
            self._believe(response, vanishes=vanishes)
            until = None if until is None else until - 1
        await self.leave()
        return b""

    async def leave(self) -> None:
        assert self._connection is not None
        await self._connection.rest()
        self._connection = None

    def _reckon(self, tagged: bytes) -> None:
        # RFC 7162 §6: the value of HIGHESTMODSEQ, else the highest MODSEQ since the last tagged response
        if found := HIGHESTMODSEQ.match(tagged):
            self._said = int(found[1])
        self.modseq = max(self.modseq, self._shown) if self._said is None else self._said

    def _believe(self, response: bytes, *, vanishes: bool) -> None:
        if found := HIGHESTMODSEQ.match(response):
            self._said = int(found[1])
        elif found := UIDVALIDITY.match(response):
            self.uidvalidity = int(found[1])
        elif found := VANISHED.fullmatch(response):
            self._forget(numbers(found[2]), earlier=found[1] is not None, vanishes=vanishes)
        elif found := TOLD.fullmatch(response):
            number = int(found[1])
            assert found[2] != b"EXPUNGE", "RFC 7162 §3.2.10: VANISHED replaces it"
            if found[2] == b"EXISTS":
                assert number >= len(self.uids), response
                self.uids += [None] * (number - len(self.uids))
            else:
                assert 1 <= number <= len(self.uids), response
                self._learn(number - 1, found[3], response)

    def _forget(self, gone: list[int], *, earlier: bool, vanishes: bool) -> None:
        for uid in gone:
            if earlier:
                assert uid not in self.uids, "RFC 7162 §3.2.10: EARLIER is for what is not in the mailbox any more"
            else:
                assert vanishes, "RFC 7162 §3.2.10.2: not while answering FETCH, STORE or SEARCH"
                # RFC 7162 §3.2.10.2: each UID is a message of this session, so the messages after it move up
                place = self.uids.index(uid) if uid in self.uids else self._place_of_untold(uid)
                del self.uids[place]
            self.cache.pop(uid, None)
            self.modseqs.pop(uid, None)

    def _place_of_untold(self, uid: int) -> int:
        told = [place for place, known in enumerate(self.uids) if known is not None and known < uid]
        place = told[-1] + 1 if told else 0
        assert self.uids[place] is None, f"VANISHED {uid}, of which this session never heard"
        return place

    def _learn(self, place: int, items: bytes, response: bytes) -> None:
        uid = int(found[1]) if (found := UID.search(items)) else self.uids[place]
        assert self.uids[place] in (None, uid), (response, self.uids)
        self.uids[place] = uid
        if found := MODSEQ.search(items):
            self._shown = max(self._shown, int(found[1]))
        if uid is None:
            return
        if found:
            self.modseqs[uid] = int(found[1])
        if found := FLAGS.search(items):
            self.cache[uid] = frozenset(found[1].decode().split()) - {"\\Recent"}
            self.told_flags.add(uid)

    async def come_back(self, world: MemoryWorld, *, names_uids: bool, every: int) -> None:
        """Connects, and opens the mailbox by QRESYNC; it names every n-th sequence number that it knows, none for 0."""
        known = f"{self.uidvalidity} {self.modseq}"
        if names_uids and self.cache:
            known += " " + as_set(sorted(self.cache))
        places = [place for place, uid in enumerate(self.uids) if uid is not None]
        if every and (sample := places[::every]):
            uids = [self.uids[place] or 0 for place in sample]
            known += f" ({as_set([place + 1 for place in sample])} {as_set(uids)})"
        self.uids = []
        await self.connect(world)
        await self.command(f"SELECT INBOX (QRESYNC ({known}))")
        await self.look_for_new()

    async def look_for_new(self) -> None:
        """RFC 7162 §6: discovers new messages; then it knows all messages up to the highest."""
        await self.command(f"UID FETCH {self.looked_upto}:* (FLAGS)")
        self.looked_upto = max([self.looked_upto - 1, *self.cache]) + 1


class PhoneAndDesk(RuleBasedStateMachine):
    """Each rule is one command of the phone or the desk, and the same change of the naive mailbox."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()
        self.truth = NaiveMailbox()
        self.phone = Phone()
        self.world: MemoryWorld | None = None

    def teardown(self) -> None:
        if self.world is not None:
            self.run(self.world.close())
        self._runner.close()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(coroutine)

    @initialize(messages=st.integers(0, 8))
    def begin(self, messages: int) -> None:
        self.run(self._begin())
        for _ in range(messages):
            self._desk_appends()
        self.hears_everything("NOOP")

    async def _begin(self) -> None:
        self.world = await open_world(parse("title"), None, by_octet=False)
        self.desk = Connection(await self.world.connect("imap"), literals=True)
        await self.desk.response()
        await self._desk("LOGIN linda Pa$$123")
        await self._desk("SELECT INBOX")
        await self.phone.connect(self.world)
        await self.phone.command("SELECT INBOX")

    async def _desk(self, line: str) -> None:
        self.desk.wire.send(b"d " + line.encode() + b"\r\n")
        while not (response := await self.desk.response() or b"(closed)").startswith(b"d "):
            assert response != b"(closed)"
        assert response.startswith(b"d OK"), response

    # The desk, by UID, because sequence numbers would differ between sessions

    def _some(self, start: float, stop: float) -> list[int]:
        there = list(self.truth.messages)
        if not there:
            return []
        one, other = (round(part * (len(there) - 1)) for part in (start, stop))
        return there[min(one, other) : max(one, other) + 1]

    @rule(acts=st.lists(acts, min_size=1, max_size=4))
    def the_desk_is_busy(self, acts: list[tuple[str, float, float]]) -> None:
        for act, start, stop in acts:
            uids = self._some(start, start if act == "expunge" else stop)
            if act == "append":
                self._desk_appends()
            elif uids:
                self.run(self._desk_does(act, as_set(uids)))
                self._is_done(act, uids)

    def _desk_appends(self) -> None:
        if len(self.truth.messages) < ENOUGH:
            self.run(self._desk("APPEND INBOX {1+}\r\nx"))
            self.truth.append(frozenset())

    async def _desk_does(self, act: str, uids: str) -> None:
        if act == "expunge":
            await self._desk(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
            await self._desk(f"UID EXPUNGE {uids}")
        elif act == "move":
            await self._desk(f"UID MOVE {uids} INBOX")
        else:
            await self._desk(f"UID STORE {uids} {act}")

    def _is_done(self, act: str, uids: list[int]) -> None:
        match act:
            case "expunge":
                self.truth.remove(uids)
            case "move":
                self.truth.copy(uids)
                self.truth.remove(uids)
            case _:
                self.truth.change(uids, act[0], frozenset({act.split()[1]}))

    # The phone, connected

    def _picked(self, start: float, stop: float, by_uid: bool) -> tuple[str, list[int]] | None:
        phone = self.phone
        if None in phone.uids:
            self.run(phone.command("FETCH 1:* (UID)", vanishes=False))
        if not phone.uids or None in phone.uids:
            return None
        one, other = (round(part * (len(phone.uids) - 1)) for part in (start, stop))
        first, last = min(one, other), max(one, other)
        meant = [uid for uid in phone.uids[first : last + 1] if uid is not None]
        return (as_set(meant) if by_uid else f"{first + 1}:{last + 1}"), meant

    @precondition(lambda self: self.phone.online)
    @rule(start=share, stop=share, how=how, flags=flags, by_uid=st.booleans(), silent=st.booleans(), sure=st.booleans())
    def stores(self, start: float, stop: float, how: str, flags: Flags, by_uid: bool, silent: bool, sure: bool) -> None:
        """*sure*: with UNCHANGEDSINCE, so only if the message is as the phone last saw it."""
        phone = self.phone
        if (picked := self._picked(start, stop, by_uid)) is None:
            return
        numbered, meant = picked
        places = dict(enumerate(phone.uids, 1))
        unchanged = min(phone.modseqs.get(uid, 0) for uid in meant)
        condition = f"(UNCHANGEDSINCE {unchanged}) " if sure else ""
        line = f"STORE {numbered} {condition}{how}FLAGS{'.SILENT' if silent else ''} ({' '.join(sorted(flags))})"
        tagged = self.run(phone.command("UID " + line if by_uid else line, vanishes=by_uid))
        failed = numbers(found[1]) if (found := MODIFIED.match(tagged)) else []
        passed = [uid for uid in meant if uid not in (failed if by_uid else [places[number] for number in failed])]
        self.truth.change(passed, how, flags)
        for uid in passed:
            # RFC 9051 §6.4.6: the client computes the flags that it was not told
            if uid in phone.cache and uid not in phone.told_flags:
                phone.cache[uid] = changed(phone.cache[uid], how, flags)

    @precondition(lambda self: self.phone.online)
    @rule(start=share, stop=share)
    def expunges(self, start: float, stop: float) -> None:
        if (picked := self._picked(start, stop, True)) is not None:
            self.run(self.phone.command(f"UID EXPUNGE {picked[0]}"))
            self.truth.expunge(picked[1])

    @precondition(lambda self: self.phone.online)
    @rule(start=share, stop=share, by_uid=st.booleans())
    def moves_away(self, start: float, stop: float, by_uid: bool) -> None:
        if (picked := self._picked(start, stop, by_uid)) is not None:
            self.run(self.phone.command(f"{'UID ' * by_uid}MOVE {picked[0]} Trash"))
            self.truth.remove(picked[1])

    @precondition(lambda self: self.phone.online)
    @rule(start=share, stop=share, by_uid=st.booleans())
    def reads(self, start: float, stop: float, by_uid: bool) -> None:
        if (picked := self._picked(start, stop, by_uid)) is not None:
            self.run(self.phone.command(f"{'UID ' * by_uid}FETCH {picked[0]} BODY[]", vanishes=by_uid))
            self.truth.change(picked[1], "+", frozenset({"\\Seen"}))

    @precondition(lambda self: self.phone.online and self.phone.uids)
    @rule(question=st.sampled_from(QUESTIONS))
    def asks(self, question: str) -> None:
        self.run(self.phone.command(question, vanishes=question not in LATE))

    @precondition(lambda self: self.phone.online and self.phone.uids)
    @rule()
    def searches_by_number(self) -> None:
        self.run(self.phone.command("UID SEARCH 1:*", vanishes=False))

    @precondition(lambda self: self.phone.online)
    @rule(since=share)
    def resyncs_within(self, since: float) -> None:
        """RFC 7162 §3.2.6: the same by UID FETCH; expunged messages of the session's view are not EARLIER."""
        modseq = max(1, round(since * self.phone.modseq))
        self.run(self.phone.command(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {modseq} VANISHED)"))

    @precondition(lambda self: self.phone.online)
    @rule(command=st.sampled_from(["NOOP", "IDLE\r\nDONE"]))
    def hears_everything(self, command: str) -> None:
        self.run(self.phone.command(command))
        self.run(self.phone.look_for_new())
        self._knows_the_truth()

    @precondition(lambda self: self.phone.online and self.phone.uids)
    @rule(question=st.sampled_from(QUESTIONS), until=st.integers(0, 5))
    def loses_its_connection(self, question: str, until: int) -> None:
        self.run(self.phone.command(question, vanishes=question not in LATE, until=until))

    @precondition(lambda self: self.phone.online and self.phone.uids)
    @rule(
        acts=st.lists(acts, max_size=4),
        question=st.sampled_from(QUESTIONS),
        names_uids=st.booleans(),
        every=st.integers(0, 3),
    )
    def reconnects(self, acts: list[tuple[str, float, float]], question: str, names_uids: bool, every: int) -> None:
        """The desk makes changes, the phone is told of some, disconnects, and comes back."""
        self.the_desk_is_busy(acts)
        self.asks(question)
        self.run(self.phone.leave())
        self.comes_back(names_uids, every)

    # The phone, offline

    @precondition(lambda self: self.world is not None and not self.phone.online)
    @rule(names_uids=st.booleans(), every=st.integers(0, 3))
    def comes_back(self, names_uids: bool, every: int) -> None:
        assert self.world is not None
        self.run(self.phone.come_back(self.world, names_uids=names_uids, every=every))
        self._knows_the_truth()

    def _knows_the_truth(self) -> None:
        assert self.phone.cache == self.truth.messages
        assert len(self.phone.uids) == len(self.truth.messages)


PhoneAndDesk.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
test_who_comes_back_misses_nothing = PhoneAndDesk.TestCase
