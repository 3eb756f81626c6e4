"""A compressed connection over a socket: what passes it, and what a hostile client can make it hold."""

from __future__ import annotations

import asyncio
import ssl
import zlib

import pytest

from mektup.server.addresses import Service
from mektup.server.connection import UNREAD_BYTES
from mektup.server.layers.deflate import INFLATED_BYTES
from mektup.terms.errors import Disconnected
from tests.server.echo import House, house
from tests.server.test_connection import connect, part, until

MIB = 1024 * 1024


class Compressed:
    """The client's end."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._compressor, self._decompressor = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)

    def send(self, octets: bytes) -> None:
        self.writer.write(self._compressor.compress(octets) + self._compressor.flush(zlib.Z_SYNC_FLUSH))

    async def rest(self) -> bytes:
        """All that comes until the end."""
        return self._decompressor.decompress(await self.reader.read())


async def compress(at: House, **options: object) -> Compressed:
    reader, writer = await connect(at, **options)
    writer.write(b"compress\r\n")
    assert await reader.readline() == b"go\r\n"
    return Compressed(reader, writer)


@pytest.mark.parametrize("encrypted", [False, True])
async def test_lines_come_back(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, encrypted: bool) -> None:
    service = Service.IMAPS if encrypted else Service.IMAP
    async with house(service=service, context=server_tls) as at:
        client = await compress(at, ssl=client_tls if encrypted else None)
        assert at.echoes[0].peer.compressed
        client.send(b"one\r\n")
        client.send(b"two\r\nquit\r\n")
        assert await client.rest() == b"one\r\ntwo\r\nbye\r\n"
        await part((client.reader, client.writer))


async def test_what_is_held_back_is_obeyed_in_its_turn() -> None:
    lines = b"".join(b"line %d\r\n" % number for number in range(50_000))
    assert len(lines) > 8 * INFLATED_BYTES
    async with house() as at:
        client = await compress(at)
        client.send(lines + b"quit\r\n")
        client.writer.write_eof()
        assert await client.rest() == lines + b"bye\r\n"
        await part((client.reader, client.writer))


async def test_a_wait_ends_by_what_is_held_back_and_the_memory_for_sending_is_freed() -> None:
    async with house() as at:
        client = await compress(at)
        client.send(b"wait 30\r\n")
        await until(lambda: at.echoes[0].watches[0].on_fire is not None)
        assert at.echoes[0].peer._layers._compressor is None  # type: ignore[attr-defined]
        client.send(b"here\r\nquit\r\n")
        assert await client.rest() == b"readable\r\nhere\r\nbye\r\n"
        await part((client.reader, client.writer))


async def test_a_bomb_takes_no_memory() -> None:
    async with house() as at:
        client = await compress(at)
        # the session cannot go on, as nobody reads its flood
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        client.send(b"flood 1000\r\n" + b"y" * (256 * MIB))
        peer = at.echoes[0].peer
        await until(lambda: not peer._transport.is_reading())  # type: ignore[attr-defined]
        await until(lambda: peer.has_unread)
        assert len(peer._incoming) <= UNREAD_BYTES + INFLATED_BYTES  # type: ignore[attr-defined]
        assert len(peer._layers._held) <= UNREAD_BYTES  # type: ignore[attr-defined]
        client.writer.transport.abort()


async def test_a_client_that_compresses_wrongly_is_disconnected() -> None:
    async with house() as at:
        client = await compress(at)
        client.writer.write(b"one\r\n")
        assert await client.rest() == b""
        await until(lambda: at.sessions.count == 0)
        assert isinstance(at.echoes[0].ended_by, Disconnected)
        client.writer.transport.abort()
