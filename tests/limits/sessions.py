"""The limits of time, of searches and of what a server remembers."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from itertools import product
from string import ascii_uppercase

from mektup import Limits, Server
from tests.limits.limited_server import (
    LOGIN,
    PASSWORD,
    SMALL,
    UNTRACED,
    USER,
    Demonstration,
    answer,
    folder,
    limited_server,
    limited_server_on_disk,
    streams,
    tagged,
    verdict,
)
from tests.server.process import serving
from tests.server.test_workers import with_linda

LONG = b"Subject: x\r\n\r\n" + b"0123456789 " * 100_000 + b"\r\n"
KEYS = b" ".join(b"OR BODY %b" % f"{one}{other}".encode() for one, other in product(ascii_uppercase[:14], repeat=2))
"""196 keys; a search for one of them takes half a millisecond or more."""


async def _show_idle() -> None:
    async with limited_server(idle_seconds=20.0, delivery=UNTRACED) as limited:
        async with limited.imap(LOGIN) as client:
            client.clock.advance(19.0)
            assert await verdict(client, b"NOOP") == b"OK"
            client.clock.advance(20.0)
            assert (await client.rest()).startswith(b"* BYE")
        async with limited.lmtp() as agent:
            await agent.line()
            agent.clock.advance(19.0)
            assert (await agent.ask(b"NOOP")).startswith(b"250 ")
            await agent.taken()
            agent.clock.advance(20.0)
            assert (await agent.rest()).startswith(b"421 ")
        async with limited.pop3() as reader:
            await reader.line()
            await reader.ask(b"USER linda")
            assert (await reader.ask(b"PASS Pa$$123")).startswith(b"+OK")
            reader.clock.advance(19.0)
            assert (await reader.ask(b"NOOP")).startswith(b"+OK")
            await reader.taken()
            reader.clock.advance(20.0)
            assert b"+OK" not in await reader.rest()


async def _show_heartbeat() -> None:
    async with limited_server(idle_heartbeat_seconds=20.0) as limited, limited.imap(LOGIN) as client:
        assert await verdict(client, b"IDLE") == b"+"
        await client.taken()
        client.clock.advance(19.0)
        await client.taken()
        await limited.server.deliver(USER, SMALL)
        client.clock.advance(1.0)
        assert await client.line() == b"* OK Still here"
        assert (await client.ask(b"DONE")).startswith(b"a OK")


async def _show_search_seconds() -> None:
    for store, (seconds, expected) in product(
        (limited_server, limited_server_on_disk), ((60.0, b"OK"), (0.001, b"NO"))
    ):
        async with store(search_seconds=seconds, text_index=False) as limited:
            await limited.server.deliver(USER, LONG)
            async with limited.imap(LOGIN, b"SELECT INBOX") as client:
                said = await answer(client, b"SEARCH " + KEYS + b" BODY zz")
                assert said.split(b"\r\n")[-1].startswith(b"a " + expected)
                assert (b"[LIMIT]" in said) is (expected == b"NO")


async def _show_contexts() -> None:
    async with limited_server(contexts=3) as limited, limited.imap(LOGIN, b"SELECT INBOX") as client:
        for number in range(100):
            said = await answer(client, b"SEARCH RETURN (UPDATE COUNT) SEEN", b"w%d" % number)
            assert said.splitlines()[0].endswith(b"COUNT 0")
            assert (b"* NO [NOUPDATE " in said) is (number >= 3)


async def _show_context_bytes() -> None:
    program = b"SEARCH RETURN (UPDATE COUNT) SUBJECT " + b"x" * 1000
    async with limited_server(context_bytes=5000) as limited, limited.imap(LOGIN, b"SELECT INBOX") as client:
        # four octets for each letter, and 300 more
        assert b"NOUPDATE" not in await answer(client, program, b"w1")
        assert b"* NO [NOUPDATE " in await answer(client, program, b"w2")
        assert b"NOUPDATE" not in await answer(client, b"SEARCH RETURN (UPDATE COUNT) SEEN", b"w3")


async def _show_interest() -> None:
    search = b"b SEARCH " + KEYS + b" BODY zz\r\n"
    for store, (seconds, is_answered) in product(
        (limited_server, limited_server_on_disk), ((60.0, True), (0.02, False))
    ):
        async with store(interest_seconds=seconds, text_index=False) as limited:
            await limited.server.deliver(USER, LONG)
            reader, writer = await streams(limited.server.address("imap"))
            for command in (LOGIN, b"SELECT INBOX"):
                await tagged(reader, writer, command)
            writer.write(search)
            writer.write_eof()
            assert (b"b OK" in await _rest(reader)) is is_answered
            writer.close()


async def _show_progress() -> None:
    for seconds in (0.05, 0.0):
        with folder() as data:
            limits = {"progress_seconds": seconds, "search_seconds": 0.5, "text_index": False}
            async with limited_server(data=data, **limits) as limited:
                await limited.server.deliver(USER, LONG)
                reader, writer = await streams(limited.server.address("imap"))
                for command in (LOGIN, b"SELECT INBOX", *[b"COPY 1:* INBOX"] * 6):
                    await tagged(reader, writer, command)
                writer.write(b"b SEARCH " + KEYS + b" BODY zz\r\n")
                writer.write_eof()
                lines = (await _rest(reader)).splitlines()
                told = [line.startswith(b'* OK [INPROGRESS ("b" NIL NIL)] ') for line in lines]
                assert any(told) is (seconds > 0)
                assert lines[-1].startswith(b"b NO [LIMIT]")
                writer.close()
                async with limited.imap(LOGIN) as client:
                    assert (b" INPROGRESS" in await answer(client, b"CAPABILITY")) is (seconds > 0)


async def _rest(reader: asyncio.StreamReader) -> bytes:
    """Everything that comes, however the connection ends."""
    octets = b""
    try:
        while piece := await reader.read(1 << 20):
            octets += piece
    except ConnectionError:
        pass
    return octets


async def _unread(server: Server) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asks for much, and reads nothing."""
    small = socket.create_connection(server.address("imap"))
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    reader, writer = await asyncio.open_connection(sock=small)
    for command in (LOGIN, b"SELECT INBOX"):
        await tagged(reader, writer, command)
    writer.write(b"b FETCH 1 (%b)\r\n" % b" ".join(b"BODY.PEEK[]<%d.1000000>" % start for start in range(10)))
    await reader.readline()  # the answer has begun
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    return reader, writer


