"""A client that keeps copies of mailboxes over its connections, and knows only what the server sent.

It is of one of many kinds: one that counts messages or one that knows only UIDs, with modseqs or without, and it
resynchronizes in the way of its kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.models.naive import FLAGS, UID, Flags
from tests.support.memory import MemoryWorld
from tests.support.runner import Connection

_TOLD = re.compile(rb"\* (\d+) (EXISTS|EXPUNGE|FETCH|UIDFETCH)(?: \((.*)\))?", re.DOTALL)
_VANISHED = re.compile(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)")
_MODSEQ = re.compile(rb"\bMODSEQ \((\d+)\)")
_HIGHESTMODSEQ = re.compile(rb"\S+ OK \[HIGHESTMODSEQ (\d+)\]")
_UIDVALIDITY = re.compile(rb"\* OK \[UIDVALIDITY (\d+)\]")
_FOUND = re.compile(rb'\* ESEARCH \(TAG "t"\) UID(?: ALL ([0-9:,]+))?')
_LISTED = re.compile(rb'\* LIST \(([^)]*)\) "/" "?([^"]*)"?')


@dataclass(frozen=True)
class Kind:
    """What a client enables."""

    enables: str

    @property
    def by_uid(self) -> bool:
        """Whether it counts no messages."""
        return "UIDONLY" in self.enables

    @property
    def resyncs(self) -> bool:
        """Whether SELECT tells it what it missed."""
        return "QRESYNC" in self.enables

    @property
    def knows_modseqs(self) -> bool:
        """Whether it can ask for changes only."""
        return self.resyncs or "CONDSTORE" in self.enables


KINDS = tuple(
    map(Kind, ("", "IMAP4rev2", "CONDSTORE", "QRESYNC", "UIDONLY", "UIDONLY CONDSTORE", "UIDONLY QRESYNC IMAP4rev2"))
)


@dataclass
class Copy:
    """A client's copy of a mailbox."""

    messages: dict[int, Flags] = field(default_factory=dict)
    modseq: int = 0
    looked_upto: int = 1
    """The client has looked for all UIDs below this one."""


