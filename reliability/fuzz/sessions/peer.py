"""A client in memory: what it sends is known from the beginning, and what it gets is kept."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence

from mektup.terms.errors import Disconnected, TimedOut
from mektup.terms.peer import Watch
from mektup.terms.texts import Text

SHUTTING_DOWN = Text("the server shuts down")

MOST_PAUSES = 4
"""How often a wait of the session ends without anything to read."""


class ScriptedPeer:
    """A ``terms.peer.Peer`` that never waits. All that it decides comes from *rng*.

    *meanwhile* is called at some reads: somebody else changes the mail then.
    """

    def __init__(self, pieces: list[bytes], rng: random.Random, meanwhile: Callable[[], Awaitable[None]]) -> None:
        self.secure = rng.random() < 0.8
        self.tls = None
        self.local = True
        self.address = "192.0.2.1"
        self.dismissal: Text | None = None
        self.uploading = False
        self.in_response = False
        self.compressed = False
        self.seeking = False
        self.waited = 0.0
        self.sent = bytearray()
        self._pieces = list(reversed(pieces))
        self._rng = rng
        self._meanwhile = meanwhile
        self._busy = rng.random() < 0.3
        self._pauses = MOST_PAUSES
        self._ends_silently = rng.random() < 0.1

    @property
    def has_unread(self) -> bool:
        """See Peer."""
        return False

    @property
    def stopping(self) -> bool:
        """See Peer."""
        return self.dismissal is not None

    def dismiss(self, reason: Text) -> None:
        """See Peer."""
        self.dismissal = reason

    async def read(self, seconds: float) -> bytes:
        """See Peer."""
        chance = self._rng.random()
        if chance < 0.05:
            await self._meanwhile()
        elif chance > 0.998:
            self.dismissal = SHUTTING_DOWN
        if self.dismissal is not None and not self.uploading:
            raise TimedOut(self.dismissal)
        if not self._pieces:
            if self._ends_silently:
                raise TimedOut
            raise Disconnected
        return self._pieces.pop()

    def write(self, octets: bytes) -> None:
        """See Peer."""
        self.sent += octets

    @property
    def is_due(self) -> bool:
        """See Peer."""
        return self._busy

    def is_due_at(self, now: float) -> bool:
        """See Peer."""
        return self._busy

    async def drain(self) -> None:
        """See Peer."""
        if self._busy and self._rng.random() < 0.05:
            await self._meanwhile()

    async def wait(self, watches: Sequence[Watch], seconds: float) -> bool:
        """See Peer."""
        if self._pauses and self._rng.random() < 0.5:
            self._pauses -= 1
            await self._meanwhile()
            return False
        return True

    async def start_tls(self) -> None:
        """See Peer."""
        if self._rng.random() < 0.5:
            raise Disconnected
        self.secure = True

    def start_compression(self) -> None:
        """See Peer. The octets stay as they are; ``sockets.py`` compresses."""
        self.compressed = True