async def _show_write_seconds() -> None:
    for seconds, is_whole in ((60.0, True), (0.05, False)):
        async with limited_server(write_seconds=seconds) as limited:
            await limited.server.deliver(USER, LONG)
            reader, writer = await _unread(limited.server)
            await asyncio.sleep(0.2)
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            writer.write(b"c LOGOUT\r\n")
            assert (b"c OK" in await _rest(reader)) is is_whole
            writer.close()


async def _show_stop_seconds() -> None:
    for seconds, is_let_go in ((0.05, True), (60.0, False)):
        async with Server(users={USER: PASSWORD}, limits=Limits(stop_seconds=seconds, write_seconds=60.0)) as server:
            await server.deliver(USER, LONG)
            _, writer = await _unread(server)
            stop = asyncio.create_task(server.stop())
            await asyncio.wait([stop], timeout=10 if is_let_go else 0.15)
            assert stop.done() is is_let_go
            writer.transport.abort()
            await stop


async def _show_worker_silence() -> None:
    await asyncio.to_thread(_worker_is_silent)


def _worker_is_silent() -> None:
    with folder() as data:
        with_linda(data)
        silence = "[limits]\nworker_silence_seconds = 0.5\n"
        with serving(data, workers=2, more=silence, alone=False) as process:
            hung = process.workers()[0]
            os.kill(hung, signal.SIGSTOP)
            assert process.until("worker_hangs")["seconds"] == 0.5
            assert process.until("worker_died")["status"] == -signal.SIGKILL
            assert hung not in process.workers()


SHOWN: dict[str, Demonstration] = {
    "idle_seconds": _show_idle,
    "idle_heartbeat_seconds": _show_heartbeat,
    "progress_seconds": _show_progress,
    "search_seconds": _show_search_seconds,
    "contexts": _show_contexts,
    "context_bytes": _show_context_bytes,
    "interest_seconds": _show_interest,
    "write_seconds": _show_write_seconds,
    "stop_seconds": _show_stop_seconds,
    "worker_silence_seconds": _show_worker_silence,
}
