"""mektup on sockets of this machine: a ``Server``, with TLS unless a transcript says otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import zlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mektup import Server
from tests.support import tokens
from tests.support.backend import Settings, accounts_of, certified, settings_of
from tests.support.certificates import Issuer
from tests.support.runner import PASSWORD, USER
from tests.support.transcript import Transcript


@dataclass(frozen=True)
class Certificate:
    """PEM files of a certificate for 127.0.0.1."""

    cert: Path
    key: Path

    @cached_property
    def client_context(self) -> ssl.SSLContext:
        """A context that trusts only this certificate."""
        context = ssl.create_default_context(cafile=str(self.cert))
        context.check_hostname = False
        return context

    @cached_property
    def issuer(self) -> Issuer:
        """Signs the certificates of clients."""
        return Issuer(self.cert.parent)

    def context_as(self, name: str) -> ssl.SSLContext:
        """The same for a client that shows a certificate with the common name *name*."""
        context = ssl.create_default_context(cafile=str(self.cert))
        context.check_hostname = False
        context.load_cert_chain(self.issuer.certificate(name))
        return context


class SocketWire:
    """A ``support.runner.Wire`` over a stream."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, context: ssl.SSLContext, *, secure: bool
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._context = context
        self._secure = secure
        self._deflated: tuple[zlib._Compress, zlib._Decompress] | None = None

    def send(self, octets: bytes) -> None:
        if self._deflated is not None:
            octets = self._deflated[0].compress(octets) + self._deflated[0].flush(zlib.Z_SYNC_FLUSH)
        self._writer.write(octets)

    async def receive(self) -> bytes:
        try:
            while octets := await self._reader.read(65536):
                if self._deflated is not None:
                    octets = self._deflated[1].decompress(octets)
                if octets:
                    return octets
        except OSError:
            pass
        return b""

    async def handshake(self) -> None:
        await self._writer.start_tls(self._context)
        self._secure = True

    def compress(self) -> None:
        self._deflated = zlib.compressobj(wbits=-15), zlib.decompressobj(-15)

    def end(self) -> None:
        # asyncio has no half-closed TLS connections: what the server still sends is lost
        if self._secure:
            self._writer.close()
        elif not self._writer.is_closing():
            with contextlib.suppress(OSError):
                self._writer.write_eof()

    async def close(self) -> None:
        """Closes both directions."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class Servers:
    """Servers in memory, which transcripts with the same settings share, one after the other.

    Each transcript removes its accounts at the end, and so everything that it stored.
    """

    def __init__(self, certificate: Certificate) -> None:
        """A server starts when it is first needed."""
        self.certificate = certificate
        self._running: dict[Settings, Server] = {}

    def make(self, settings: Settings, folder: Path | None) -> Server:
        """A new server for a single transcript, not started yet."""
        tokens.checker(settings.login.oauth)  # skips where it cannot be
        return Server(
            folder,
            limits=settings.limits,
            plaintext=settings.plaintext.value,
            delivery=settings.delivery,
            quota=dict(settings.quota),
            administrators=settings.administrators,
            contact=settings.contact,
            client_ca=self.certificate.issuer.file,
            hide=settings.hide,
            scram_sha_1=settings.login.scram_sha_1,
            oauth=settings.login.oauth,
            cert=self.certificate.cert,
            key=self.certificate.key,
        )

    async def shared(self, settings: Settings) -> Server:
        """A running server, which stays."""
        if settings not in self._running:
            server = self.make(settings, None)
            self._running[settings] = await server.__aenter__()
        return self._running[settings]

    async def stop(self) -> None:
        """Stops them all."""
        for server in self._running.values():
            await server.stop()


class SocketWorld:
    """A ``support.runner.World`` around a server."""

    lenient = False
    login = (USER, PASSWORD)

    def __init__(
        self, transcript: Transcript, folder: Path | None, servers: Servers, *, in_the_clear: bool = False
    ) -> None:
        """Call ``open`` before use. *folder* is needed for a server that is restarted."""
        self._transcript = transcript
        self._folder = folder
        self._servers = servers
        self._settings = settings_of(transcript)
        self._secure = not in_the_clear and transcript.head("tls") != "no"
        self._is_shared = not transcript.acts & {"restart", "stop"}
        self._wires: list[SocketWire] = []
        self._stopping: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Starts the server, with the accounts of the transcript."""
        if self._is_shared:
            self._server = await self._servers.shared(self._settings)
        else:
            self._server = await self._servers.make(self._settings, self._folder).__aenter__()
        for name, password in accounts_of(self._transcript).items():
            await self._server.store.directory.add(name, {"password": "{PLAIN}" + password})

    async def connect(self, protocol: str) -> SocketWire:
        secure = self._secure and protocol != "lmtp"
        host, port = self._server.address(protocol + "s" if secure else protocol)
        name, certificate = certified(self._transcript), self._servers.certificate
        context = certificate.client_context if name is None else certificate.context_as(name)
        reader, writer = await asyncio.open_connection(host, port, ssl=context if secure else None)
        wire = SocketWire(reader, writer, context, secure=secure)
        self._wires.append(wire)
        return wire

    async def deliver(self, raw: bytes, account: str) -> None:
        await self._server.deliver(account, raw)

    def advance(self, seconds: float) -> None:
        raise NotImplementedError("a server on sockets has the time that it is")

    async def stop(self) -> None:
        self._stopping = asyncio.create_task(self._server.stop())

    async def restart(self) -> None:
        await self._end()
        self._server = await self._servers.make(self._settings, self._folder).__aenter__()

    async def close(self) -> None:
        await self._end()

    async def _end(self) -> None:
        for wire in self._wires:
            await wire.close()
        self._wires.clear()
        if self._stopping is not None:
            await self._stopping
        if not self._is_shared:
            await self._server.stop()
            return
        directory = self._server.store.directory
        for entry in await directory.entries("", 100):
            await directory.remove(entry.name)
