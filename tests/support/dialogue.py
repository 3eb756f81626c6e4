"""A dialogue with one session in memory: sends lines, reads lines, and never waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType

from mektup.session.services import Services
from mektup.terms.peer import Peer
from tests.support.memory import Clock, MemoryPeer, RunsASession

SECONDS = 10.0
"""A test fails if an answer takes longer."""


class ObservedPeer(MemoryPeer):
    """A peer that knows whether its session waits for input."""

    waits = False

    async def _change(self) -> None:
        self.waits = True
        await super()._change()
        self.waits = False


class BusyPeer(ObservedPeer):
    """A peer on a loop where other sessions always wait for their turn; counts how often it gives up its turn."""

    turns = 0

    @property
    def is_due(self) -> bool:
        return True

    async def drain(self) -> None:
        self.turns += 1
        await super().drain()


class Dialogue:
    """The client's end of a session of any protocol, for use in an ``async with``."""

    def __init__(
        self,
        begin: Callable[[Peer, Services], RunsASession],
        services: Services,
        *,
        secure: bool = False,
        by_octet: bool = False,
        peer: type[ObservedPeer] = ObservedPeer,
    ) -> None:
        self.clock = Clock()
        self.peer = peer(self.clock, secure=secure, by_octet=by_octet)
        self._session = begin(self.peer, services)
        self._buffer = b""

    async def __aenter__(self) -> Dialogue:
        self._task = asyncio.create_task(self._run())
        return self

    async def _run(self) -> None:
        try:
            await self._session.run()
        finally:
            self.peer.finish()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.peer.end()
        async with asyncio.timeout(SECONDS):
            await self._task

    def send(self, octets: bytes) -> None:
        """Sends *octets* unchanged."""
        self.peer.send(octets)

    async def taken(self) -> None:
        """Returns when the session has read everything that was sent, and waits for more."""
        async with asyncio.timeout(SECONDS):
            while self.peer.has_unread or not self.peer.waits:
                await asyncio.sleep(0)

    async def line(self) -> bytes:
        """The next line, without its CRLF."""
        return (await self.until(b"\r\n")).removesuffix(b"\r\n")

    async def lines(self, count: int) -> list[bytes]:
        """The next lines."""
        return [await self.line() for _ in range(count)]

    async def until(self, end: bytes) -> bytes:
        """Everything up to and including *end*."""
        while end not in self._buffer:
            octets = await self._receive()
            assert octets, f"closed after {self._buffer!r}"
            self._buffer += octets
        at = self._buffer.index(end) + len(end)
        taken, self._buffer = self._buffer[:at], self._buffer[at:]
        return taken

    async def ask(self, line: bytes) -> bytes:
        """Sends *line*; returns the first line of the answer."""
        self.send(line + b"\r\n")
        return await self.line()

    async def rest(self) -> bytes:
        """Everything until the session ends by itself."""
        while octets := await self._receive():
            self._buffer += octets
        taken, self._buffer = self._buffer, b""
        return taken

    async def _receive(self) -> bytes:
        async with asyncio.timeout(SECONDS):
            return await self.peer.receive()
