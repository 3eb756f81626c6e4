"""SIGTERM: clients between two commands get a farewell at once, and commands in progress are finished."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import ssl
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import pytest

from mektup import Server
from mektup.terms.limits import Limits

LINDA = {"linda": "Pa$$123"}
LONG = Limits(stop_seconds=30.0)
SHORT = Limits(stop_seconds=0.1)
BIG = b"Subject: big\r\n\r\n" + b"x" * 98 + b"\r\n"

FAREWELL = {"imap": b"* BYE ", "pop3": b"-ERR [SYS/TEMP] ", "lmtp": b"421 4."}


@dataclass
class Client:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, octets: bytes) -> None:
        self.writer.write(octets)

    async def line(self) -> bytes:
        return await self.reader.readline()

    async def until(self, start: bytes) -> bytes:
        while not (line := await self.line()).startswith(start):
            assert line, f"no {start!r}"
        return line

    async def ask(self, octets: bytes, answer: bytes) -> bytes:
        self.send(octets)
        return await self.until(answer)

    async def rest(self) -> bytes:
        with contextlib.suppress(ConnectionError):
            return await self.reader.read()
        return b""


@contextlib.asynccontextmanager
async def serving(limits: Limits = LONG) -> AsyncIterator[tuple[Server, Callable[..., object]]]:
    """A server, and a function that connects to it; everything is closed at the end."""
    server = Server(users=LINDA, limits=limits)
    async with contextlib.AsyncExitStack() as stack:
        await server.__aenter__()
        stack.push_async_callback(server.stop)

        async def connect(service: str = "imap") -> Client:
            context: ssl.SSLContext | None = server.ssl_context() if service.endswith("s") else None
            streams = await asyncio.open_connection(*server.address(service), ssl=context)
            stack.callback(streams[1].close)
            client = Client(*streams)
            await client.line()
            return client

        yield server, connect


async def login(connect: Callable[..., object], service: str = "imap") -> Client:
    client = await connect(service)  # type: ignore[misc]
    assert isinstance(client, Client)
    if service.startswith("imap"):
        await client.ask(b"l LOGIN linda Pa$$123\r\n", b"l OK")
        await client.ask(b"s SELECT INBOX\r\n", b"s OK")
    elif service.startswith("pop3"):
        await client.ask(b"USER linda\r\n", b"+OK")
        await client.ask(b"PASS Pa$$123\r\n", b"+OK")
    else:
        await client.ask(b"LHLO x\r\n", b"250 ")
    return client


async def stopped(server: Server) -> None:
    """Stops the server, which must take much less than ``stop_seconds``."""
    async with asyncio.timeout(10):
        await server.stop()


@pytest.mark.parametrize("service", ["imap", "imaps", "pop3", "pop3s", "lmtp"])
async def test_a_busy_client_gets_the_farewell_between_two_commands(service: str) -> None:
    async with serving() as (server, connect):
        client = await login(connect, service)
        seen = asyncio.Event()

        async def talk() -> bytes:
            for number in itertools.count():
                client.send(b"a%d NOOP\r\n" % number if service.startswith("imap") else b"NOOP\r\n")
                line = await client.line()
                if not line.startswith((b"a", b"+OK", b"250")):
                    return line
                if number == 50:
                    seen.set()
            raise AssertionError

        talking = asyncio.create_task(talk())
        await seen.wait()
        await stopped(server)
        assert (await talking).startswith(FAREWELL[service.removesuffix("s")])


@pytest.mark.parametrize("service", ["imap", "pop3", "lmtp"])
async def test_connections_that_are_not_accepted_yet_get_the_farewell(service: str) -> None:
    async with serving() as (server, _):
        # the loop does not run in between, so the connections wait in the system
        waiting = [socket.create_connection(server.address(service)) for _ in range(40)]
        await stopped(server)
        for each in waiting:
            with each, each.makefile("rb") as said:
                assert FAREWELL[service] in said.read()


@pytest.mark.parametrize("service", ["imap", "pop3", "lmtp"])
async def test_pipelined_commands_are_not_begun(service: str) -> None:
    async with serving() as (server, connect):
        client = await login(connect, service)
        client.send((b"a NOOP\r\n" if service == "imap" else b"NOOP\r\n") * 50_000)
        await client.line()
        stopping = asyncio.create_task(stopped(server))
        said = (await client.rest()).split(b"\r\n")
        await stopping
        assert len(said) < 50_000


async def test_an_append_in_progress_is_finished_and_a_new_one_is_not_begun() -> None:
    async with serving() as (server, connect):
        half, fresh = await login(connect), await login(connect)
        await half.ask(b"a APPEND INBOX {%d}\r\n" % len(BIG), b"+ ")
        half.send(BIG[:50])
        await asyncio.sleep(0)
        stopping = asyncio.create_task(stopped(server))
        await fresh.until(b"* BYE ")
        fresh.send(b"a APPEND INBOX {%d}\r\n" % len(BIG))
        assert b"+ " not in await fresh.rest()
        half.send(BIG[50:] + b"\r\n")
        await half.until(b"a OK [APPENDUID")
        await half.until(b"* BYE ")
        await stopping


async def test_a_delivery_that_is_half_there_is_finished() -> None:
    async with serving() as (server, connect):
        client = await login(connect, "lmtp")
        await client.ask(b"MAIL FROM:<>\r\nRCPT TO:<linda>\r\nDATA\r\n", b"354")
        client.send(BIG)
        idle = await login(connect)
        stopping = asyncio.create_task(stopped(server))
        await idle.until(b"* BYE ")
        client.send(b".\r\n")
        await client.until(b"250 ")
        await client.until(b"421 4.")
        await stopping


@pytest.mark.parametrize(
    ("service", "begins", "answer"),
    [
        ("imap", b"a APPEND INBOX {1000}\r\n", b"+ "),
        ("imap", b"a SEARCH TEXT {10}\r\n", b"+ "),
        ("lmtp", b"MAIL FROM:<>\r\nRCPT TO:<linda>\r\nDATA\r\n", b"354"),
    ],
)
async def test_an_upload_that_does_not_end_is_given_up_with_a_farewell(
    service: str, begins: bytes, answer: bytes
) -> None:
    async with serving(SHORT) as (server, connect):
        client = await login(connect, service)
        await client.ask(begins, answer)
        await stopped(server)
        assert (await client.rest()).startswith(FAREWELL[service])


@pytest.mark.parametrize(
    ("service", "begins", "answer"),
    [
        ("imap", b"a APPEND INBOX {1000}\r\nSubject: half\r\n", b"+ "),
        ("imaps", b"a SEARCH TEXT {10}\r\n", b"+ "),
        ("lmtp", b"MAIL FROM:<>\r\nRCPT TO:<linda>\r\nDATA\r\nSubject: half\r\n", b"354"),
        ("imap", b"f FETCH 1 BODY[]\r\n", b"* 1 FETCH"),
        ("pop3", b"RETR 1\r\n", b"+OK"),
    ],
)
async def test_a_client_that_does_nothing_more_is_not_waited_for(service: str, begins: bytes, answer: bytes) -> None:
    async with serving() as (server, connect):
        await server.deliver("linda", b"Subject: big\r\n\r\n" + (b"x" * 998 + b"\r\n") * 30_000)
        client = await login(connect, service)
        await client.ask(begins, answer)
        await stopped(server)


@pytest.mark.parametrize(
    ("service", "begins"),
    [
        ("imap", b"a NOO"),
        ("imap", b"a IDLE\r\n"),
        ("pop3", b"NOO"),
        ("lmtp", b"NOO"),
        ("imaps", b""),
        ("pop3s", b""),
    ],
)
async def test_a_silent_client_does_not_delay_the_stop(service: str, begins: bytes) -> None:
    async with serving() as (server, connect):
        client = await login(connect, service)
        client.send(begins)
        await asyncio.sleep(0)
        await stopped(server)
        assert FAREWELL[service.removesuffix("s")] in await client.rest()


@pytest.mark.parametrize(
    ("service", "begins", "answer"),
    [("imap", b"a AUTHENTICATE PLAIN\r\n", b"+ "), ("pop3", b"AUTH PLAIN\r\n", b"+ ")],
)
async def test_a_login_that_is_half_there_is_not_waited_for(service: str, begins: bytes, answer: bytes) -> None:
    async with serving() as (server, connect):
        client = await connect(service)  # type: ignore[misc]
        await client.ask(begins, answer)
        await stopped(server)
        assert (await client.rest()).startswith(FAREWELL[service])


@pytest.mark.parametrize(
    ("service", "asks", "first"),
    [("imap", b"f FETCH 1 BODY[]\r\n", b"* 1 FETCH"), ("pop3", b"RETR 1\r\n", b"+OK")],
)
async def test_no_farewell_stands_within_a_message(service: str, asks: bytes, first: bytes) -> None:
    message = b"Subject: big\r\n\r\n" + (b"x" * 998 + b"\r\n") * 30_000
    async with serving(SHORT) as (server, connect):
        await server.deliver("linda", message)
        client = await login(connect, service)
        await client.ask(asks, first)
        # the client reads no more: it is in the middle of the message when the time is over
        await stopped(server)
        said = await client.rest()
        assert message.startswith(said)


async def test_a_message_that_is_on_its_way_is_finished() -> None:
    message = b"Subject: big\r\n\r\n" + (b"x" * 998 + b"\r\n") * 30_000
    async with serving() as (server, connect):
        await server.deliver("linda", message)
        client = await login(connect)
        await client.ask(b"f FETCH 1 BODY[]\r\n", b"* 1 FETCH")
        stopping = asyncio.create_task(stopped(server))
        assert await client.reader.readexactly(len(message)) == message
        await client.until(b"f OK")
        await client.until(b"* BYE ")
        await stopping


@pytest.mark.parametrize("service", ["imap", "imaps", "pop3", "pop3s", "lmtp"])
async def test_a_client_that_did_not_log_out_does_not_delay_the_end(service: str) -> None:
    async with serving() as (server, connect):
        client = await login(connect, service)
        began = time.monotonic()
        await server.stop()
        # a client that goes on sending has half a second to close
        assert time.monotonic() - began < 0.4
        assert (await client.rest()).startswith(FAREWELL[service.removesuffix("s")])
