"""The Peer over asyncio: reading, writing, waiting, TLS, and hostile clients."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
import sys
import time
from itertools import pairwise

import pytest

from mektup.server import connection as connection_module
from mektup.server.addresses import Service, address_of
from mektup.server.connection import READ_BYTES, STRANGERS_UNREAD_BYTES, UNREAD_BYTES
from mektup.terms.errors import Disconnected
from mektup.terms.limits import Limits
from mektup.terms.numbers import MailboxId, ModSeq

from .echo import ACCOUNTS, House, house

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(at: House, **options: object) -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", at.port, **options)  # type: ignore[arg-type]
    assert await reader.readline() == b"hello\r\n"
    return reader, writer


async def part(streams: Streams) -> None:
    streams[1].close()
    await streams[1].wait_closed()


async def until(predicate: object, *, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not predicate():  # type: ignore[operator]
            await asyncio.sleep(0.001)


async def test_lines_come_back_however_they_are_cut() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        for octet in b"one\r\ntwo\r\n":
            writer.write(bytes([octet]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readline() == b"one\r\n"
        assert await reader.readline() == b"two\r\n"
        await part((reader, writer))


async def test_a_segment_of_many_commands_is_answered_in_one_piece() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"".join(b"line %d\r\n" % n for n in range(1000)) + b"quit\r\n")
        answer = await reader.read()
        assert answer.splitlines() == [b"line %d" % n for n in range(1000)] + [b"bye"]
        await part((reader, writer))


async def test_a_client_that_has_sent_all_still_gets_its_answers() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"last words\r\nflood 20\r\nquit\r\n")
        writer.write_eof()
        answer = await reader.read()
        assert answer.startswith(b"last words\r\nx")
        assert answer.endswith(b"x\r\nbye\r\n")
        await part((reader, writer))


async def test_a_client_that_goes_away_ends_its_session() -> None:
    async with house() as at:
        streams = await connect(at)
        await part(streams)
        await until(lambda: at.sessions.count == 0)
        assert isinstance(at.echoes[0].ended_by, Disconnected)


async def test_a_reset_ends_the_session_quietly() -> None:
    async with house() as at:
        _reader, writer = await connect(at)
        raw = writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await until(lambda: at.sessions.count == 0 and at.echoes[0].ended_by is not None)
        assert isinstance(at.echoes[0].ended_by, Disconnected)


async def test_a_connection_is_closed_quietly_while_a_reset_comes() -> None:
    async with house() as at:
        client = socket.create_connection(("127.0.0.1", at.port))
        await until(lambda: at.echoes)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        # the event loop has not read the reset yet
        at.echoes[0].peer.close()  # type: ignore[attr-defined]
        await until(lambda: at.sessions.count == 0)


async def test_silence_is_ended_with_a_farewell() -> None:
    async with house(seconds=0.05) as at:
        reader, writer = await connect(at)
        began = time.monotonic()
        assert (await reader.read()).startswith(b"bye: ")
        assert 0.04 < time.monotonic() - began < 2
        await part((reader, writer))


async def test_a_deadline_counts_from_the_last_read() -> None:
    async with house(seconds=0.3) as at:
        reader, writer = await connect(at)
        began = time.monotonic()
        for _ in range(4):
            await asyncio.sleep(0.1)
            writer.write(b"still here\r\n")
            assert await reader.readline() == b"still here\r\n"
        assert (await reader.read()).startswith(b"bye: ")
        assert time.monotonic() - began > 0.65
        await part((reader, writer))


async def test_a_client_that_sends_without_being_read_fills_its_own_buffers() -> None:
    async with house() as at:
        _reader, writer = await connect(at)
        writer.write(b"wait 30\r\n")
        writer.write(b"flood 1000\r\n" + b"y" * (64 * 1024 * 1024))
        # the session waits, because the client reads nothing; so the client's own output must stay on its side
        peer = at.echoes[0].peer
        await until(lambda: not peer._transport.is_reading())  # type: ignore[attr-defined]
        assert peer.has_unread
        assert peer.bytes_in < 4 * UNREAD_BYTES  # type: ignore[attr-defined]
        writer.transport.abort()


async def test_a_client_that_reads_nothing_is_let_go() -> None:
    async with house(limits=Limits(write_seconds=0.1)) as at:
        _reader, writer = await connect(at)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"flood 1000\r\n")
        await until(lambda: at.echoes[0].ended_by is not None)
        assert isinstance(at.echoes[0].ended_by, Disconnected)
        assert at.log[-1]["octets_out"] < 32 * 1024 * 1024
        writer.transport.abort()


async def test_a_slow_reader_gets_all() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"flood 100\r\nquit\r\n")
        answer = await _read_slowly(reader)
        assert len(answer) == 100 * 65536 + len(b"\r\nbye\r\n")
        await part((reader, writer))


async def _read_slowly(reader: asyncio.StreamReader) -> bytes:
    pieces = []
    while piece := await reader.read(200_000):
        pieces.append(piece)
        await asyncio.sleep(0)
    return b"".join(pieces)


@pytest.mark.parametrize("number", [0, 1])
async def test_a_wait_ends_by_any_of_what_is_watched(number: int) -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"wait 30\r\n")
        await until(lambda: at.echoes[0].watches[0].on_fire is not None)
        at.hub.changed(ACCOUNTS[number], MailboxId(1), ModSeq(1))
        assert await reader.readline() == b"fired %d\r\n" % number
        assert [watch.on_fire for watch in at.echoes[0].watches] == [None, None]
        await part((reader, writer))


@pytest.mark.parametrize("number", [0, 1])
async def test_a_wait_on_what_fired_already_ends_at_once(number: int) -> None:
    async with house() as at:
        reader, writer = await connect(at)
        at.hub.changed(ACCOUNTS[number], MailboxId(1), ModSeq(1))
        writer.write(b"wait 30\r\n")
        assert await reader.readline() == b"fired %d\r\n" % number
        await part((reader, writer))


async def test_a_wait_ends_by_time_and_by_octets() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"wait 0.02\r\n")
        assert await reader.readline() == b"nothing\r\n"
        writer.write(b"wait 30\r\n")
        await until(lambda: at.echoes[0].watches[0].on_fire is not None)
        writer.write(b"here\r\n")
        assert await reader.readline() == b"readable\r\n"
        assert await reader.readline() == b"here\r\n"
        await part((reader, writer))


async def test_a_wait_ends_when_the_client_is_gone() -> None:
    async with house() as at:
        streams = await connect(at)
        streams[1].write(b"wait 30\r\n")
        await until(lambda: at.echoes[0].watches[0].on_fire is not None)
        await part(streams)
        await until(lambda: at.sessions.count == 0)


async def test_stopping_sends_a_farewell_to_silent_clients() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        stop = asyncio.create_task(at.sessions.stop())
        assert await reader.read() == b"bye: The server is shutting down\r\n"
        await part((reader, writer))
        await stop
        assert at.sessions.count == 0


async def test_stopping_sends_a_farewell_to_new_clients() -> None:
    async with house(limits=Limits(stop_seconds=2)) as at:
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        at.sessions.accept(theirs, "", Service.IMAP)
        await at.sessions.stop()
        with ours:
            assert ours.recv(100) == b"hello\r\nbye: The server is shutting down\r\n"


async def test_stopping_aborts_sessions_that_do_not_end() -> None:
    async with house(limits=Limits(stop_seconds=0.05)) as at:
        _reader, writer = await connect(at)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"flood 1000\r\n")
        await until(lambda: at.echoes[0].peer.bytes_in > 0)
        began = time.monotonic()
        await at.sessions.stop()
        assert time.monotonic() - began < 3
        assert at.sessions.count == 0
        writer.transport.abort()


async def test_a_farewell_arrives_although_the_client_keeps_sending() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"quit\r\n" + b"z" * 3_000_000)
        assert await reader.read() == b"bye\r\n"
        await writer.drain()
        await part((reader, writer))


async def test_a_client_that_stays_after_the_farewell_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "LINGER_SECONDS", 0.05)
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"quit\r\n")
        assert await reader.read() == b"bye\r\n"
        await until(lambda: at.sessions.count == 0)
        writer.transport.abort()


async def test_a_busy_client_does_not_keep_the_others_waiting() -> None:
    async with house() as at:
        busy_reader, busy_writer = await connect(at)
        reader, writer = await connect(at)
        busy_writer.write(b"a\r\n" * 500_000 + b"quit\r\n")
        reading = asyncio.create_task(busy_reader.read())
        await until(lambda: at.echoes[0].peer.bytes_in > 100_000)
        writer.write(b"me too\r\n")
        assert await reader.readline() == b"me too\r\n"
        assert not reading.done()
        assert len(await reading) == 500_000 * 3 + 5
        await part((busy_reader, busy_writer))
        await part((reader, writer))


async def test_in_one_round_of_the_loop_little_is_taken_from_one_client() -> None:
    rounds: list[int] = []

    def count() -> None:
        rounds.append(at.echoes[0].peer.bytes_in)
        asyncio.get_running_loop().call_soon(count)

    async with house() as at:
        with socket.create_connection(("127.0.0.1", at.port)) as client:
            await until(lambda: at.echoes and at.echoes[0].peer.bytes_out)
            at.echoes[0].peer.trust()
            count()
            await asyncio.to_thread(client.sendall, b"x" * 4_000_000)
            await until(lambda: rounds[-1] == 4_000_000)
    assert max(after - before for before, after in pairwise(rounds)) <= UNREAD_BYTES


# TLS


async def test_tls_from_the_start(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with house(service=Service.IMAPS, context=server_tls) as at:
        reader, writer = await connect(at, ssl=client_tls)
        writer.write(b"secure\r\nflood 50\r\nquit\r\n")
        assert await reader.readline() == b"yes\r\n"
        assert len(await reader.read()) == 50 * 65536 + len(b"\r\nbye\r\n")
        await part((reader, writer))


async def test_tls_by_command(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with house(context=server_tls) as at:
        reader, writer = await connect(at)
        writer.write(b"secure\r\n")
        assert await reader.readline() == b"no\r\n"
        writer.write(b"tls\r\n")
        assert await reader.readline() == b"go\r\n"
        await writer.start_tls(client_tls, server_hostname="localhost")
        writer.write(b"secure\r\nflood 50\r\nquit\r\n")
        assert await reader.readline() == b"yes\r\n"
        assert len(await reader.read()) == 50 * 65536 + len(b"\r\nbye\r\n")
        await part((reader, writer))


async def test_a_client_that_sends_under_tls_without_being_read_fills_its_own_buffers(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with house(service=Service.IMAPS, context=server_tls) as at:
        _reader, writer = await connect(at, ssl=client_tls)
        writer.write(b"wait 30\r\nflood 1000\r\n" + b"y" * (16 * 1024 * 1024))
        peer = at.echoes[0].peer
        await until(lambda: not peer._transport.is_reading())  # type: ignore[attr-defined]
        assert peer.bytes_in < 4 * UNREAD_BYTES  # type: ignore[attr-defined]
        writer.transport.abort()


async def test_a_tls_client_that_has_sent_all_still_gets_its_answers(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    def talk(port: int) -> bytes:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with client_tls.wrap_socket(plain, server_hostname="localhost") as encrypted:
            encrypted.sendall(b"last words\r\nflood 20\r\nquit\r\n")
            socket.socket.shutdown(encrypted, socket.SHUT_WR)  # without any data in TLS
            return b"".join(iter(lambda: encrypted.recv(65536), b""))

    async with house(service=Service.IMAPS, context=server_tls) as at:
        answer = await asyncio.to_thread(talk, at.port)
        assert answer.startswith(b"hello\r\nlast words\r\nx")
        assert answer.endswith(b"x\r\nbye\r\n")


async def test_plaintext_behind_the_request_for_tls_is_never_obeyed(server_tls: ssl.SSLContext) -> None:
    async with house(context=server_tls) as at:
        reader, writer = await connect(at)
        # one segment: the first read returns everything up to the request, and the rest stays in the connection
        padding = b"p" * (READ_BYTES - len(b"\r\ntls\r\n"))
        writer.write(padding + b"\r\ntls\r\ninjected\r\n")
        assert await reader.read() == padding + b"\r\ngo\r\n"
        await part((reader, writer))
        await until(lambda: at.sessions.count == 0)
        assert isinstance(at.echoes[0].ended_by, Disconnected)


async def test_plaintext_that_comes_in_its_own_segment_is_never_obeyed(server_tls: ssl.SSLContext) -> None:
    async with house(context=server_tls) as at:
        reader, writer = await connect(at)
        writer.write(b"wait 30\r\n")
        await until(lambda: at.echoes[0].watches[0].on_fire is not None)
        writer.write(b"tls\r\n")
        assert await reader.readline() == b"readable\r\n"
        assert await reader.readline() == b"go\r\n"
        writer.write(b"injected\r\n")
        try:
            answer = await reader.read()
        except ConnectionError:
            answer = b""
        assert b"injected" not in answer
        await until(lambda: at.sessions.count == 0)
        assert isinstance(at.echoes[0].ended_by, Disconnected)
        writer.transport.abort()


async def test_a_missing_handshake_times_out(server_tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "HANDSHAKE_SECONDS", 0.05)
    async with house(context=server_tls) as at:
        reader, writer = await connect(at)
        writer.write(b"tls\r\n")
        assert await reader.readline() == b"go\r\n"
        await until(lambda: at.sessions.count == 0)
        assert isinstance(at.echoes[0].ended_by, Disconnected)
        writer.transport.abort()


async def test_stopping_does_not_wait_for_a_handshake(server_tls: ssl.SSLContext) -> None:
    async with house(context=server_tls, limits=Limits(stop_seconds=60)) as at:
        reader, writer = await connect(at)
        writer.write(b"tls\r\n")
        assert await reader.readline() == b"go\r\n"
        async with asyncio.timeout(10):
            stopping = asyncio.create_task(at.sessions.stop())
            assert await reader.read() == b""
            await part((reader, writer))
            await stopping
        assert isinstance(at.echoes[0].ended_by, Disconnected)


async def test_a_client_that_vanishes_during_the_handshake_leaves_nothing(server_tls: ssl.SSLContext) -> None:
    async with house(context=server_tls) as at:
        reader, writer = await connect(at)
        writer.write(b"tls\r\n")
        assert await reader.readline() == b"go\r\n"
        writer.transport.abort()
        await until(lambda: at.sessions.count == 0)
        assert isinstance(at.echoes[0].ended_by, Disconnected)


async def test_no_tls_speaker_at_a_tls_port_leaves_nothing(server_tls: ssl.SSLContext) -> None:
    async with house(service=Service.IMAPS, context=server_tls) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await reader.read()
        await until(lambda: at.sessions.count == 0)
        assert not at.echoes
        writer.transport.abort()


@pytest.mark.parametrize(
    ("peer_name", "expected"),
    [
        (("127.0.0.1", 1), ("127.0.0.1", True)),
        (("::1", 1, 0, 0), ("::1", True)),
        (("::ffff:192.0.2.7", 1, 0, 0), ("192.0.2.7", False)),
        (("fe80::1%eth0", 1, 0, 2), ("fe80::1", False)),
        ("", ("unix", True)),
    ],
)
async def test_addresses(peer_name: object, expected: tuple[str, bool]) -> None:
    assert address_of(peer_name) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_QUICKACK is Linux's")
async def test_half_a_line_is_acknowledged_at_once_as_no_answer_carries_the_acknowledgement() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        peer = at.echoes[0].peer
        assert isinstance(peer, connection_module.Connection)
        for _ in range(2):
            # a client that waits for each answer makes the kernel delay its acknowledgements
            for number in range(8):
                writer.write(b"line %d\r\n" % number)
                assert await reader.readline() == b"line %d\r\n" % number
            assert not acknowledges_at_once(peer)
            writer.write(b"half a line")
            await until(lambda: at.echoes[0].buffered)
            assert acknowledges_at_once(peer)
            writer.write(b"\r\n")
            assert await reader.readline() == b"half a line\r\n"
        await part((reader, writer))


def acknowledges_at_once(peer: connection_module.Connection) -> bool:
    assert peer._transport is not None
    client = peer._transport.get_extra_info("socket")
    return bool(client.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))


async def test_a_dismissed_client_gets_a_farewell_and_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "DISMISSAL_SECONDS", 0.2)
    async with house() as at:
        talking, deaf = await connect(at), await connect(at)
        deaf[1].write(b"flood 1000\r\n")
        await until(lambda: at.echoes[1].peer._writing_paused)  # type: ignore[attr-defined]
        for echo in at.echoes:
            echo.peer.dismiss("enough")
        talking[1].write(b"and another thing\r\n" * 100)
        assert b"bye: enough\r\n" in await talking[0].read()
        await part(talking)
        # its transport is closed, but it has read almost nothing
        await until(lambda: at.sessions.count == 0)
        deaf[1].close()


async def test_a_stranger_has_little_unread() -> None:
    async with house() as at:
        for trusted in (False, True):
            _, writer = await connect(at)
            peer = at.echoes[-1].peer
            assert isinstance(peer, connection_module.Connection)
            if trusted:
                peer.trust()
            writer.write(b"flood 1000\r\n")
            await until(lambda peer=peer: peer._writing_paused)
            writer.write(b"x" * 2 * STRANGERS_UNREAD_BYTES)
            await until(lambda peer=peer: len(peer._incoming) > STRANGERS_UNREAD_BYTES)
            assert peer._reading_paused is not trusted
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


CLEAR = [
    (Service.IMAPS, b"a1 LOGIN linda Pa$$123\r\n", b"* BYE "),
    (Service.IMAPS, b"\r\n", b"* BYE "),
    (Service.IMAPS, b"a", b"* BYE "),
    (Service.POP3S, b"USER linda\r\n", b"-ERR "),
    (Service.IMAPS, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"HTTP/1.1 400 "),
    (Service.POP3S, b"HEAD / HTTP/1.0\r\n\r\n", b"HTTP/1.1 400 "),
    (Service.POP3S, b"POST " + b"x" * 1_000_000, b"HTTP/1.1 400 "),
]


@pytest.mark.parametrize(("service", "said", "answer"), CLEAR)
async def test_clear_text_on_a_tls_port_gets_an_explanation(
    server_tls: ssl.SSLContext, service: Service, said: bytes, answer: bytes
) -> None:
    async with house(service=service, context=server_tls) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(said)
        told = await reader.read()
        assert told.startswith(answer)
        assert b"expects TLS" in told
        (entry,) = [entry for entry in at.log if entry["event"] == "tls_expected"]
        assert entry["spoken"] == ("HTTP" if answer.startswith(b"HTTP") else service.protocol.upper())
        assert "Pa$$123" not in str(at.log)
        await part((reader, writer))
        await until(lambda: at.sessions.count == 0)


@pytest.mark.parametrize(
    "said", [b"\x16\x03\x01 nonsense of more than five octets", b"\x80\x2e\x01\x00\x02", b"\x00" * 50]
)
async def test_octets_that_are_neither_text_nor_tls_get_no_answer(
    server_tls: ssl.SSLContext, said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "HANDSHAKE_SECONDS", 0.05)
    async with house(service=Service.IMAPS, context=server_tls) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        writer.write(said)
        with contextlib.suppress(ConnectionError):
            assert b"BYE" not in await reader.read()
        await part((reader, writer))
