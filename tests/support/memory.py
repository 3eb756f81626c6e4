"""A server in memory: sessions and clients joined by a pipe that can pass one octet at a time.

The script moves the clock, so a test of a thirty-minute timeout takes no time, and nothing sleeps.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mektup.server.texts import SHUTTING_DOWN
from mektup.terms.errors import Disconnected, TimedOut
from mektup.terms.peer import Watch
from mektup.terms.texts import Text
from tests.support.runner import PASSWORD, USER


class Clock:
    """A clock that only ``advance`` moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self._listeners: set[Callable[[], None]] = set()

    def advance(self, seconds: float) -> None:
        """Moves the clock by *seconds*, and wakes the sessions whose time has come."""
        self.now += seconds
        for listener in tuple(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Calls *listener* at each advance."""
        self._listeners.add(listener)


@dataclass
class MemoryTls:
    """``terms.peer.TlsFacts`` of a connection that counts as encrypted."""

    certificate_hash: bytes | None = bytes(range(32))
    client_name: str | None = None


class MemoryPeer:
    """A ``terms.peer.Peer`` whose other end is in the same process: the test.

    *by_octet*: each read returns one octet, so that every boundary in the stream is tested.
    """

    def __init__(self, clock: Clock, *, secure: bool, by_octet: bool, client_name: str | None = None) -> None:
        self.secure = secure
        self.tls = MemoryTls(client_name=client_name) if secure else None
        self.local = True
        self.address = "127.0.0.1"
        self.dismissal: Text | None = None
        self.uploading = False
        self.in_response = False
        self.compressed = False
        self.seeking = False
        self.waited = 0.0
        self._clock = clock
        self._by_octet = by_octet
        self._incoming = bytearray()
        self._ended = False
        self._queued = bytearray()
        self._changed = asyncio.Event()
        self._sent = bytearray()
        self._closed = False
        self._can_receive = asyncio.Event()
        self._handshaken = asyncio.Event()
        self._settled = asyncio.Event()
        clock.listen(self._changed.set)

    # The session's side

    @property
    def has_unread(self) -> bool:
        return bool(self._incoming)

    @property
    def stopping(self) -> bool:
        return self.dismissal is not None

    def dismiss(self, reason: Text) -> None:
        self.dismissal = reason
        self._changed.set()

    async def read(self, seconds: float) -> bytes:
        deadline = self._clock.now + seconds
        while not self._incoming:
            if self._ended:
                raise Disconnected
            if self.dismissal is not None and not self.uploading:
                raise TimedOut(self.dismissal)
            if self._clock.now >= deadline:
                raise TimedOut
            await self._change()
        count = 1 if self._by_octet else len(self._incoming)
        octets = bytes(self._incoming[:count])
        del self._incoming[:count]
        return octets

    def write(self, octets: bytes) -> None:
        self._queued += octets

    def flush(self) -> None:
        self._sent += self._queued
        self._queued.clear()
        self._can_receive.set()

    @property
    def is_due(self) -> bool:
        return len(self._queued) > 4096

    def is_due_at(self, now: float) -> bool:
        """See Peer."""
        return self.is_due

    async def drain(self) -> None:
        self.flush()
        if self._ended and not self._incoming:
            raise Disconnected
        await asyncio.sleep(0)

    async def wait(self, watches: Sequence[Watch], seconds: float) -> bool:
        deadline = self._clock.now + seconds
        for watch in watches:
            watch.on_fire = self._changed.set
        try:
            while not (self._incoming or self._ended or self.stopping or self._clock.now >= deadline):
                if any(watch.fired for watch in watches):
                    break
                await self._change()
        finally:
            for watch in watches:
                watch.on_fire = None
        self.flush()
        return bool(self._incoming or self._ended)

    async def start_tls(self) -> None:
        self.flush()
        if self._incoming:
            raise Disconnected
        await self._handshaken.wait()
        if self._incoming or self._ended:
            raise Disconnected
        self.secure, self.tls = True, MemoryTls()
        self._settled.set()

    def start_compression(self) -> None:
        """Only says so: what compression does to octets is shown over sockets."""
        self.flush()
        self.compressed = True

    async def _change(self) -> None:
        self.flush()
        self._changed.clear()
        await self._changed.wait()

    # The test's side

    def stop(self) -> None:
        """The server shuts down."""
        self.dismiss(SHUTTING_DOWN)

    def finish(self) -> None:
        """The session has ended: its output is sent, then the stream ends."""
        self._closed = True
        self._settled.set()
        self.flush()

    def send(self, octets: bytes) -> None:
        """Sends octets to the session; not allowed after ``end``."""
        self._incoming += octets
        self._changed.set()

    async def receive(self) -> bytes:
        """The new output of the session, at least one octet; empty when the session has ended."""
        while not self._sent and not self._closed:
            self._can_receive.clear()
            await self._can_receive.wait()
        octets = bytes(self._sent)
        self._sent.clear()
        return octets

    async def handshake(self) -> None:
        """The client's part of ``start_tls``; returns when both use TLS, or the session has ended."""
        self._handshaken.set()
        await self._settled.wait()

    def compress(self) -> None:
        """The client's end of ``start_compression``."""
        assert self.compressed

    def end(self) -> None:
        """The client closes the connection."""
        self._ended = True
        self._handshaken.set()
        self._changed.set()


class RunsASession(Protocol):
    """What ``ImapSession``, ``Pop3Session`` and ``LmtpSession`` have in common."""

    async def run(self) -> None: ...


class Backend(Protocol):
    """What makes sessions: a store with its services, or a toy."""

    def session(self, protocol: str, peer: MemoryPeer) -> RunsASession:
        """A session of *protocol* (``imap``, ``pop3`` or ``lmtp``) over *peer*."""

    async def deliver(self, raw: bytes, account: str) -> None:
        """Delivers a message."""

    async def reopen(self) -> None:
        """Closes the store and opens it again, as a restart does."""

    async def close(self) -> None: ...


class MemoryWorld:
    """A ``support.runner.World`` without a socket."""

    lenient = False
    login = (USER, PASSWORD)

    def __init__(self, backend: Backend, *, by_octet: bool, secure: bool, client_name: str | None = None) -> None:
        self._backend = backend
        self._by_octet = by_octet
        self._secure = secure
        self._client_name = client_name
        self._clock = Clock()
        self._running: dict[MemoryPeer, asyncio.Task[None]] = {}

    async def connect(self, protocol: str) -> MemoryPeer:
        """A new connection."""
        peer = MemoryPeer(self._clock, secure=self._secure, by_octet=self._by_octet, client_name=self._client_name)
        self._running[peer] = asyncio.create_task(self._run(self._backend.session(protocol, peer).run(), peer))
        return peer

    async def _run(self, session: Coroutine[Any, Any, None], peer: MemoryPeer) -> None:
        try:
            await session
        finally:
            peer.finish()

    async def deliver(self, raw: bytes, account: str) -> None:
        await self._backend.deliver(raw, account)

    def advance(self, seconds: float) -> None:
        self._clock.advance(seconds)

    async def stop(self) -> None:
        """Tells the server to shut down: sessions say goodbye."""
        for peer in self._running:
            peer.stop()

    async def restart(self) -> None:
        """Breaks every connection, closes the store, and opens it again."""
        await self._end_all()
        await self._backend.reopen()

    async def close(self) -> None:
        await self._end_all()
        await self._backend.close()

    async def _end_all(self) -> None:
        for peer in self._running:
            peer.end()
        running = tuple(self._running.values())
        self._running.clear()
        async with asyncio.timeout(10):
            await asyncio.gather(*running)
