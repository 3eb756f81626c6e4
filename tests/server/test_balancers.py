"""Connections through a balancer: the client that the header names counts, and nobody else may send a header."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from mektup.server import balancers
from mektup.server.addresses import Endpoint, Service
from mektup.terms.limits import Limits
from mektup.terms.networks import networks

from .echo import House, house

BALANCERS = networks(["127.0.0.0/8"])
LINE = b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 143\r\n"
BINARY = (
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11"
    + struct.pack(">H", 12 + 7)
    + IPv4Address("192.0.2.7").packed
    + IPv4Address("198.51.100.1").packed
    + struct.pack(">HH", 40000, 143)
    + b"\x04\0\x04\0\0\0\0"
)
either = pytest.mark.parametrize("header", [LINE, BINARY])

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(at: House, header: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
    writer.write(header)
    return reader, writer


async def say(streams: Streams, line: bytes) -> bytes:
    streams[1].write(line + b"\r\n")
    return await streams[0].readline()


def addresses(at: House) -> list[str]:
    return [echo.peer.address for echo in at.echoes]


async def part(streams: Streams) -> None:
    streams[1].close()
    await streams[1].wait_closed()


async def until_refused(at: House) -> str:
    async with asyncio.timeout(5):
        while not (refused := [entry for entry in at.log if entry["event"] == "connection_refused"]):
            await asyncio.sleep(0.001)
    return str(refused[0]["reason"])


@either
async def test_the_session_sees_the_client_and_not_the_header(header: bytes) -> None:
    async with house(proxy_from=BALANCERS) as at:
        streams = await connect(at, header + b"one\r\n")
        assert await streams[0].readline() == b"hello\r\n"
        assert await streams[0].readline() == b"one\r\n"
        assert addresses(at) == ["192.0.2.7"]
        assert await say(streams, b"quit") == b"bye\r\n"
        await part(streams)
    (ended,) = [entry for entry in at.log if entry["event"] == "session_ended"]
    assert ended["address"] == "192.0.2.7"


@either
async def test_a_header_in_single_octets(header: bytes) -> None:
    async with house(proxy_from=BALANCERS) as at:
        reader, writer = await connect(at)
        writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in header:
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readline() == b"hello\r\n"
        assert await say((reader, writer), b"two") == b"two\r\n"
        assert addresses(at) == ["192.0.2.7"]
        await part((reader, writer))


@either
async def test_tls_begins_behind_the_header(
    header: bytes, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with house(service=Service.IMAPS, context=server_tls, proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, header)
        await writer.start_tls(client_tls, server_hostname="localhost")
        assert await reader.readline() == b"hello\r\n"
        assert await say((reader, writer), b"secure") == b"yes\r\n"
        assert addresses(at) == ["192.0.2.7"]
        await part((reader, writer))


@either
async def test_tls_by_a_command_behind_the_header(
    header: bytes, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with house(context=server_tls, proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, header)
        assert await reader.readline() == b"hello\r\n"
        assert await say((reader, writer), b"tls") == b"go\r\n"
        await writer.start_tls(client_tls, server_hostname="localhost")
        assert await say((reader, writer), b"secure") == b"yes\r\n"
        await part((reader, writer))


@pytest.mark.parametrize("first", [b"a1 NOOP\r\n", b"\x16\x03\x01\x02\0", b"PROXY TCP9 1 2 3 4\r\n", b"\r\n\r\nx"])
@pytest.mark.parametrize("service", [Service.IMAP, Service.IMAPS, Service.LMTP])
async def test_a_balancer_must_send_a_header(service: Service, first: bytes, server_tls: ssl.SSLContext) -> None:
    async with house(service=service, context=server_tls, proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, first)
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)
        writer.close()
        assert (await until_refused(at)).startswith("PROXY protocol: ")
        assert not at.echoes


async def test_a_header_that_stays_away_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(balancers, "HEADER_SECONDS", 0.02)
    async with house(proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, LINE[:20])
        assert await reader.read() == b""
        writer.close()
        assert await until_refused(at) == "PROXY protocol: the header did not come in time"


async def test_a_probe_of_the_port_is_no_refusal() -> None:
    async with house(proxy_from=BALANCERS) as at:
        await part(await connect(at))
        reader, writer = await connect(at, LINE)
        assert await reader.readline() == b"hello\r\n"
        assert not [entry for entry in at.log if entry["event"] == "connection_refused"]
        await part((reader, writer))


@pytest.mark.parametrize(
    "header",
    [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0", b"\r\n\r\n\0\r\nQUIT\n\x21\0\0\0"],
)
async def test_without_an_address_the_balancer_is_the_client_but_not_a_local_one(header: bytes) -> None:
    async with house(proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, header)
        assert await reader.readline() == b"hello\r\n"
        assert addresses(at) == ["127.0.0.1"]
        assert not at.echoes[0].peer.local
        await part((reader, writer))


async def test_a_client_behind_a_balancer_is_never_local() -> None:
    async with house(proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n")
        assert await reader.readline() == b"hello\r\n"
        assert not at.echoes[0].peer.local
        await part((reader, writer))


async def test_a_balancer_on_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "imap.sock"
    async with house(endpoint=Endpoint(path=path), proxy_from=networks(["unix"])) as at:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(LINE)
        assert await reader.readline() == b"hello\r\n"
        assert addresses(at) == ["192.0.2.7"]
        await part((reader, writer))


async def test_limits_of_the_door_count_the_client_and_not_the_balancer() -> None:
    limits = Limits(connections_per_address_before_login=1)
    async with house(proxy_from=BALANCERS, limits=limits) as at:
        first = await connect(at, LINE)
        assert await first[0].readline() == b"hello\r\n"
        other = await connect(at, LINE.replace(b"192.0.2.7", b"192.0.2.8"))
        assert await other[0].readline() == b"hello\r\n"
        again = await connect(at, LINE)
        assert b"Too many connections" in await again[0].readline()
        for streams in (first, other, again):
            await part(streams)


async def test_connections_without_their_header_are_bounded() -> None:
    async with house(proxy_from=BALANCERS, limits=Limits(connections_before_login=2)) as at:
        waiting = [await connect(at, LINE[:9]) for _ in range(2)]
        async with asyncio.timeout(5):
            while len(at.sessions._introductions) < 2:
                await asyncio.sleep(0.001)
        third = await connect(at)
        assert await third[0].read() == b""
        for streams in (*waiting, third):
            await part(streams)


async def test_a_stopping_server_waits_for_no_header() -> None:
    async with house(proxy_from=BALANCERS) as at:
        reader, writer = await connect(at, LINE[:9])
        async with asyncio.timeout(5):
            while not at.sessions._introductions:
                await asyncio.sleep(0.001)
        await at.sessions.stop()
        with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
            await reader.readexactly(1)
        writer.close()


async def test_from_any_other_address_a_header_is_a_line_like_any_other() -> None:
    async with house(proxy_from=networks(["192.0.2.0/24"])) as at:
        reader, writer = await connect(at, LINE)
        assert await reader.readline() == b"hello\r\n"
        assert await reader.readline() == LINE
        assert addresses(at) == ["127.0.0.1"]
        await part((reader, writer))


async def test_each_client_of_a_trusted_address_counts_alone() -> None:
    limits = Limits(connections_per_address_before_login=1)
    async with house(trusted=networks(["127.0.0.1"]), limits=limits) as at:
        several = [await connect(at) for _ in range(3)]
        for streams in several:
            assert await streams[0].readline() == b"hello\r\n"
            await part(streams)
