"""A connection to a server, as octets: TCP, TLS, and a buffer with a bound.

The buffer is our own, and not one of asyncio's streams, for two reasons. Octets that came before STARTTLS was answered
must be seen, because an attacker may have sent them to be read as if they were encrypted (RFC 9051 §6.2.1, §11.1). And
the octets of a literal are passed on as they come.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from mektup.migration.imap import texts
from mektup.migration.imap.errors import Lost, NotUnderstood, Untrusted
from mektup.terms.limits import KIB
from mektup.terms.texts import Text

MOST_BUFFERED = 256 * KIB
"""Above this many octets, nothing more is read until a half of them is used, or a line needs more."""

CONNECT_SECONDS = 30.0


class Security(Enum):
    """How a connection is encrypted."""

    TLS = "tls"
    """From the first octet (RFC 8314 §3.2)."""
    STARTTLS = "starttls"
    """After a command in the clear."""
    NONE = "none"
    """Never. For a server on this machine, or in a network that nobody else reads."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is, and how it proves its name."""

    host: str
    port: int
    security: Security
    ca_file: Path | None = None
    """Certificates that are trusted in place of the system's."""
    insecure: bool = False
    """Whether any certificate is accepted, and a password may be sent in the clear."""

    @property
    def shown(self) -> str:
        """The address for people."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def context_of(address: Address) -> ssl.SSLContext:
    """What TLS demands of the server. Raises Untrusted for a file without certificates."""
    context = ssl.create_default_context()
    try:
        if address.ca_file is not None:
            context = ssl.create_default_context(cafile=str(address.ca_file))
    except (OSError, ssl.SSLError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise Untrusted(texts.NO_CA_FILE.of(file=address.ca_file, reason=reason)) from error
    if address.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class _Receiver(asyncio.Protocol):
    """Takes octets from the transport, and stops the transport while there are many."""

    def __init__(self) -> None:
        self.buffer = bytearray()
        self.ended = False
        self.error: Exception | None = None
        self._transport: asyncio.Transport | None = None
        self._news: asyncio.Future[None] | None = None
        self._room: asyncio.Future[None] | None = None
        self._paused = False
        self._full = False

    def use(self, transport: asyncio.Transport) -> None:
        """Reads from *transport* from now on."""
        self._transport = transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        if len(self.buffer) > MOST_BUFFERED and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> None:
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = True
        self.error = exc
        self._wake()
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def more(self) -> None:
        """Returns when there are more octets, or the end; also where a reader needs more than the usual buffer."""
        self._resume()
        if not self.ended:
            self._news = asyncio.get_running_loop().create_future()
            await self._news

    async def room(self) -> None:
        """Returns when the system has taken enough of what was written."""
        if self._full and not self.ended:
            self._room = asyncio.get_running_loop().create_future()
            await self._room

    def take(self, count: int) -> bytes:
        """The first *count* octets of the buffer, which then are no longer in it."""
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        if len(self.buffer) <= MOST_BUFFERED // 2:
            self._resume()
        return taken

    def _resume(self) -> None:
        if self._paused and self._transport is not None and not self.ended:
            self._paused = False
            self._transport.resume_reading()


class Stream:
    """An open connection. Each wait for the server ends with Lost after *patience* seconds."""

    def __init__(self, address: Address, receiver: _Receiver, transport: asyncio.Transport, patience: float) -> None:
        self._address = address
        self._receiver = receiver
        self._transport = transport
        self._patience = patience
        self.is_encrypted = address.security is Security.TLS
        self.received = 0
        """Octets so far."""

    @classmethod
    async def open(cls, address: Address, patience: float) -> Stream:
        """Connects. Raises Lost, and Untrusted for a certificate that does not prove the server's name."""
        loop = asyncio.get_running_loop()
        context = context_of(address) if address.security is Security.TLS else None
        name = None if context is None else address.host
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport, receiver = await loop.create_connection(
                    _Receiver,
                    address.host,
                    address.port,
                    ssl=context,
                    server_hostname=name,
                )
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(_distrust(address, error)) from error
        except TimeoutError as error:
            raise Lost(texts.NO_ANSWER.of(server=address.shown, seconds=int(CONNECT_SECONDS))) from error
        except (OSError, ssl.SSLError) as error:
            raise Lost(texts.NO_CONNECTION.of(server=address.shown, reason=_reason(error))) from error
        return cls(address, receiver, transport, patience)

    async def start_tls(self) -> None:
        """Encrypts from here on (RFC 9051 §6.2.1). Raises as ``open``, and NotUnderstood for octets sent too early."""
        if self._receiver.buffer:
            raise NotUnderstood(texts.SENT_BEFORE_TLS)
        loop = asyncio.get_running_loop()
        context = context_of(self._address)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                transport = await loop.start_tls(
                    self._transport, self._receiver, context, server_hostname=self._address.host
                )
        except ssl.SSLCertVerificationError as error:
            raise Untrusted(_distrust(self._address, error)) from error
        except TimeoutError as error:
            raise Lost(texts.NO_ANSWER.of(server=self._address.shown, seconds=int(CONNECT_SECONDS))) from error
        except (OSError, ssl.SSLError) as error:
            raise Lost(texts.NO_CONNECTION.of(server=self._address.shown, reason=_reason(error))) from error
        assert transport is not None
        self._transport = transport
        self._receiver.use(transport)
        self.is_encrypted = True

    async def line(self, most: int) -> bytes:
        """The next line without its CRLF. Raises NotUnderstood where it has more than *most* octets."""
        searched = 0
        while (end := self._receiver.buffer.find(b"\n", searched)) < 0:
            searched = len(self._receiver.buffer)
            if searched > most:
                raise NotUnderstood(texts.ENDLESS_LINE.of(octets=most))
            await self._wait()
        if end > most:
            raise NotUnderstood(texts.ENDLESS_LINE.of(octets=most))
        self.received += end + 1
        return self._receiver.take(end + 1).removesuffix(b"\n").removesuffix(b"\r")

    async def pieces(self, count: int) -> AsyncIterator[bytes]:
        """The next *count* octets, in pieces as they come."""
        while count:
            if not self._receiver.buffer:
                await self._wait()
            piece = self._receiver.take(min(count, len(self._receiver.buffer)))
            count -= len(piece)
            self.received += len(piece)
            if piece:
                yield piece

    async def send(self, octets: bytes) -> None:
        """Sends *octets*. Raises Lost."""
        if self._receiver.ended:
            raise self._lost()
        self._transport.write(octets)
        try:
            async with asyncio.timeout(self._patience):
                await self._receiver.room()
        except TimeoutError as error:
            raise Lost(texts.NO_ANSWER.of(server=self._address.shown, seconds=int(self._patience))) from error

    async def _wait(self) -> None:
        if self._receiver.ended:
            raise self._lost()
        try:
            async with asyncio.timeout(self._patience):
                await self._receiver.more()
        except TimeoutError as error:
            raise Lost(texts.NO_ANSWER.of(server=self._address.shown, seconds=int(self._patience))) from error

    def _lost(self) -> Lost:
        error = self._receiver.error
        if error is None:
            return Lost(texts.CLOSED.of(server=self._address.shown))
        return Lost(texts.NO_CONNECTION.of(server=self._address.shown, reason=_reason(error)))

    async def close(self) -> None:
        """Ends the connection; may be called twice."""
        self._transport.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while not self._receiver.ended:
                    await self._receiver.more()
        self._transport.abort()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _distrust(address: Address, error: ssl.SSLCertVerificationError) -> Text:
    return texts.WRONG_CERTIFICATE.of(server=address.shown, reason=error.verify_message)
