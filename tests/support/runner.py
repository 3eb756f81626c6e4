"""Plays a transcript against a world: a server in memory, a server over sockets, or another server as witness.

A world gives connections; the runner sends the ``C:`` lines, and compares each response with the ``S:`` lines. Octets
that are unread at the end are a failure, and so is a response that does not come.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from pathlib import Path
from typing import Protocol

from tests.support.matching import Differs, fill, match
from tests.support.transcript import Act, Expect, ExpectClosed, Piece, Send, SkipTo, Step, Transcript

SECONDS = 10.0
"""A run fails if a response takes longer."""

PROTOCOLS = frozenset({"imap", "pop3", "lmtp"})
"""A connection with such a name uses that protocol, whatever the head says, so a transcript can use several."""

USER, PASSWORD = "linda", "Pa$$123"
"""The account in a world of mektup; ``World.login`` names the account of any world."""

_ANNOUNCED = re.compile(rb"\{(\d+)\}$")
_DURATION = re.compile(r"\+(\d+)([smhd])")
_UNIT = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Wire(Protocol):
    """The client's end of a connection."""

    def send(self, octets: bytes) -> None: ...

    async def receive(self) -> bytes:
        """The next octets, at least one; empty at the end of the stream."""

    async def handshake(self) -> None:
        """Starts TLS, after STARTTLS was answered."""

    def compress(self) -> None:
        """Compresses from now on, in both directions, after COMPRESS was answered."""

    def end(self) -> None:
        """Closes the client's side. What the server still sends can be received, if the transport allows it."""


class World(Protocol):
    """A server with an account and everything that the heads of a transcript ask for."""

    login: tuple[str, str]
    """Name and password of the account in which a transcript begins."""

    lenient: bool
    """Whether untagged responses may come in another order, and with others between: for another server than mektup."""

    async def connect(self, protocol: str) -> Wire: ...

    async def deliver(self, raw: bytes, account: str) -> None: ...

    def advance(self, seconds: float) -> None: ...

    async def stop(self) -> None: ...

    async def restart(self) -> None: ...

    async def close(self) -> None: ...


class TranscriptFailed(AssertionError):
    """The responses are not those of the transcript."""


class Connection:
    """A client's end that reads whole responses: a line with its literals."""

    def __init__(self, wire: Wire, *, literals: bool) -> None:
        self.wire = wire
        self.held: deque[bytes] = deque()
        """The octets that wait for the server's ``+``."""
        self.held_tag = b""
        self.skipping = False
        self.closed = False
        self._literals = literals
        self._buffer = b""

    async def response(self) -> bytes | None:
        """The next response, without its last CRLF; None at the end of the stream. Raises TimeoutError."""
        while (response := self._take()) is None:
            async with asyncio.timeout(SECONDS):
                octets = await self.wire.receive()
            if not octets:
                return None
            self._buffer += octets
        return response

    async def rest(self) -> bytes:
        """Everything unread, up to the end of the stream, after the client has closed."""
        self.wire.end()
        async with asyncio.timeout(SECONDS):
            while octets := await self.wire.receive():
                self._buffer += octets
        return self._buffer

    @property
    def unread(self) -> bytes:
        return self._buffer

    def _take(self) -> bytes | None:
        start = 0
        while (end := self._buffer.find(b"\r\n", start)) >= 0:
            announced = _ANNOUNCED.search(self._buffer, start, end) if self._literals else None
            if announced is None:
                response, self._buffer = self._buffer[:end], self._buffer[end + 2 :]
                return response
            start = end + 2 + int(announced[1])
            if start > len(self._buffer):
                return None
        return None

    def send(self, step: Send, pieces: tuple[Piece, ...]) -> None:
        """Sends up to the first literal that must wait for the server's ``+``, and holds the rest."""
        out = b""
        chunks: list[bytes] = []
        for piece in pieces:
            out += piece.text
            if piece.literal is not None:
                out += b"{%d%b}\r\n" % (len(piece.literal), b"" if piece.waits else b"+")
                if piece.waits:
                    chunks.append(out)
                    out = b""
                out += piece.literal
        chunks.append(out + (b"\r\n" if step.ends_line else b""))
        self.wire.send(chunks[0])
        self.held = deque(chunks[1:])
        self.held_tag = chunks[0].split(b" ", 1)[0]

    def continued(self, response: bytes) -> None:
        """Sends the held octets if *response* is the ``+``; drops them if *response* refuses the command."""
        if self.held and response.startswith(b"+"):
            self.wire.send(self.held.popleft())
        elif self.held and response.startswith(self.held_tag + b" "):
            self.held.clear()


