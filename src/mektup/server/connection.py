"""A connection as a session sees it: ``terms.peer.Peer`` over asyncio.

Reading: octets are kept until the session asks for them. When too many are unread, the connection stops reading the
socket, so a client that sends faster than it is served fills its own buffers, not ours.
Writing: output is queued, and sent in one piece when the session reads, waits or drains. While the client leaves too
much unread, the session waits.

An idle connection must be cheap, as there are thousands: it has one task, one wake-up and one timer. A read does not
move the timer. The timer checks the deadline when it fires, and is armed again if it fired early, so a new deadline
costs one comparison.

A session does not yield by itself while there is something to read and room to write. So that one busy client does not
stall the others, the session yields after its turn (see ``fair_turns``), and one read returns at most READ_BYTES. Long
work between two reads checks ``is_due`` and drains. A socket with much to read is read once in each round of the loop.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import cast

from mektup.server import texts
from mektup.server.addresses import address_of
from mektup.server.fair_turns import FairTurns
from mektup.server.layers.deflate import DeflateLayer
from mektup.server.layers.server_tls import ServerTls
from mektup.server.layers.stack import Layer, Stack
from mektup.server.layers.tls import NotTls, TlsLayer
from mektup.server.round_turns import STRANGERS_UNREAD_BYTES, StrangerTurns
from mektup.server.sending import acknowledge, send_queued
from mektup.server.tuning.busy_poll import BusyPoll
from mektup.server.tuning.inline_wakeup import InlineWakeup, PlainWakeup, Wakeup
from mektup.terms.errors import Disconnected, Refused, TimedOut
from mektup.terms.peer import Watch
from mektup.terms.texts import Text

UNREAD_BYTES = 256 * 1024
"""With more unread octets than this, the socket is not read."""

READ_BYTES = 16 * 1024
"""The most that one read returns."""

FULL_READ_BYTES = 256_000
"""A read of this size fills the buffer of uvloop, which then reads again in the same round, up to 32 times."""

QUEUED_BYTES = 64 * 1024
"""With more queued output than this, a session is due to drain."""

HANDSHAKE_SECONDS = 10.0
"""How long a TLS handshake may take."""

DISMISSAL_SECONDS = 2.0
"""How long a dismissed session has for its farewell, whatever it is doing."""

LINGER_SECONDS = 2.0
"""How long a client has to read the farewell and close. Octets that it sends meanwhile are discarded."""

_CAN_ACKNOWLEDGE = sys.platform == "linux"
"""Whether the system has TCP_QUICKACK."""

STOPPING_SECONDS = 0.25
"""How long a TLS handshake may take while the server shuts down."""


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
        "_layers",
        "_loop",
        "_lost",
        "_on_lost",
        "_outgoing",
        "_owes_acknowledgement",
        "_queued",
        "_reading_paused",
        "_seeking",
        "_strangers",
        "_taken",
        "_timer",
        "_timer_at",
        "_transport",
        "_turn_began",
        "_turns",
        "_unread_bytes",
        "_wakeup",
        "_was_busy",
        "_write_seconds",
        "_writing_paused",
        "address",
        "answered",
        "bytes_in",
        "bytes_out",
        "compressed",
        "dismissal",
        "in_response",
        "is_held",
        "local",
        "secure",
        "task",
        "tls",
        "uploading",
        "waited",
    )

    def __init__(
        self,
        peer_name: object,
        *,
        busy_poll: BusyPoll,
        inline_wakeup: bool,
        turns: FairTurns,
        certificate: Callable[[], ServerTls | None],
        write_seconds: float,
        interest_seconds: float,
        on_lost: Callable[[Connection], None],
    ) -> None:
        """A connection to *peer_name*.

        *busy_poll* and *turns* belong to the event loop; *inline_wakeup* is the switch in Tuning; *certificate* returns
        what a TLS handshake needs, None if there is none; *on_lost* is called once, when the socket is closed.
        """
        self.address, self.local = address_of(peer_name)
        self.secure = self.compressed = False
        self.tls: TlsLayer | None = None
        self.dismissal: Text | None = None
        self.uploading = self.in_response = self._seeking = False
        self.task: asyncio.Task[None] | None = None
        """The task of the session."""
        self.waited = 0.0
        self.answered: Callable[[bytes], None] | None = None
        """Gets all that the session writes, if the connection is a ``control.traced.TracedConnection``."""
        self.bytes_in = self.bytes_out = 0
        self._busy_poll = busy_poll
        self._turns = turns
        self._strangers: StrangerTurns | None = turns.strangers  # None after the login
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
        self._ended = self._hurried = self._heard_after_close = self.is_held = False
        self._lost = self._reading_paused = self._writing_paused = self._discarding = False
        self._cut_off: asyncio.TimerHandle | None = None
        self._unread_bytes = STRANGERS_UNREAD_BYTES
        self._layers: Layer | None = None  # in the clear, octets go straight
        self._wakeup: Wakeup = InlineWakeup(self._loop) if inline_wakeup else PlainWakeup(self._loop)
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._turn_began = time.monotonic()
        self._was_busy = False
        """Whether the session has waited for a turn since it last had nothing to do."""

    # Called by the event loop

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is connected."""
        self._transport = cast("asyncio.Transport", transport)
        self._file = transport.get_extra_info("socket").fileno()

    def data_received(self, data: bytes) -> None:
        """Octets came."""
        if self._strangers is None:
            self.take(data)
        else:
            self._strangers.came(self, data)

    def take(self, data: bytes) -> None:
        """Handles *data*, which came from the client."""
        if self._lost:
            return
        is_full = len(data) >= FULL_READ_BYTES
        self._busy_poll.heard()
        self._owes_acknowledgement = _CAN_ACKNOWLEDGE
        if self._layers is not None:
            data = self._received(self._layers, data)
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
            self.pause()
        self._wakeup.wake_now()
        if self._wakeup.waits:
            self._busy_poll.answered()
        if is_full and not self._reading_paused:
            # the session has had its turn; 32 turns in a row, one for each read, would stall the others for 160 ms
            self.pause()
            self._loop.call_soon(self.go_on)

    def pause(self) -> None:
        """Stops reading the socket."""
        if self._transport is not None and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def go_on(self) -> None:
        """Reads the socket again, if not too many octets are unread."""
        if len(self._incoming) <= self._unread_bytes:
            self._resume_reading()

    def eof_received(self) -> bool:
        """The client sends no more, but may still read: ``printf ... | nc`` must get its answers."""
        self._ended = True
        self._wake()
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
        self._wake()
        if self._seeking and self.task is not None:
            self.task.cancel()
        self._on_lost(self)

    def pause_writing(self) -> None:
        """The client leaves too much output unread."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """The client has caught up."""
        self._writing_paused = False
        self._wake()

    # Called by the session

    @property
    def seeking(self) -> bool:
        """Whether the session only computes an answer, and is to be cancelled if the client goes meanwhile."""
        return self._seeking

    @seeking.setter
    def seeking(self, seeking: bool) -> None:
        self._seeking = seeking
        self._expect_interest()

    def _expect_interest(self) -> None:
        # a client that has closed looks like one that has sent everything and waits for its answers
        if self._ended and self._seeking and not self._lost:
            self._loop.call_later(self._interest_seconds, self._look_for_interest)

    def _look_for_interest(self) -> None:
        if self._ended and self._seeking:
            self.abort()

    @property
    def has_unread(self) -> bool:
        """Whether there are bytes that no read has returned yet."""
        return bool(self._incoming)

    @property
    def stopping(self) -> bool:
        """Whether the session should say goodbye."""
        return self.dismissal is not None

    async def read(self, seconds: float) -> bytes:
        """The next bytes, at least one and at most READ_BYTES. Raises TimedOut, Disconnected."""
        self.flush()
        now = time.monotonic()
        # with nothing to read there is nobody to give way to, and the next command would wait for all who are busy
        is_over = bool(self._incoming) and now - self._turn_began > self._turns.seconds
        if self._writing_paused or self._lost or is_over:
            await self.drain()
            self.waited = 0.0
            now = time.monotonic()
        if self._hurried:
            raise TimedOut(self.dismissal or texts.SHUTTING_DOWN)
        # inlined, not a coroutine: thousands of idle connections wait here, and each frame costs memory
        while not self._incoming:
            if self._ended:
                raise Disconnected
            if self.dismissal is not None and not self.uploading:
                raise TimedOut(self.dismissal)
            self._was_busy = False
            if not await self._sleep_until(now + seconds) and not self._incoming and not self._ended:
                raise TimedOut
            if self._hurried:
                raise TimedOut(self.dismissal or texts.SHUTTING_DOWN)
        start, stop = self._taken, self._taken + READ_BYTES
        incoming = self._incoming
        if stop < len(incoming):
            self._taken = stop
            return bytes(incoming[start:stop])
        self._incoming, self._taken = b"", 0
        if self._reading_paused and not self._discarding:
            self._go_on_reading()
        return bytes(incoming[start:] if start else incoming)

    def write(self, octets: bytes) -> None:
        """Queues *octets* to be sent; never blocks, never raises."""
        self._outgoing.append(octets)
        self._queued += len(octets)

    def flush(self) -> None:
        """Sends the queued output now; never blocks."""
        queued, transport = self._outgoing, self._transport
        if not queued or self._lost or transport is None:
            return
        size = self._queued
        self._outgoing, self._queued = [], 0
        self._owes_acknowledgement = False
        self.bytes_out += size
        send_queued(transport, self._file, queued, size, self._layers)

    @property
    def is_due(self) -> bool:
        """Whether it is time to drain: much output is queued, or this session's turn is over."""
        return self.is_due_at(time.monotonic())

    def is_due_at(self, now: float) -> bool:
        """The same for a caller that has just read the clock: *now* is ``time.monotonic()``."""
        return self._queued > QUEUED_BYTES or now - self._turn_began > self._turns.seconds or self._writing_paused

    async def drain(self) -> None:
        """Sends the queued output, and waits while the client leaves too much unread. Raises Disconnected.

        Writes never block (RFC 9051 §5.3), so a client that reads nothing does not stop the others.
        """
        if self._outgoing:
            self.flush()
        if self._writing_paused:
            began = time.monotonic()
            deadline = began + self._write_seconds
            while self._writing_paused and not self._lost:
                if not await self._sleep_until(deadline) and self._writing_paused:
                    self.abort()
                    raise Disconnected
            self.waited += time.monotonic() - began
            # many clients may have made room at the same moment
            await self._have_turn()
        elif time.monotonic() - self._turn_began > self._turns.seconds:
            await self._have_turn()
        if self._lost:
            raise Disconnected

    async def wait(self, watches: Sequence[Watch], seconds: float) -> bool:
        """Waits for bytes to read, for a watch to fire, for the server to stop, or for *seconds*. Raises Disconnected.

        Returns whether there are bytes to read, or the stream has ended.
        """
        await self.drain()
        deadline = time.monotonic() + seconds
        if self._layers is not None:
            self._layers.rest()
        for watch in watches:
            watch.on_fire = self._wake
        try:
            while not (self._incoming or self._ended or self.stopping or any(watch.fired for watch in watches)):
                self._was_busy = False
                if not await self._sleep_until(deadline):
                    break
        finally:
            for watch in watches:
                watch.on_fire = None
        return bool(self._incoming) or self._ended

    async def start_tls(self) -> None:
        """Sends the queued output and starts TLS on the connection. Raises Refused, Disconnected.

        Clear text after the client's STARTTLS must never be read as commands under TLS (command injection,
        CVE-2011-0411). So octets that are here already end the connection, and octets that are still in the socket go
        to the handshake, which then fails. RFC 9051 §6.2.1, RFC 2595 §4.
        """
        self.flush()
        if self._incoming or self.is_held:
            self.close()
            raise Disconnected
        await self.shake_hands(self.expect_tls())

    def start_compression(self) -> None:
        """See ``terms.peer.Peer``. Octets are compressed before they are encrypted (RFC 4978 §3)."""
        assert not self._incoming
        self.flush()
        layer = DeflateLayer()
        self._layers = layer if self._layers is None else Stack(self._layers, layer)
        self.compressed = True

    # Called by the server

    def expect_tls(self) -> TlsLayer:
        """From now on all octets are TLS, of the layer that is returned. Raises Refused."""
        server_tls = self._certificate()
        if server_tls is None:
            raise Refused(None, texts.NO_CERTIFICATE_FOR_TLS)
        tls = self._layers = self.tls = TlsLayer(server_tls)
        self.secure = True
        return tls

    async def shake_hands(self, tls: TlsLayer) -> None:
        """Completes the handshake of *tls*. Raises Disconnected, or its subclass NotTls."""
        began = time.monotonic()
        while not (tls.established or self._ended):
            if not await self._sleep_until(began + (STOPPING_SECONDS if self.stopping else HANDSHAKE_SECONDS)):
                break
        if tls.said_in_clear is not None:
            # the answer must be in the clear, too, so that this client can read it
            self._layers, self.tls, self.secure, self._ended = None, None, False, False
            raise NotTls(tls.said_in_clear)
        if not tls.established or self._lost:
            raise Disconnected from tls.failure

    def stop(self) -> None:
        """Tells the session that the server is shutting down: it ends between two commands."""
        if self.dismissal is None:
            self.dismissal = texts.SHUTTING_DOWN
        self._wakeup.wake()

    def trust(self, *, is_known: bool = True) -> None:
        """Allows more unread octets: the client has logged in, or need not. *is_known* is false where it has left."""
        self._unread_bytes = UNREAD_BYTES if is_known else STRANGERS_UNREAD_BYTES
        self._strangers = None if is_known else self._turns.strangers

    def dismiss(self, reason: Text) -> None:
        """See ``terms.peer.Peer``; after DISMISSAL_SECONDS the connection is aborted."""
        if self._cut_off is not None or self._lost:
            return
        self.dismissal = reason
        self._cut_off = self._loop.call_later(DISMISSAL_SECONDS, self.abort)
        self.hurry()

    def hurry(self) -> None:
        """Tells the session that its time is over: an incomplete command is dropped."""
        self._hurried = True
        self._wakeup.wake()

    @property
    def passed(self) -> tuple[int, ...] | None:
        """Octets received, sent, and not yet taken by the client, if the session waits for its client; else None."""
        if self._transport is None or not self._wakeup.waits:
            return None
        return self.bytes_in, self.bytes_out, self._transport.get_write_buffer_size()

    @property
    def can_be_left(self) -> bool:
        """Whether all output is sent and nothing came since ``close``: closing the socket then loses no output."""
        transport = self._transport
        return (
            self._discarding
            and not self._heard_after_close
            and transport is not None
            and not transport.get_write_buffer_size()
        )

    def leave(self) -> None:
        """Closes the socket without waiting for the client; only if ``can_be_left``."""
        if self._transport is not None and not self._lost:
            self._transport.close()

    def close(self) -> None:
        """Sends the queued output and closes; may be called twice.

        The system resets a socket that is closed with unread octets, and a reset can destroy the farewell on its way.
        So our side only ends its stream, and the client has LINGER_SECONDS to close.
        """
        transport = self._transport
        if transport is None or self._lost or self._discarding:
            return
        self.flush()
        self._heard_after_close = bool(self._incoming)
        self._discarding, self._incoming, self._taken = True, b"", 0
        if self._layers is not None:
            transport.write(self._layers.close())
        if self._ended or not transport.can_write_eof():
            transport.close()
        else:
            # some clients discard unread octets when the end of TCP follows the end of TLS at once
            if not self.secure:
                with suppress(OSError):  # the client is gone; the transport will notice
                    transport.write_eof()
            self._resume_reading()
        if self._timer is not None:
            self._timer.cancel()
        self._deadline = time.monotonic() + self._write_seconds
        self._timer = self._loop.call_later(LINGER_SECONDS, self._linger)

    def abort(self) -> None:
        """Closes at once and drops the queued output; may be called twice."""
        if self._transport is not None and not self._lost:
            self._transport.abort()

    # Within

    async def _have_turn(self) -> None:
        if not self._lost:
            await self._turns.wait(is_first=not self._was_busy)
            self._was_busy = True
            self._turn_began = time.monotonic()

    def _received(self, layers: Layer, data: bytes) -> bytes:
        octets = layers.receive(data)
        if layers.has_more and not self._reading_paused:
            self.pause()
        answer = layers.to_send()
        if answer and self._transport is not None:
            self._transport.write(answer)
        self._ended = self._ended or layers.ended
        return octets

    def _linger(self) -> None:
        transport = self._transport
        if transport is not None and transport.get_write_buffer_size() and time.monotonic() < self._deadline:
            # a slow client is still reading the last answer
            self._timer = self._loop.call_later(LINGER_SECONDS, self._linger)
        else:
            self.abort()

    def _go_on_reading(self) -> None:
        """Takes what the layers have held back; reads the socket again when that was all."""
        layers = self._layers
        if layers is not None and layers.has_more:
            self._incoming = self._received(layers, b"")
            self.bytes_in += len(self._incoming)
        if layers is None or not layers.has_more:
            self._resume_reading()

    def _resume_reading(self) -> None:
        if self.is_held:
            return
        self._reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    async def _sleep_until(self, deadline: float) -> bool:
        """Waits until something happens; false if *deadline* (of ``time.monotonic``) has passed."""
        self._deadline = deadline
        if self._owes_acknowledgement:
            self._owes_acknowledgement = False
            if self._transport is not None and not self._lost:
                acknowledge(self._transport)
        if self._timer is None or self._timer_at > deadline:
            self._arm(deadline - time.monotonic())
        await self._wakeup
        self._turn_began = time.monotonic()
        return self._turn_began < deadline

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
            # the deadline was moved since the timer was armed
            self._arm(left)
        else:
            self._wake()

    def _wake(self) -> None:
        # many may be woken at the same moment
        (self._strangers or self._turns.woken).call(self._wakeup.wake_now)
