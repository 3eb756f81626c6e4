"""What a session needs of its connection, and of a wake-up.

A session of any protocol awaits its :class:`Peer` and the store, nothing else, so it runs in memory in
a test, byte by byte if wanted. ``server/connection.py`` is the Peer over asyncio.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from mektup.terms.numbers import ModSeq


class Watch(Protocol):
    """A wake-up that a session can wait for: a flag, never a queue."""

    @property
    def fired(self) -> bool:
        """Whether something changed since :meth:`rearm`."""

    on_fire: Callable[[], None] | None
    """Called once each time that *fired* turns true; the Peer sets it while it waits."""

    def rearm(self) -> None:
        """Lowers the flag. To be called before one looks at what changed, never after."""

    def made(self, modseq: ModSeq) -> None:
        """Lowers the flag where all that was heard is change *modseq*, or older: the waiter made that itself."""

    def fire(self) -> None:
        """Raises the flag as if something had changed, so that the next look is due."""

    def close(self) -> None:
        """Nobody waits for this any more; may be called twice."""


class Peer(Protocol):
    """One connection, seen from its session. Reading is pulled, writing is queued."""

    @property
    def secure(self) -> bool:
        """Whether the bytes are encrypted, or never leave this process."""

    @property
    def local(self) -> bool:
        """Whether the other end is on this machine: a loopback address or a Unix socket."""

    @property
    def address(self) -> str:
        """The other end, for logs and throttling: an IP address without port, or ``unix``."""

    async def read(self, seconds: float) -> bytes:
        """The next bytes, as they came, at least one.

        First sends what was written. Raises TimedOut after *seconds*, Disconnected at the end of the stream.
        """

    def write(self, octets: bytes) -> None:
        """Queues *octets* to be sent; never blocks, never raises."""

    @property
    def is_due(self) -> bool:
        """Whether it is time to :meth:`drain`: much is queued, or others have waited for as long as a turn is.

        To be asked between commands, and inside those that take long or say much. Costs next to nothing.
        """

    def is_due_at(self, now: float) -> bool:
        """The same for who has just read the clock: *now* is ``time.monotonic()``."""

    async def drain(self) -> None:
        """Sends what was queued, waits while the other end leaves too much unread, and gives way where that is due.

        To be called between the slices of a long answer. Raises Disconnected.
        """

    async def wait(self, watch: Watch | None, seconds: float) -> bool:
        """Waits for bytes to read, for *watch* to fire, or for *seconds*; whichever is first.

        First sends what was written. Returns whether there are bytes to read (or the stream has ended), which
        :meth:`read` then yields at once.
        """

    async def start_tls(self) -> None:
        """Sends what was queued and turns the connection to TLS (RFC 9051 §6.2.1).

        Raises Refused when the server has no certificate, Disconnected when the handshake fails or when
        plaintext came after the command that asked for it.
        """

    uploading: bool
    """Set by the session while a command is half there whose rest a client may take its time for: a literal, DATA.

    A server that shuts down waits for it; any other read ends then, with TimedOut.
    """

    in_response: bool
    """Set by the session while a response has begun and not ended, so that nothing else can be said."""

    seeking: bool
    """Set by the session while it only looks for an answer: should the other end go meanwhile, it is cancelled."""

    @property
    def has_unread(self) -> bool:
        """Whether bytes came that no read has yielded yet."""

    @property
    def dismissal(self) -> str | None:
        """Why the session is to say goodbye now, for the client to read; None while it may go on."""

    @property
    def stopping(self) -> bool:
        """Whether there is a ``dismissal``; a wait ends at once then, and a read does soon."""

    def dismiss(self, reason: str) -> None:
        """Has the session end within a second or two, whatever it is doing; may be called twice.

        A read or a wait ends at once, with TimedOut or without bytes, even where there are bytes to read.
        """
