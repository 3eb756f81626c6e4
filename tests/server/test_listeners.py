"""The addresses where the server listens, and how connections are accepted."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import ssl
import stat
from pathlib import Path

import pytest

from mektup.server import listeners
from mektup.server.addresses import Endpoint, Service
from mektup.server.config import ConfigError
from mektup.server.listeners import bind_again, endpoint_of, open_sockets, remove_path
from mektup.terms.limits import Limits

from .echo import house
from .test_connection import connect, part, until


def closing(sockets: list[socket.socket]) -> list[Endpoint]:
    endpoints = [endpoint_of(each) for each in sockets]
    for each in sockets:
        each.close()
    return endpoints


def test_a_free_port_is_reported() -> None:
    (endpoint,) = closing(open_sockets(Endpoint("127.0.0.1", 0), shared=False))
    assert endpoint.host == "127.0.0.1"
    assert endpoint.port > 0


def test_every_interface_has_the_same_port() -> None:
    endpoints = closing(open_sockets(Endpoint("", 0), shared=False))
    assert {endpoint.host for endpoint in endpoints} <= {"0.0.0.0", "::"}
    assert len({endpoint.port for endpoint in endpoints}) == 1


@pytest.mark.parametrize("shared", [False, True])
def test_a_port_in_use_is_an_error(shared: bool) -> None:
    (taken,) = open_sockets(Endpoint("127.0.0.1", 0), shared=True)
    taken.listen()
    endpoint = endpoint_of(taken)
    # even if the other server would share it, because its mail is not ours
    with pytest.raises(ConfigError, match=f"cannot listen at {endpoint}: Address already in use"):
        open_sockets(endpoint, shared=shared)
    taken.close()


def test_sockets_say_that_they_are_tcp() -> None:
    # asyncio sets TCP_NODELAY only for this protocol number; else a part of an answer could wait for an ACK
    (opened,) = open_sockets(Endpoint("127.0.0.1", 0), shared=False)
    assert opened.proto == socket.IPPROTO_TCP
    opened.close()


def test_an_unknown_host_name_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen at no\.such\.invalid:143"):
        open_sockets(Endpoint("no.such.invalid", 143), shared=False)


def test_a_second_socket_shares_the_port() -> None:
    (kept,) = open_sockets(Endpoint("127.0.0.1", 0), shared=True)
    workers = [bind_again(kept) for _ in range(2)]
    for worker in workers:
        worker.listen()
    assert {endpoint_of(worker) for worker in workers} == {endpoint_of(kept)}
    # the socket that is kept does not listen, so no connection is queued for it
    for _ in range(20):
        with socket.create_connection(kept.getsockname()):
            pass
    accepted = 0
    for worker in workers:
        try:
            while True:
                worker.accept()[0].close()
                accepted += 1
        except BlockingIOError:
            pass
    assert accepted == 20
    for each in (kept, *workers):
        each.close()


def test_a_path_is_for_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lmtp"
    (bound,) = open_sockets(Endpoint(path=path), shared=False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert endpoint_of(bound) == Endpoint(path=path)
    bound.close()
    remove_path(Endpoint(path=path))
    assert not path.exists()


def test_a_socket_file_left_by_a_dead_process_is_replaced(tmp_path: Path) -> None:
    endpoint = Endpoint(path=tmp_path / "lmtp")
    closing(open_sockets(endpoint, shared=False))
    assert endpoint.path is not None
    assert endpoint.path.exists()
    closing(open_sockets(endpoint, shared=False))


def test_a_path_in_use_is_left_alone(tmp_path: Path) -> None:
    endpoint = Endpoint(path=tmp_path / "lmtp")
    (used,) = open_sockets(endpoint, shared=False)
    used.listen()
    with pytest.raises(ConfigError, match="Address already in use"):
        open_sockets(endpoint, shared=False)
    used.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="there is a file that is not a socket"):
        open_sockets(Endpoint(path=path), shared=False)
    assert path.read_text() == "precious"


async def test_a_path_serves(tmp_path: Path) -> None:
    path = tmp_path / "imap"
    async with house(endpoint=Endpoint(path=path)) as at:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"quit\r\n")
        assert await reader.read() == b"hello\r\nbye\r\n"
        assert at.echoes[0].peer.local
        assert at.echoes[0].peer.address == "unix"
        assert not at.echoes[0].peer.secure
        await part((reader, writer))


@pytest.mark.parametrize(
    ("service", "farewell"),
    [
        (Service.IMAP, b"* BYE [UNAVAILABLE] Too many connections"),
        (Service.POP3, b"-ERR [SYS/TEMP] Too many connections"),
        (Service.LMTP, b"421 4.3.2 Too many connections"),
    ],
)
async def test_a_connection_above_the_limit_gets_the_reason(service: Service, farewell: bytes) -> None:
    async with house(service=service, limits=Limits(connections=2)) as at:
        first, second = await connect(at), await connect(at)
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        answer = await reader.read()
        assert answer.startswith(farewell)
        assert answer.endswith(b"\r\n")
        assert at.sessions.tallies[service.protocol].refused_connections == 1
        await part((reader, writer))
        await part(first)
        await until(lambda: sum(at.sessions.census().stages.values()) == 1)
        third = await connect(at)
        await part(second)
        await part(third)


async def test_a_connection_above_the_limit_gets_the_reason_under_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with house(service=Service.IMAPS, context=server_tls, limits=Limits(connections=1)) as at:
        first = await connect(at, ssl=client_tls)
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port, ssl=client_tls)
        assert (await reader.read()).startswith(b"* BYE [UNAVAILABLE] ")
        await part((reader, writer))
        await part(first)


async def test_an_address_may_hold_so_many_places_before_login() -> None:
    async with house(limits=Limits(connections_per_address_before_login=2)) as at:
        first, second = await connect(at), await connect(at)
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port)
        assert b"from your address" in await reader.read()
        await part((reader, writer))
        await part(first)
        await until(lambda: at.sessions.count == 1)
        third = await connect(at)
        await part(second)
        await part(third)


async def test_the_oldest_connection_of_the_busiest_network_gets_a_farewell() -> None:
    async with house(limits=Limits(connections_before_login=3)) as at:
        many = [await connect(at, local_addr=("127.0.0.2", 0)) for _ in range(3)]
        newcomer = await connect(at, local_addr=("127.0.0.3", 0))
        assert b"bye: Too many connections" in await many[0][0].read()
        assert any(entry["event"] == "connection_gave_way" for entry in at.log)
        for streams in (many[1], newcomer):
            streams[1].write(b"still here\r\n")
            assert await streams[0].readline() == b"still here\r\n"
        for streams in (*many, newcomer):
            await part(streams)


async def test_a_handshake_that_was_never_begun_gives_way(server_tls: ssl.SSLContext) -> None:
    limits = Limits(connections_before_login=1)
    async with house(service=Service.IMAPS, context=server_tls, limits=limits) as at:
        reader, writer = await asyncio.open_connection("127.0.0.1", at.port, local_addr=("127.0.0.2", 0))
        await until(lambda: at.sessions.count == 1)
        at.sessions._door._networks["127.0.0.2"] = dict.fromkeys(at.sessions._door._networks["127.0.0.2"], -1e9)
        other = await asyncio.open_connection("127.0.0.1", at.port, local_addr=("127.0.0.3", 0))
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        await part((reader, writer))
        await part(other)


async def test_mail_transfer_agents_never_log_in() -> None:
    async with house(service=Service.LMTP, limits=Limits(connections_per_address_before_login=1)) as at:
        first, second = await connect(at), await connect(at)
        await part(first)
        await part(second)


async def test_a_failed_session_does_not_affect_others() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        other = await connect(at)
        writer.write(b"fail\r\n")
        assert await reader.read() == b""
        await until(lambda: any(entry["event"] == "session_ended" for entry in at.log))
        failure = next(entry for entry in at.log if entry["event"] == "session_failed")
        ended = next(entry for entry in at.log if entry["event"] == "session_ended")
        assert failure["session"] == ended["session"]
        assert at.sessions.tallies["imap"].bugs == 1
        other[1].write(b"still here\r\n")
        assert await other[0].readline() == b"still here\r\n"
        await part((reader, writer))
        await part(other)


async def test_each_session_leaves_one_line() -> None:
    async with house() as at:
        reader, writer = await connect(at)
        writer.write(b"quit\r\n")
        await reader.read()
        await part((reader, writer))
        await until(lambda: at.sessions.count == 0)
        (line,) = [entry for entry in at.log if entry["event"] == "session_ended"]
        assert line["protocol"] == "imap"
        assert line["address"] == "127.0.0.1"
        assert (line["octets_in"], line["octets_out"]) == (6, len(b"hello\r\nbye\r\n"))
        assert line["user"] is None
        assert len(line["session"]) == 8


async def test_no_descriptors_left_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "PAUSE_SECONDS", 0.01)
    loop = asyncio.get_running_loop()
    async with house() as at:
        client = socket.socket()
        client.setblocking(False)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with socket.socket() as next_one:
            resource.setrlimit(resource.RLIMIT_NOFILE, (next_one.fileno(), hard))
        try:
            await loop.sock_connect(client, ("127.0.0.1", at.port))
            await until(lambda: at.listener._pause is not None)
            assert at.sessions.count == 0
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert await loop.sock_recv(client, 100) == b"hello\r\n"
        client.close()


@pytest.mark.parametrize(("port", "advised"), [(143, True), (993, True), (1143, False)])
@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM])
def test_the_error_for_a_low_port_says_what_it_requires(
    monkeypatch: pytest.MonkeyPatch, port: int, advised: bool, number: int
) -> None:
    def refused(self: socket.socket, address: object) -> None:
        raise OSError(number, os.strerror(number))

    # root may use any port, so the test replaces the system call
    monkeypatch.setattr(socket.socket, "bind", refused)
    with pytest.raises(ConfigError) as caught:
        open_sockets(Endpoint("127.0.0.1", port), shared=False)
    assert ("CAP_NET_BIND_SERVICE" in str(caught.value)) is advised
    assert ("AmbientCapabilities" in str(caught.value)) is advised


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no directory in which even root makes none")
def test_a_directory_that_cannot_be_made_for_a_unix_socket_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = Endpoint(path=Path("/proc/mektup/lmtp"))
    told = "cannot listen at unix:/proc/mektup/lmtp: /proc/mektup: No such file or directory"
    with pytest.raises(ConfigError) as caught:
        open_sockets(endpoint, shared=False)
    assert str(caught.value) == told
    # if systemd makes the directory, the error says so
    monkeypatch.setattr(listeners, "RUN", Path("/proc"))
    with pytest.raises(ConfigError) as caught:
        open_sockets(endpoint, shared=False)
    assert str(caught.value) == f"{told}; RuntimeDirectory=mektup in a unit of systemd makes it"


def test_a_file_that_is_no_socket_is_called_so_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "lmtp"
    for make in (path.touch, lambda: path.symlink_to(tmp_path / "elsewhere"), path.mkdir):
        make()
        with pytest.raises(ConfigError, match=f"cannot listen at unix:{path}: there is a file that is not a socket"):
            open_sockets(Endpoint(path=path), shared=False)
        (path.rmdir if path.is_dir() else path.unlink)()
