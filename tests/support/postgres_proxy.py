"""A proxy before PostgreSQL that knows its messages: it counts round trips, and drops answers.

A round trip begins with the first message to which a client wants an answer (Query, Sync, Flush) while it waits for
none. So everything of one pipeline is one. https://www.postgresql.org/docs/15/protocol.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.support.proxies import Connect, Proxy, Streams, until_one_ends

PROTOCOL: Final = 3 << 16
ENCRYPTED: Final = frozenset({80877103, 80877104})
"""What a client sends first to ask for TLS or GSSAPI."""

SOCKET: Final = ".s.PGSQL.5432"

Wanted = Callable[[str], bool]


@dataclass(slots=True)
class RoundTrip:
    """A round trip: what a client sent before it waited."""

    statements: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "; ".join(" ".join(each.split())[:100] for each in self.statements) or "(nothing)"


def to_socket(folder: Path) -> Connect:
    """Connects to the PostgreSQL whose socket is in *folder*."""
    return lambda: asyncio.open_unix_connection(folder / SOCKET)


class PostgresProxy(Proxy):
    """A proxy before a PostgreSQL."""

    def __init__(self, connect: Connect) -> None:
        super().__init__(connect)
        self.trips: list[RoundTrip] = []
        """All round trips since the test emptied this list, without those of logging in."""
        self.dropped: list[str] = []
        """The statements whose question or answer was dropped."""
        self._answers: Wanted | None = None
        self._questions: Wanted | None = None
        self._drops = asyncio.Event()
        self.on_drop: Callable[[], object] | None = None
        """Called when something is dropped, before the server hears of it."""

    def dsn(self, user: str, database: str) -> str:
        """For clients of this proxy."""
        return f"host=127.0.0.1 port={self.port} user={user} dbname={database}"

    def drop_answer(self, wanted: Wanted) -> None:
        """Cuts the connection of the next statement that is *wanted*, after the server has done it."""
        self._answers = wanted

    def drop_question(self, wanted: Wanted) -> None:
        """Cuts the connection of the next statement that is *wanted*, before the server hears of it."""
        self._questions = wanted

    async def dropping(self, count: int) -> None:
        """Returns when *count* questions and answers were dropped since the start."""
        while len(self.dropped) < count:
            self._drops.clear()
            await self._drops.wait()

    async def _between(self, client: Streams, server: Streams) -> None:
        await _pass_greeting(client, server)
        talk = _Talk(self)
        await until_one_ends(talk.questions(client[0], server[1]), talk.answers(server[0], client[1]))

    def is_dropped(self, statement: str) -> bool:
        """Whether the connection ends now, before *statement*."""
        if self._questions is None or not self._questions(statement):
            return False
        self._questions = None
        self._note_drop(statement)
        return True

    def is_doomed(self, statement: str) -> bool:
        """Whether the connection ends after *statement*."""
        if self._answers is None or not self._answers(statement):
            return False
        self._answers = None
        self._note_drop(statement)
        return True

    def _note_drop(self, statement: str) -> None:
        self.dropped.append(statement)
        self._drops.set()
        if self.on_drop is not None:
            self.on_drop()


class _Talk:
    """What is said on one connection."""

    def __init__(self, proxy: PostgresProxy) -> None:
        self._proxy = proxy
        self._prepared: dict[bytes, str] = {}
        self._portals: dict[bytes, str] = {}
        self._trip = RoundTrip()
        """The round trip of now."""
        self._said: list[str] = []
        """The statements since the client last wanted an answer."""
        self._waits_for = 1
        """How many ReadyForQuery the client waits for; the first one ends the login."""
        self._flushed = False
        self._doomed = False

    async def questions(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what the client sends."""
        while True:
            kind, body = await _message(reader)
            await self._proxy.passes()
            statement = self._statement(kind, body)
            if statement is not None:
                if self._proxy.is_dropped(statement):
                    return
                self._said.append(statement)
                self._doomed = self._doomed or self._proxy.is_doomed(statement)
            if kind in b"QSFH":
                self._asked(kind)
            _send(writer, kind, body)
            await writer.drain()

    def _asked(self, kind: bytes) -> None:
        if not self._waits_for and not self._flushed:
            self._proxy.trips.append(RoundTrip())
            self._trip = self._proxy.trips[-1]
        self._trip.statements += self._said
        self._said.clear()
        if kind == b"H":
            self._flushed = True
        else:
            self._waits_for += 1

    def _statement(self, kind: bytes, body: bytes) -> str | None:
        """The statement that a message of this kind carries out."""
        if kind == b"Q":
            return body[:-1].decode()
        if kind == b"P":
            name, text, _ = body.split(b"\0", 2)
            self._prepared[name] = text.decode()
        elif kind == b"B":
            portal, name, _ = body.split(b"\0", 2)
            self._portals[portal] = self._prepared.get(name, "")
        elif kind == b"E":
            return self._portals.get(body.split(b"\0", 1)[0], "")
        return None

    async def answers(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Passes on what the server sends."""
        while True:
            kind, body = await _message(reader)
            await self._proxy.passes()
            if kind == b"Z":
                self._waits_for -= 1
                if self._doomed:
                    return
            elif kind in b"12CDEnst":
                self._flushed = False
            elif kind == b"G":  # the server waits for the rows of a COPY
                self._proxy.trips.append(RoundTrip(["(rows)"]))
            if self._doomed:
                continue
            _send(writer, kind, body)
            await writer.drain()


async def _pass_greeting(client: Streams, server: Streams) -> None:
    """Passes on the first message of a client, and does without encryption."""
    while True:
        size = int.from_bytes(await client[0].readexactly(4))
        body = await client[0].readexactly(size - 4)
        if int.from_bytes(body[:4]) not in ENCRYPTED:
            break
        client[1].write(b"N")
    server[1].write(size.to_bytes(4) + body)
    if int.from_bytes(body[:4]) != PROTOCOL:  # it cancels, and waits for nothing
        await server[0].read()
        raise EOFError


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    kind = await reader.readexactly(1)
    size = int.from_bytes(await reader.readexactly(4))
    return kind, await reader.readexactly(size - 4)


def _send(writer: asyncio.StreamWriter, kind: bytes, body: bytes) -> None:
    writer.write(b"%b%b%b" % (kind, (len(body) + 4).to_bytes(4), body))


@asynccontextmanager
async def before_postgres(folder: Path) -> AsyncIterator[PostgresProxy]:
    """A proxy before the PostgreSQL whose socket is in *folder*."""
    proxy = PostgresProxy(to_socket(folder))
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.close()