class Player:
    """One run of one transcript."""

    def __init__(self, transcript: Transcript, world: World, mail: Path, *, compressed: bool = False) -> None:
        """With *compressed*, each client compresses its connection before the first step (RFC 4978)."""
        self._transcript = transcript
        self._world = world
        self._mail = mail
        self._compressed = compressed
        self._protocol = transcript.head("protocol", "imap")
        self._any_order = world.lenient or transcript.head("order") == "any"
        self._connections: dict[str, Connection] = {}
        self._bound: dict[str, bytes] = {}

    async def play(self) -> None:
        """Runs all steps. Raises TranscriptFailed if a response differs."""
        steps = deque(self._transcript.steps)
        while steps:
            step = steps.popleft()
            match step:
                case Send():
                    await self._send(step)
                case Expect() if self._any_order and step.is_untagged:
                    await self._expect_any_order([step, *_untagged_run(step, steps)])
                case Expect():
                    await self._expect(step)
                case SkipTo():
                    (await self._connection(step)).skipping = True
                case ExpectClosed():
                    await self._expect_closed(step)
                case Act():
                    await self._act(step)
        await self._nothing_is_unread()

    async def _send(self, step: Send) -> None:
        connection = await self._connection(step)
        if connection.held:
            raise self._failed(step, "the server has not yet asked for the literal of the command before")
        filled = tuple(Piece(fill(piece.text, self._bound), piece.literal, piece.waits) for piece in step.pieces)
        connection.send(step, filled)

    async def _expect(self, step: Expect) -> None:
        connection = await self._connection(step)
        skipped: list[bytes] = []
        while True:
            came = await self._response(connection, step, skipped)
            found = match(step.pieces, came, self._bound)
            if not isinstance(found, Differs):
                break
            skipped.append(came)
            if not (connection.skipping or (self._world.lenient and came.startswith(b"* "))):
                raise self._failed(step, _difference(found, came))
        connection.skipping = False
        self._bound.update(found.bound)
        connection.continued(came)

    async def _expect_any_order(self, wanted: list[Expect]) -> None:
        connection = await self._connection(wanted[0])
        missing = list(wanted)
        came_instead: list[bytes] = []
        while missing:
            came = await self._response(connection, missing[0], came_instead)
            for step in missing:
                found = match(step.pieces, came, self._bound)
                if not isinstance(found, Differs):
                    self._bound.update(found.bound)
                    missing.remove(step)
                    break
            else:
                came_instead.append(came)
                if not (connection.skipping or (self._world.lenient and came.startswith(b"* "))):
                    raise self._failed(missing[0], _shown(came_instead, "none of the responses expected"))
        connection.skipping = False

    async def _response(self, connection: Connection, step: Step, skipped: list[bytes]) -> bytes:
        try:
            came = await connection.response()
        except TimeoutError:
            text = _shown([*skipped, connection.unread], "no such response came")
            raise self._failed(step, text) from None
        if came is None:
            raise self._failed(step, _shown([*skipped, connection.unread], "the connection was closed"))
        return came

    async def _expect_closed(self, step: ExpectClosed) -> None:
        connection = await self._connection(step)
        skipped: list[bytes] = []
        try:
            while (came := await connection.response()) is not None:
                skipped.append(came)
                if not connection.skipping:
                    break
        except TimeoutError:
            raise self._failed(step, _shown(skipped, "the connection stayed open")) from None
        if came is not None or connection.unread:
            raise self._failed(step, _shown([*skipped, connection.unread], "more came before the end"))
        connection.closed = True
        connection.wire.end()

    async def _act(self, step: Act) -> None:
        match step.words:
            case ("deliver", name, "to", account):
                await self._world.deliver(crlf((self._mail / Path(name).name).read_bytes()), account)
            case ("clock", amount) if found := _DURATION.fullmatch(amount):
                self._world.advance(int(found[1]) * _UNIT[found[2]])
            case ("restart",):
                self._connections.clear()
                await self._world.restart()
            case ("tls",):
                await (await self._connection(step)).wire.handshake()
            case ("compress",):
                connection = await self._connection(step)
                if connection.unread:
                    raise self._failed(step, _shown([connection.unread], "this came before it was compressed"))
                connection.wire.compress()
            case ("close",):
                connection = await self._connection(step)
                connection.closed = True
                if rest := await connection.rest():
                    raise self._failed(step, _shown([rest], "this was left unread"))
            case ("stop",):
                await self._world.stop()
            case _:
                raise self._failed(step, "not understood")

    async def _nothing_is_unread(self) -> None:
        for name, connection in self._connections.items():
            rest = connection.unread if connection.closed else await connection.rest()
            if rest and not self._world.lenient:
                last = max(step.line for step in self._transcript.steps)
                text = _shown([rest], f"this was left unread on connection {name or '(the only one)'}")
                raise self._failed(Step(last, name), text)

    async def _connection(self, step: Step) -> Connection:
        connection = self._connections.get(step.connection)
        if connection is None:
            protocol = step.connection if step.connection in PROTOCOLS else self._protocol
            wire = await self._world.connect(protocol)
            connection = Connection(wire, literals=protocol == "imap")
            self._connections[step.connection] = connection
            if protocol == "imap":
                await self._enter_state(connection, step)
        return connection

    async def _enter_state(self, connection: Connection, step: Step) -> None:
        state = self._transcript.head("state", "authenticated")
        if state == "none":
            return
        await connection.response()
        commands = ["LOGIN {} {}".format(*self._world.login)]
        if self._compressed:
            commands.append("COMPRESS DEFLATE")
        if enabled := self._transcript.head("enable"):
            commands.append(f"ENABLE {enabled}")
        if state == "selected":
            commands.append("SELECT INBOX")
        for command in commands:
            if failure := await silently(connection, command.encode()):
                raise self._failed(step, f"before the first step, {command} was answered by {failure!r}")
            if self._compressed and command == "COMPRESS DEFLATE":
                connection.wire.compress()

    def _failed(self, step: Step, text: str) -> TranscriptFailed:
        lines = self._transcript.lines[: step.line]
        shown = "\n".join(f"{number:4} {line}" for number, line in enumerate(lines, 1))
        return TranscriptFailed(f"{self._transcript.path}, line {step.line}\n{shown}\n---- {text}")