class CachingClient:
    """A client, online or not."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.copies: dict[int, Copy] = {}
        """By UIDVALIDITY."""
        self.uidvalidity: int | None = None
        """Of the selected mailbox; None if none is selected."""
        self.exists = 0
        self.places: list[int | None] = []
        """UIDs by sequence number, None where the client was not told; for a kind that counts messages."""
        self.names: set[str] = set()
        """The mailboxes that the last LIST told."""
        self._validities: dict[str, int] = {}
        self._connection: Connection | None = None
        self._shown = 0
        self._said: int | None = None
        self._found: set[int] = set()

    @property
    def online(self) -> bool:
        return self._connection is not None

    @property
    def copy(self) -> Copy:
        """The copy of the selected mailbox."""
        assert self.uidvalidity is not None
        return self.copies[self.uidvalidity]

    async def connect(self, world: MemoryWorld) -> None:
        self._connection = Connection(await world.connect("imap"), literals=True)
        await self._connection.response()
        await self.command("LOGIN linda Pa$$123")
        if self.kind.enables:
            await self.command(f"ENABLE {self.kind.enables}")

    async def leave(self) -> None:
        """Ends the connection; what is in it is lost."""
        assert self._connection is not None
        await self._connection.rest()
        self._connection, self.uidvalidity = None, None

    async def command(self, line: str, *, until: int | None = None) -> bytes:
        """Sends a command and applies the answer; with *until* only so many responses, and then it disconnects.

        Returns the tagged response; empty when the connection has ended.
        """
        assert self._connection is not None
        self._shown, self._said = 0, None
        self._connection.wire.send(b"t " + line.encode() + b"\r\n")
        while until is None or until > 0:
            response = await self._connection.response()
            if response is None or response.startswith(b"* BYE"):
                break
            if response.startswith(b"t "):
                assert not response.startswith(b"t BAD"), (line, response)
                self._reckon(response)
                return response
            self._believe(response)
            until = None if until is None else until - 1
        await self.leave()
        return b""

    # Resynchronization

    async def open(self, name: str) -> None:
        """Selects a mailbox, and brings the copy of it up to date. Without such a mailbox, none is selected."""
        before = self.copies.get(self._validities.get(name, 0))
        if self.kind.resyncs and before is not None:
            tagged = await self._select(f"SELECT {name} (QRESYNC ({self._validities[name]} {before.modseq}))", before)
        else:
            tagged = await self._select(f"SELECT {name}", before)
        if not tagged.startswith(b"t OK"):
            self._validities.pop(name, None)
            return
        assert self.uidvalidity is not None
        self._validities[name] = self.uidvalidity
        await self.look_for_new()
        if self.online and not self.kind.by_uid:
            # it knows all messages, so it knows the number of each
            assert self.exists == len(self.copy.messages), (self.exists, self.copy.messages)
            self.places = [*sorted(self.copy.messages)]

    async def _select(self, line: str, before: Copy | None) -> bytes:
        since = 0 if before is None else before.modseq
        self.uidvalidity, self.exists, self.places = None, 0, []
        tagged = await self.command(line)
        if self.uidvalidity is None or self.kind.resyncs:
            return tagged
        if self.kind.knows_modseqs and self.copy is before:
            # RFC 4549 §4.3.1, with CHANGEDSINCE: the changes, and which messages are still there
            await self.command("UID SEARCH RETURN (ALL) ALL")
            before.messages = {uid: flags for uid, flags in before.messages.items() if uid in self._found}
            await self.command(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since})")
        else:
            self.copy.messages.clear()
            await self.command("UID FETCH 1:* (FLAGS)")
        return tagged

    async def look_for_new(self) -> None:
        """Asks for the flags of messages that it never asked for; then it knows all messages."""
        await self.command(f"UID FETCH {self.copy.looked_upto}:* (FLAGS)")
        self.copy.looked_upto = max([self.copy.looked_upto - 1, *self.copy.messages]) + 1

    async def list_names(self) -> None:
        self.names.clear()
        await self.command('LIST "" *')

    # What it is told

    def _reckon(self, tagged: bytes) -> None:
        # RFC 7162 §6: the value of HIGHESTMODSEQ, else the highest MODSEQ since the last tagged response
        if found := _HIGHESTMODSEQ.match(tagged):
            self._said = int(found[1])
        if self.uidvalidity is not None:
            copy = self.copy
            copy.modseq = max(copy.modseq, self._shown) if self._said is None else self._said

    def _believe(self, response: bytes) -> None:
        if found := _HIGHESTMODSEQ.match(response):
            self._said = int(found[1])
        elif response.startswith(b"* OK [CLOSED]"):
            # it deleted its own mailbox, or selects another one
            self.uidvalidity, self.exists, self.places = None, 0, []
        elif found := _UIDVALIDITY.match(response):
            self.uidvalidity = int(found[1])
            self.copies.setdefault(self.uidvalidity, Copy())
        elif found := _VANISHED.fullmatch(response):
            assert self.kind.resyncs or self.kind.by_uid, response
            self._forget(numbers(found[2]), earlier=found[1] is not None)
        elif found := _FOUND.fullmatch(response):
            self._found = set(numbers(found[1])) if found[1] else set()
        elif found := _LISTED.fullmatch(response):
            if b"\\NonExistent" not in found[1] and b"\\Noselect" not in found[1]:
                self.names.add(found[2].decode())
        elif found := _TOLD.fullmatch(response):
            self._count(int(found[1]), found[2], found[3] or b"", response)

    def _count(self, number: int, word: bytes, items: bytes, response: bytes) -> None:
        if word == b"EXISTS":
            # RFC 9051 §7.4.1: EXISTS never shrinks the mailbox
            assert number >= self.exists, response
            self.places += [None] * (number - self.exists)
            self.exists = number
        elif word == b"UIDFETCH":
            assert self.kind.by_uid, response
            self._learn(number, items)
        else:
            # RFC 9586 §3: no sequence number after ENABLE UIDONLY
            assert not self.kind.by_uid, response
            assert 1 <= number <= self.exists, response
            if word == b"EXPUNGE":
                assert not self.kind.resyncs, response
                self.exists -= 1
                self.copy.messages.pop(self.places.pop(number - 1) or 0, None)
                return
            uid = int(found[1]) if (found := UID.search(items)) else self.places[number - 1]
            assert self.places[number - 1] in (None, uid), (response, self.places)
            self.places[number - 1] = uid
            self._learn(uid, items)

    def _learn(self, uid: int | None, items: bytes) -> None:
        if found := _MODSEQ.search(items):
            self._shown = max(self._shown, int(found[1]))
        if uid is not None and (found := FLAGS.search(items)):
            self.copy.messages[uid] = frozenset(found[1].decode().split()) - {"\\Recent"}

    def _forget(self, gone: list[int], *, earlier: bool) -> None:
        for uid in gone:
            self.copy.messages.pop(uid, None)
            if earlier:
                continue
            self.exists -= 1
            assert self.exists >= 0
            if not self.kind.by_uid:
                # RFC 7162 §3.2.10.2: each UID is a message of this session, so the messages after it move up
                del self.places[self.places.index(uid) if uid in self.places else self._place_of_untold(uid)]

    def _place_of_untold(self, uid: int) -> int:
        told = [place for place, known in enumerate(self.places) if known is not None and known < uid]
        place = told[-1] + 1 if told else 0
        assert self.places[place] is None, f"VANISHED {uid}, of which this session never heard"
        return place


def numbers(text: bytes) -> list[int]:
    """The numbers of a sequence set."""
    found: list[int] = []
    for part in filter(None, text.split(b",")):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found
