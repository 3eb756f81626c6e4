"""A server for the client of migrations that says whatever a test wants, also what no server should."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from mektup.migration.imap.client import Client
from mektup.migration.imap.login import Credentials
from mektup.migration.imap.reader import Reader
from mektup.migration.imap.stream import Address, Security
from mektup.store.spool import Spool

CLOSE = b"<close>"
"""In an answer: the connection ends here."""

LINDA = Credentials("linda", password="Pa$$123")

USUAL: Mapping[str, bytes] = {
    "CAPABILITY": b"* CAPABILITY IMAP4rev1 ESEARCH\r\n%s OK done\r\n",
    "LOGIN ": b"%s OK welcome\r\n",
    "NAMESPACE": b'* NAMESPACE (("" "/")) NIL NIL\r\n%s OK done\r\n',
    "EXAMINE ": b"* 3 EXISTS\r\n* OK [UIDVALIDITY 7] .\r\n* OK [UIDNEXT 4] .\r\n%s OK [READ-ONLY] done\r\n",
    "LOGOUT": b"* BYE\r\n%s OK\r\n" + CLOSE,
}
"""What is answered to a command that begins so; %s is its tag."""


def message(uid: int, text: bytes = b"Subject: dinner\r\n\r\nat eight\r\n") -> bytes:
    """A FETCH response with everything that is asked of a message."""
    date = b'"01-Feb-2026 10:20:30 +0200"'
    items = b"UID %d FLAGS (\\Seen Work) INTERNALDATE %s RFC822.SIZE %d" % (uid, date, len(text))
    return b"* %d FETCH (%s BODY[] {%d}\r\n%s)\r\n" % (uid, items, len(text), text)


Answer = bytes | Callable[[str], bytes]
"""Octets to send, or a function of the command."""


@dataclass
class Scripted:
    """A running server."""

    port: int = 0
    greeting: bytes = b"* OK ready\r\n"
    answers: dict[str, Answer] = field(default_factory=dict)
    """By the beginning of a command; the first that fits, before those of USUAL."""
    commands: list[str] = field(default_factory=list)
    """All commands so far, without their tags."""
    tags: list[str] = field(default_factory=list)

    @property
    def address(self) -> Address:
        """Where it listens."""
        return Address("127.0.0.1", self.port, Security.NONE, insecure=True)

    async def client(self, credentials: Credentials = LINDA) -> Client:
        """A client that is logged in."""
        client = Client(self.address, Spool, patience=10)
        try:
            await client.connect(credentials)
        except BaseException:
            await client.close()
            raise
        return client

    def reader(self, *, tries: int = 3) -> Reader:
        """A reader that connects again at once, at most so often in a row."""
        return Reader(self.client, pauses=(0.0,) * tries)

    def count(self, beginning: str) -> int:
        """How many commands began so."""
        return sum(each.startswith(beginning) for each in self.commands)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Holds one connection."""
        with suppress(ConnectionError):
            writer.write(self.greeting)
            while line := await reader.readline():
                while announced := re.search(rb"\{(\d+)\}\r\n\Z", line):
                    writer.write(b"+ go on\r\n")
                    line += await reader.readexactly(int(announced[1])) + await reader.readline()
                tag, _, command = line.rstrip(b"\r\n").partition(b" ")
                self.tags.append(tag.decode("ascii", "replace"))
                self.commands.append(command.decode("utf-8", "replace"))
                answer, closes, _ = self._answer(self.commands[-1], tag).partition(CLOSE)
                writer.write(answer)
                await writer.drain()
                if closes:
                    break
        writer.close()

    def _answer(self, command: str, tag: bytes) -> bytes:
        for beginning, answer in [*self.answers.items(), *USUAL.items()]:
            if command.startswith(beginning):
                octets = answer if isinstance(answer, bytes) else answer(command)
                return octets.replace(b"%s", tag)
        return tag + b" BAD unknown\r\n"


@asynccontextmanager
async def scripted(**answers: Answer) -> AsyncIterator[Scripted]:
    """A server that gives *answers* to commands of those names."""
    script = Scripted(answers={name.replace("_", " "): answer for name, answer in answers.items()})
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0, limit=2**24)
    script.port = server.sockets[0].getsockname()[1]
    try:
        yield script
    finally:
        server.close()


def uids_of(command: str) -> list[int]:
    """The UIDs that a UID FETCH names."""
    found: list[int] = []
    for run in command.split()[2].split(","):
        first, _, last = run.partition(":")
        found.extend(range(int(first), int(last or first) + 1))
    return found


def sends(*uids: int) -> Callable[[str], bytes]:
    """An answer to UID FETCH that sends those of *uids* that are asked for."""
    return lambda command: b"".join(message(uid) for uid in uids_of(command) if uid in uids) + b"%s OK done\r\n"


Connect = Callable[[], Awaitable[Client]]