async def silently(connection: Connection, command: bytes) -> bytes | None:
    """Sends a command outside the transcript; returns the tagged response if it is not OK."""
    connection.wire.send(b"silent " + command + b"\r\n")
    while (came := await connection.response()) is not None:
        if came.startswith(b"silent "):
            return None if came.startswith(b"silent OK") else came
    return b"(closed)"


async def play(transcript: Transcript, world: World, mail: Path) -> None:
    """Plays *transcript* and closes the world. ``! deliver`` takes messages from the directory *mail*."""
    try:
        await Player(transcript, world, mail).play()
    finally:
        await world.close()


def crlf(raw: bytes) -> bytes:
    """A message from a file, with CRLF as line ends."""
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def _untagged_run(first: Expect, steps: deque[Step]) -> list[Expect]:
    run: list[Expect] = []
    while steps and isinstance(step := steps[0], Expect) and step.connection == first.connection and step.is_untagged:
        run.append(step)
        steps.popleft()
    return run


def _difference(found: Differs, came: bytes) -> str:
    start = came.rfind(b"\n", 0, found.at) + 1
    lines = came.split(b"\n")
    number = came.count(b"\n", 0, found.at)
    shown = [_text(line.rstrip(b"\r")) for line in lines]
    shown.insert(number + 1, " " * len(_text(came[start : found.at])) + "^")
    wanted = "\n".join("     " + _text(line.rstrip(b"\r")) for line in found.expected.split(b"\n"))
    told = "\n".join("     " + line for line in shown)
    return f"expected\n{wanted}\n     but there came\n{told}\n     first differing column: {found.at - start + 1}"


def _shown(came: list[bytes], what: str) -> str:
    lines = [line for octets in came if octets for line in octets.rstrip(b"\r\n").split(b"\r\n")]
    return "\n     ".join([what + ("; what came:" if lines else "; nothing came"), *map(_text, lines)])


def _text(octets: bytes) -> str:
    return "".join(chr(octet) if 32 <= octet < 127 else f"\\x{octet:02x}" for octet in octets)
