"""A server with the limits that a test chooses, and connections to each of its services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from mektup import DeliveryRules, Limits, Server
from mektup.auth.authenticator import Authenticator
from mektup.imap.session import ImapSession
from mektup.lmtp.session import LmtpSession
from mektup.mta.sasl_session import SaslSession
from mektup.pop3.session import Pop3Session
from mektup.session.services import Services
from mektup.terms.delivery import DEFAULT_DELIVERY_RULES
from tests.support.dialogue import Dialogue

Demonstration = Callable[[], Awaitable[None]]
"""Sets one limit, uses the service that it limits, and checks what happens at the limit and beyond it."""

USER, PASSWORD = "linda", "Pa$$123"
LOGIN = b"LOGIN linda Pa$$123"
SMALL = b"Subject: small\r\n\r\nsmall\r\n"
UNTRACED = DeliveryRules(trace=False)
Address = tuple[str, int]


@dataclass
class LimitedServer:
    """Sessions in memory over the store of a running server; the server itself has sockets."""

    server: Server
    limits: Limits
    delivery: DeliveryRules
    services: Services = field(init=False)

    def __post_init__(self) -> None:
        log = structlog.wrap_logger(structlog.ReturnLogger(), processors=[])
        authenticator = Authenticator(self.server.store.directory, self.limits)
        self.services = Services(self.server.store, authenticator, self.limits, log, "limits", delivery=self.delivery)

    @asynccontextmanager
    async def imap(self, *commands: bytes) -> AsyncIterator[Dialogue]:
        """A session after its greeting and *commands*, each answered by OK."""
        async with Dialogue(ImapSession, self.services) as client:
            await client.line()
            for command in commands:
                assert b"a OK" in await answer(client, command), command
            yield client

    def lmtp(self) -> Dialogue:
        return Dialogue(LmtpSession, self.services)

    def sasl(self) -> Dialogue:
        return Dialogue(SaslSession, self.services)

    def pop3(self) -> Dialogue:
        return Dialogue(Pop3Session, self.services)


@asynccontextmanager
async def limited_server(
    *, data: Path | None = None, delivery: DeliveryRules = DEFAULT_DELIVERY_RULES, **limits: Any
) -> AsyncIterator[LimitedServer]:
    """A server with the account linda, in memory if *data* is None; *limits* differ from the defaults."""
    chosen = Limits(**{"login_delay_seconds": 0.001, **limits})
    async with Server(data, users={USER: PASSWORD}, limits=chosen, delivery=delivery) as server:
        yield LimitedServer(server, chosen, delivery)


async def answer(client: Dialogue, command: bytes, tag: bytes = b"a") -> bytes:
    """The answer to *command* up to the tagged line, or the ``+`` that asks for the rest of the command."""
    client.send(tag + b" " + command + b"\r\n")
    lines: list[bytes] = []
    while not lines or not lines[-1].startswith((tag + b" ", b"+ ")):
        lines.append(await client.line())
    return b"\r\n".join(lines)


async def verdict(client: Dialogue, command: bytes) -> bytes:
    """OK, NO or BAD; or ``+``, which asks for the rest of the command."""
    last = (await answer(client, command)).split(b"\r\n")[-1]
    return last.split(b" ")[0 if last.startswith(b"+") else 1]


async def streams(address: Address, **options: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection over a socket of this machine."""
    return await asyncio.open_connection(*address, **options)


async def tagged(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, command: bytes) -> bytes:
    """The tagged answer to *command* over a socket."""
    writer.write(b"a " + command + b"\r\n")
    while not (line := await reader.readline()).startswith(b"a "):
        assert line, "the connection was closed"
    return line


def padded(start: bytes, end: bytes, octets: int) -> bytes:
    """*start*, so many letters ``x`` that the result has *octets* octets, and *end*."""
    return start + b"x" * (octets - len(start) - len(end)) + end


@contextmanager
def folder() -> Iterator[Path]:
    """A place for a data directory."""
    with TemporaryDirectory() as name:
        yield Path(name)


@asynccontextmanager
async def limited_server_on_disk(**limits: Any) -> AsyncIterator[LimitedServer]:
    """The same with a data directory."""
    with folder() as data:
        async with limited_server(data=data, **limits) as limited:
            yield limited
