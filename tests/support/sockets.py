"""mektup as it is run: a ``Server`` on sockets of this machine, with TLS unless a transcript says otherwise."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path

from mektup import Server
from tests.support.backend import accounts_of, settings_of
from tests.support.runner import PASSWORD, USER
from tests.support.transcript import Transcript


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files of a certificate that is good for 127.0.0.1."""

    cert: Path
    key: Path

    def client_context(self) -> ssl.SSLContext:
        """Trusts this certificate and no other."""
        context = ssl.create_default_context(cafile=str(self.cert))
        context.check_hostname = False
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

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def receive(self) -> bytes:
        try:
            return await self._reader.read(65536)
        except OSError:
            return b""

    async def handshake(self) -> None:
        await self._writer.start_tls(self._context)
        self._secure = True

    def end(self) -> None:
        # TLS has no half-closed connections in asyncio: what the server still sends is lost
        if self._secure:
            self._writer.close()
        elif not self._writer.is_closing():
            with contextlib.suppress(OSError):
                self._writer.write_eof()

    async def close(self) -> None:
        """Closes for good."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class SocketWorld:
    """A ``support.runner.World`` around a server of its own."""

    lenient = False
    login = (USER, PASSWORD)

    def __init__(self, transcript: Transcript, folder: Path | None, certificate: Certificate) -> None:
        """To be opened before use."""
        self._transcript = transcript
        self._folder = folder
        self._certificate = certificate
        self._context = certificate.client_context()
        self._secure = transcript.head("tls") != "no"
        self._server = self._make_server()
        self._wires: list[SocketWire] = []
        self._stopping: asyncio.Task[None] | None = None

    def _make_server(self) -> Server:
        settings = settings_of(self._transcript)
        return Server(
            self._folder,
            limits=settings.limits,
            plaintext=settings.plaintext.value,
            cert=self._certificate.cert,
            key=self._certificate.key,
        )

    async def open(self) -> None:
        """Starts the server, with the accounts of the transcript."""
        await self._server.__aenter__()
        for name, password in accounts_of(self._transcript).items():
            await self._server.store.directory.add(name, {"password": "{PLAIN}" + password})

    async def connect(self, protocol: str) -> SocketWire:
        secure = self._secure and protocol != "lmtp"
        host, port = self._server.address(protocol + "s" if secure else protocol)
        reader, writer = await asyncio.open_connection(host, port, ssl=self._context if secure else None)
        wire = SocketWire(reader, writer, self._context, secure=secure)
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
        self._server = self._make_server()
        await self._server.__aenter__()

    async def close(self) -> None:
        await self._end()

    async def _end(self) -> None:
        for wire in self._wires:
            await wire.close()
        self._wires.clear()
        if self._stopping is not None:
            await self._stopping
        await self._server.stop()
