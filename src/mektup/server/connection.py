"""A connection as a session sees it: ``terms.peer.Peer`` over asyncio.

Reading is pulled. What arrives is kept until the session asks, and when too much is waiting the socket is
not read any more, so that a client which sends faster than it is served fills its own buffers, not ours.
Writing is queued and leaves in one piece, at once, when the session turns to read, wait or drain; while the
client leaves too much unread, the session waits too.

An idle connection is to be cheap, as there are thousands: one task, one waiter, one timer.
The timer is armed once and found to be early when it fires, not moved at every read; that makes a deadline
cost a comparison.

A session never gives way by itself while there is something to read and room to write. So that one busy
client does not stall the others, it is made to after its turn (see ``fair_turns``), and gets at most READ_BYTES at a
time. What takes long in between asks ``is_due`` and drains. A socket with much to read is read once in a round.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Callable
from ipaddress import ip_address
from ssl import SSLContext
from typing import cast

from mektup.server.busy_poll import BusyPoll
from mektup.server.fair_turns import FairTurns
from mektup.server.inline_wakeup import InlineWakeup, PlainWakeup, Wakeup
from mektup.server.tls_stream import TlsStream
from mektup.store import system
from mektup.terms.errors import Disconnected, Refused, TimedOut
from mektup.terms.peer import Watch

UNREAD_BYTES = 256 * 1024
"""Unread octets at which the socket is not read any more."""

STRANGERS_UNREAD_BYTES = 16 * 1024
"""The same before login: thousands of strangers may be waiting."""

READ_BYTES = 16 * 1024
"""The most that one read yields."""

FULL_READ_BYTES = 256_000
"""What fills the buffer of uvloop. It then reads again in the same round of the loop, up to 32 times."""

JOIN_BYTES = 256 * 1024
"""Queued output up to this size is joined; more is handed on piece by piece, to spare the copy."""

QUEUED_BYTES = 64 * 1024
"""Queued output at which a session is due to drain."""

HANDSHAKE_SECONDS = 10.0
"""How long TLS may take to begin."""

DISMISSAL_SECONDS = 2.0
"""How long a session that is to end has for its farewell, whatever it is doing."""

LINGER_SECONDS = 2.0
"""How long a client has to take a farewell and close; what it sends meanwhile is thrown away."""

_CAN_ACKNOWLEDGE = sys.platform == "linux"
"""Whether the system has TCP_QUICKACK."""

STOPPING_SECONDS = 0.25
"""How long a handshake may take while the server is shutting down."""

SHUTTING_DOWN = "The server is shutting down"


def address_of(peer_name: object) -> tuple[str, bool]:
    """An IP address without port and scope, or ``unix``, and whether it is on this machine.

    *peer_name* is what ``accept`` or ``getpeername`` yields.
    """
    if not isinstance(peer_name, tuple):
        return "unix", True
    address = ip_address(str(peer_name[0]).partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return str(address), address.is_loopback


class NotTls(Disconnected):
    """A client spoke in the clear where TLS is expected; *said* is what came of it."""

    def __init__(self, said: bytes) -> None:
        super().__init__()
        self.said = said


class Connection(asyncio.Protocol):
    """One client's socket, encrypted or not. See ``terms.peer.Peer`` for what a session may ask of it."""

    __slots__ = (
        "_busy_poll",
        "_certificate",
        "_cut_off",
        "_deadline",
        "_discarding",
        "_ended",
        "_file",
        "_heard_after_close",
        "_hurried",
        "_incoming",
        "_interest_seconds",
        "_loop",
        "_lost",
        "_on_lost",
        "_outgoing",
        "_owes_acknowledgement",
        "_queued",
        "_reading_paused",
        "_seeking",
        "_taken",
        "_timer",
        "_timer_at",
        "_tls",
        "_transport",
        "_turn_began",
        "_turns",
        "_unread_bytes",
        "_wakeup",
        "_write_seconds",
        "_writing_paused",
        "address",
        "bytes_in",
        "bytes_out",
        "dismissal",
        "in_response",
        "local",
        "secure",
        "task",
        "uploading",
    )

    def __init__(
        self,
        peer_name: object,
        *,
        busy_poll: BusyPoll,
        inline_wakeup: bool,
        turns: FairTurns,
        certificate: Callable[[], SSLContext | None],
        write_seconds: float,
        interest_seconds: float,
        on_lost: Callable[[Connection], None],
    ) -> None:
        """Stands for the socket that *peer_name* is the other end of.

        *busy_poll* and *turns* are the event loop's; *inline_wakeup* is that of Tuning; *certificate* yields what
        ``start_tls`` uses at that time; *on_lost* is called once, when the socket is closed.
        """
        self.address, self.local = address_of(peer_name)
        self.secure = False
        self.dismissal: str | None = None
        self.uploading = False
        self.in_response = False
        self._seeking = False
        self.task: asyncio.Task[None] | None = None
        """The session's."""
        self.bytes_in = 0
        self.bytes_out = 0
        self._busy_poll = busy_poll
        self._turns = turns
        self._certificate = certificate
        self._write_seconds = write_seconds
        self._interest_seconds = interest_seconds
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._file = -1
        self._incoming: bytes | bytearray = b""
        self._taken = 0
        self._outgoing: list[bytes] = []
        self._owes_acknowledgement = False
        self._queued = 0
        self._ended = False
        self._hurried = False
        self._heard_after_close = False
        self._lost = self._reading_paused = False
        self._writing_paused = False
        self._discarding = False
        self._cut_off: asyncio.TimerHandle | None = None
        self._unread_bytes = STRANGERS_UNREAD_BYTES
        self._tls: TlsStream | None = None
        self._wakeup: Wakeup = InlineWakeup(self._loop) if inline_wakeup else PlainWakeup(self._loop)
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._turn_began = time.monotonic()

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is ours."""
        self._transport = cast("asyncio.Transport", transport)
        self._file = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        is_full = len(data) >= FULL_READ_BYTES
        self._busy_poll.heard()
        self._owes_acknowledgement = _CAN_ACKNOWLEDGE
        if self._tls is not None:
            data = self._decrypted(self._tls, data)
        if self._discarding:
            self._heard_after_close = True
            if self._ended and self._transport is not None:
                self._transport.close()
            return
        self.bytes_in += len(data)
        if not self._incoming:
            self._incoming = data
        else:
            if not isinstance(self._incoming, bytearray):
                self._incoming = bytearray(self._incoming)
            del self._incoming[: self._taken]
            self._incoming += data
            self._taken = 0
        if len(self._incoming) > self._unread_bytes and not self._reading_paused:
            self._pause_reading()
        self._wakeup.wake_now()
        if self._wakeup.waits:
            self._busy_poll.answered()
        if is_full and not self._reading_paused:
            # the session has had a turn; 32 in a row, one for each read, would be a sixth of a second for all others
            self._pause_reading()
            self._loop.call_soon(self._read_on)

    def eof_received(self) -> bool:
        """The client sends no more, but may still read: ``printf ... | nc`` is to get its answers."""
        self._ended = True
        self._wakeup.wake()
        self._expect_interest()
        return not self._discarding

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        if self._lost:
            return
        self._ended = self._lost = True
        self._outgoing.clear()
        self._queued = 0
        for timer in (self._timer, self._cut_off):
            if timer is not None:
                timer.cancel()
        self._timer = self._cut_off = None
        self._wakeup.wake()
        if self._seeking and self.task is not None:
            self.task.cancel()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The client leaves too much unread."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """It has caught up."""
        self._writing_paused = False
        self._wakeup.wake()

    # Called by the session

    @property
    def seeking(self) -> bool:
        """Whether the session only looks for an answer, and is cancelled should the client go meanwhile."""
        return self._seeking

    @seeking.setter
    def seeking(self, seeking: bool) -> None:
        self._seeking = seeking
        self._expect_interest()

    def _expect_interest(self) -> None:
        # one that has closed looks like one that has only sent all, and waits
        if self._ended and self._seeking and not self._lost:
            self._loop.call_later(self._interest_seconds, self._look_for_interest)

    def _look_for_interest(self) -> None:
        if self._ended and self._seeking:
            self.abort()

    @property
    def has_unread(self) -> bool:
        """Whether bytes came that no read has yielded yet."""
        return bool(self._incoming)

    @property
    def stopping(self) -> bool:
        """Whether the session should say goodbye."""
        return self.dismissal is not None

    async def read(self, seconds: float) -> bytes:
        """The next bytes, at least one and at most READ_BYTES. Raises TimedOut, Disconnected."""
        self._send()
        now = time.monotonic()
        if self._writing_paused or self._lost or now - self._turn_began > self._turns.seconds:
            await self.drain()
            now = time.monotonic()
        if self._hurried:
            raise TimedOut(self.dismissal or "")
        # not in a coroutine of its own: thousands of idle connections wait here, each with all its frames
        while not self._incoming:
            if self._ended:
                raise Disconnected
            if self.dismissal is not None and not self.uploading:
                raise TimedOut(self.dismissal)
            if not await self._sleep_until(now + seconds) and not self._incoming and not self._ended:
                raise TimedOut
            if self._hurried:
                raise TimedOut(self.dismissal or "")
        start, stop = self._taken, self._taken + READ_BYTES
        incoming = self._incoming
        if stop < len(incoming):
            self._taken = stop
            return bytes(incoming[start:stop])
        self._incoming, self._taken = b"", 0
        if self._reading_paused and not self._discarding:
            self._resume_reading()
        return bytes(incoming[start:] if start else incoming)

    def write(self, octets: bytes) -> None:
        """Queues *octets* to be sent; never blocks, never raises."""
        self._outgoing.append(octets)
        self._queued += len(octets)

    @property
    def is_due(self) -> bool:
        """Whether it is time to drain: much is queued, or others have waited for as long as a turn is."""
        return self.is_due_at(time.monotonic())

    def is_due_at(self, now: float) -> bool:
        """The same for who has just read the clock."""
        return self._queued > QUEUED_BYTES or now - self._turn_began > self._turns.seconds or self._writing_paused

    async def drain(self) -> None:
        """Sends what was queued, and waits while the other end leaves too much unread. Raises Disconnected.

        Writes never block (RFC 9051 §5.3), so that a client that reads nothing stops nobody else.
        """
        if self._outgoing:
            self._send()
        if self._writing_paused:
            deadline = time.monotonic() + self._write_seconds
            while self._writing_paused and not self._lost:
                if not await self._sleep_until(deadline) and self._writing_paused:
                    self.abort()
                    raise Disconnected
            # many clients may have made room in the same moment
            await self._have_turn()
        elif time.monotonic() - self._turn_began > self._turns.seconds:
            await self._have_turn()
        if self._lost:
            raise Disconnected

    async def wait(self, watch: Watch | None, seconds: float) -> bool:
        """Waits for bytes to read, for *watch* to fire, for the server to stop, or for *seconds*. Raises Disconnected.

        Returns whether there are bytes to read, or the stream has ended.
        """
        await self.drain()
        deadline = time.monotonic() + seconds
        if watch is not None:
            watch.on_fire = self._wakeup.wake
        try:
            while not (self._incoming or self._ended or self.stopping or (watch is not None and watch.fired)):
                if not await self._sleep_until(deadline):
                    break
        finally:
            if watch is not None:
                watch.on_fire = None
        return bool(self._incoming) or self._ended

    async def start_tls(self) -> None:
        """Sends what was queued and turns the connection to TLS. Raises Refused, Disconnected.

        What the client sent in the clear after it asked would, if kept, be taken for what it says under TLS (the
        command injection of CVE-2011-0411). So what is there already ends the connection, and what still waits in
        the socket goes to the handshake, which it fails. RFC 9051 §6.2.1, RFC 2595 §4.
        """
        self._send()
        if self._incoming:
            self.close()
            raise Disconnected
        self.expect_tls()
        await self.shake_hands()

    # Called by the server

    def expect_tls(self) -> None:
        """What comes from now on is TLS. Raises Refused."""
        context = self._certificate()
        if context is None:
            raise Refused(None, "There is no certificate for TLS")
        self._tls = TlsStream(context)
        self.secure = True

    async def shake_hands(self) -> None:
        """Returns when TLS has begun, which was expected before. Raises Disconnected, and of these NotTls."""
        tls = self._tls
        assert tls is not None
        began = time.monotonic()
        while not (tls.established or self._ended):
            if not await self._sleep_until(began + (STOPPING_SECONDS if self.stopping else HANDSHAKE_SECONDS)):
                break
        if tls.said_in_clear is not None:
            # the answer is one that such a client can read
            self._tls, self.secure, self._ended = None, False, False
            raise NotTls(tls.said_in_clear)
        if not tls.established or self._lost:
            raise Disconnected from tls.failure

    def stop(self) -> None:
        """Tells the session that the server is shutting down: it ends between two commands."""
        if self.dismissal is None:
            self.dismissal = SHUTTING_DOWN
        self._wakeup.wake()

    def trust(self) -> None:
        """The client is no stranger: it has logged in, or need not."""
        self._unread_bytes = UNREAD_BYTES

    def dismiss(self, reason: str) -> None:
        """See ``terms.peer.Peer``; who is still there after DISMISSAL_SECONDS is cut off."""
        if self._cut_off is not None or self._lost:
            return
        self.dismissal = reason
        self._cut_off = self._loop.call_later(DISMISSAL_SECONDS, self.abort)
        self.hurry()

    def hurry(self) -> None:
        """Tells the session that its time is over: a command that is half there is given up."""
        self._hurried = True
        self._wakeup.wake()

    @property
    def passed(self) -> tuple[int, ...] | None:
        """Octets that came, left, and are still to be taken, where the session waits for its client; else None."""
        if self._transport is None or not self._wakeup.waits:
            return None
        return self.bytes_in, self.bytes_out, self._transport.get_write_buffer_size()

    @property
    def can_be_left(self) -> bool:
        """Whether all that was said is on its way, and nothing came since: closing the socket destroys nothing."""
        transport = self._transport
        return (
            self._discarding
            and not self._heard_after_close
            and transport is not None
            and not transport.get_write_buffer_size()
        )

    def leave(self) -> None:
        """Closes the socket without waiting for the client to do so; only where it ``can_be_left``."""
        if self._transport is not None and not self._lost:
            self._transport.close()

    def close(self) -> None:
        """Sends what was queued and closes; may be called twice.

        A socket closed with octets unread is reset, which can destroy a farewell on its way. So our side says that
        it is done, and the client has LINGER_SECONDS to close.
        """
        transport = self._transport
        if transport is None or self._lost or self._discarding:
            return
        self._send()
        self._heard_after_close = bool(self._incoming)
        self._discarding, self._incoming, self._taken = True, b"", 0
        if self._tls is not None:
            transport.write(self._tls.close())
        if self._ended or not transport.can_write_eof():
            transport.close()
        else:
            # some clients throw away what they have not read when the end of TLS has the end of TCP at its heels
            if self._tls is None:
                transport.write_eof()
            self._resume_reading()
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = time.monotonic() + self._write_seconds
        self._timer = self._loop.call_later(LINGER_SECONDS, self._linger)

    def abort(self) -> None:
        """Closes at once, whatever was queued; may be called twice."""
        if self._transport is not None and not self._lost:
            self._transport.abort()

    # Within

    async def _have_turn(self) -> None:
        if not self._lost:
            await self._turns.wait()
            self._turn_began = time.monotonic()

    def _send(self) -> None:
        queued, transport = self._outgoing, self._transport
        if not queued or self._lost or transport is None:
            return
        size = self._queued
        self._outgoing, self._queued = [], 0
        self._owes_acknowledgement = False
        self.bytes_out += size
        if len(queued) > 1 and size <= JOIN_BYTES:
            queued = [b"".join(queued)]
        if self._tls is not None:
            queued = [b"".join(self._tls.send(octets)) for octets in queued]
        if len(queued) > 1 or transport.is_closing() or transport.get_write_buffer_size():
            # not by writelines(), after which asyncio of 3.12.0 to 3.12.8, 3.13.0 and 3.13.1 forgets to call
            # pause_writing (gh-127655): a client that reads nothing would fill the memory
            for octets in queued:
                transport.write(octets)
        else:
            self._write_now(transport, queued[0])

    def _write_now(self, transport: asyncio.Transport, octets: bytes) -> None:
        """The transport would write when the loop comes round, which is later than the client waits for it."""
        try:
            written = os.write(self._file, octets)
        except OSError:
            written = 0  # no room, or nobody there: the transport meets the same, and knows what to do
        if written < len(octets):
            transport.write(memoryview(octets)[written:])

    def _decrypted(self, tls: TlsStream, data: bytes) -> bytes:
        octets = tls.receive(data)
        answer = tls.to_send()
        if answer and self._transport is not None:
            self._transport.write(answer)
        self._ended = self._ended or tls.ended
        return octets

    def _linger(self) -> None:
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() and time.monotonic() < self._deadline:
            # a slow client is still taking the last answer
            self._timer = self._loop.call_later(LINGER_SECONDS, self._linger)
        else:
            self.abort()

    def _pause_reading(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def _read_on(self) -> None:
        if len(self._incoming) <= self._unread_bytes:
            self._resume_reading()

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def _sleep_until(self, deadline: float) -> bool:
        """Waits until something happens; false if that was the time *deadline* (of ``time.monotonic``)."""
        self._deadline = deadline
        if self._owes_acknowledgement:
            self._acknowledge()
        if self._timer is None or self._timer_at > deadline:
            self._arm(deadline - time.monotonic())
        await self._wakeup
        self._turn_began = time.monotonic()
        return self._turn_began < deadline

    def _acknowledge(self) -> None:
        """Acknowledges what came at once, as no answer that would carry the acknowledgement is due.

        Clients such as imaplib send a literal, or the end of a message, in two writes. Nagle's algorithm holds the
        second until the first is acknowledged, which the kernel delays by 40 ms. The kernel forgets the option, so it
        is set each time (tcp(7), TCP_QUICKACK).
        """
        self._owes_acknowledgement = False
        if self._transport is None or self._lost:
            return
        client = self._transport.get_extra_info("socket")
        with contextlib.suppress(OSError):  # the client is gone, which the transport will notice
            system.acknowledge(client)

    def _arm(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = time.monotonic() + seconds
        self._timer = self._loop.call_later(seconds, self._look_at_clock)

    def _look_at_clock(self) -> None:
        self._timer = None
        if not self._wakeup.waits:
            return
        left = self._deadline - time.monotonic()
        if left > 0:
            # the deadline has moved on since this was armed
            self._arm(left)
        else:
            self._wakeup.wake()
