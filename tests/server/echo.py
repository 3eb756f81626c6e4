"""A session of a toy protocol, for the tests of connections and listeners."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ssl import SSLContext

import structlog

from mektup.server.addresses import Endpoint, Service
from mektup.server.layers.server_tls import ServerTls
from mektup.server.listeners import Listener, endpoint_of, open_sockets
from mektup.server.sessions import Begin, Sessions
from mektup.session.life import Ending
from mektup.session.tap import Tap
from mektup.store.watch import MailboxWatch, WatchHub
from mektup.terms.errors import Disconnected, TimedOut
from mektup.terms.limits import Limits
from mektup.terms.networks import NO_NETWORKS, Networks
from mektup.terms.numbers import AccountId
from mektup.terms.peer import Peer

ACCOUNTS = (AccountId("ac"), AccountId("bd"))
"""Each session watches them."""


@dataclass
class Echo:
    """Sends each line back; a few words are commands."""

    peer: Peer
    seconds: float = 30.0
    watches: tuple[MailboxWatch, ...] = ()
    ended_by: BaseException | None = None
    buffered: bytes = b""
    stage: str = "authenticated"
    commands: int = 0
    fetched: int = 0
    ending: Ending | None = None
    mailbox: str | None = None
    since: float = 0.0
    tap: Tap | None = None
    last_command: str = ""
    identity: str | None = None

    async def run(self) -> None:
        self.peer.write(b"hello\r\n")
        try:
            while (line := await self._line()) != b"quit":
                await self._obey(line)
            self.peer.write(b"bye\r\n")
            await self.peer.drain()
        except TimedOut as silence:
            self.ended_by = silence
            self.peer.write(f"bye: {silence}\r\n".encode())
        except Disconnected as end:
            self.ended_by = end

    async def _line(self) -> bytes:
        while b"\n" not in self.buffered:
            self.buffered += await self.peer.read(self.seconds)
        line, _, self.buffered = self.buffered.partition(b"\n")
        return line.rstrip(b"\r")

    async def _obey(self, line: bytes) -> None:
        word, _, rest = line.partition(b" ")
        if word == b"tls":
            self.peer.write(b"go\r\n")
            await self.peer.start_tls()
        elif word == b"compress":
            self.peer.write(b"go\r\n")
            self.peer.start_compression()
        elif word == b"secure":
            self.peer.write(b"yes\r\n" if self.peer.secure else b"no\r\n")
        elif word == b"flood":
            for _ in range(int(rest)):
                self.peer.write(b"x" * 65536)
                await self.peer.drain()
            self.peer.write(b"\r\n")
        elif word == b"wait":
            readable = await self.peer.wait(self.watches, float(rest))
            fired = b" ".join(b"%d" % number for number, watch in enumerate(self.watches) if watch.fired)
            self.peer.write(b"readable\r\n" if readable else b"fired %b\r\n" % fired if fired else b"nothing\r\n")
        elif word == b"fail":
            raise ZeroDivisionError("as asked")
        else:
            self.peer.write(line + b"\r\n")


@dataclass
class House:
    """The sessions of one listener, and a record of what happened."""

    port: int
    sessions: Sessions
    listener: Listener
    hub: WatchHub
    echoes: list[Echo] = field(default_factory=list)
    log: list[structlog.typing.EventDict] = field(default_factory=list)


@asynccontextmanager
async def house(
    *,
    service: Service = Service.IMAP,
    context: SSLContext | None = None,
    limits: Limits | None = None,
    seconds: float = 30.0,
    endpoint: Endpoint | None = None,
    proxy_from: Networks = NO_NETWORKS,
    trusted: Networks = NO_NETWORKS,
) -> AsyncIterator[House]:
    """A listener with an Echo for each connection."""
    capture = structlog.testing.LogCapture()
    log = structlog.wrap_logger(structlog.PrintLogger(), processors=[capture])
    hub = WatchHub()

    def begin(what: Begin) -> Echo:
        echo = Echo(what.connection, seconds, tuple(hub.watch(account, None) for account in ACCOUNTS))
        made.echoes.append(echo)
        return echo

    sessions = Sessions(
        begin,
        certificate=lambda: None if context is None else ServerTls(context),
        limits=limits or Limits(),
        log=log,
        proxy_from={service: proxy_from} if proxy_from else {},
        trusted=trusted,
    )
    (bound,) = open_sockets(endpoint or Endpoint("127.0.0.1", 0), shared=False)
    where = endpoint_of(bound)
    listener = Listener(bound, lambda accepted, name: sessions.accept(accepted, name, service))
    made = House(where.port, sessions, listener, hub, log=capture.entries)
    try:
        yield made
    finally:
        listener.close()
        await sessions.stop()
