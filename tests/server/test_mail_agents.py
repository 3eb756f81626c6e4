"""The services for a mail transfer agent, in real processes: logins for submission, and look-ups of addresses."""

from __future__ import annotations

import grp
import os
import socket
import stat
from base64 import b64encode
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mektup import Server
from mektup.mta.netstrings import NetstringBuffer, netstring
from mektup.server.addresses import Endpoint
from mektup.server.config import ConfigError, load
from mektup.server.listeners import open_sockets, remove_path
from mektup.server.socket_access import SocketAccess
from tests.server.process import SECONDS, Process, serving
from tests.support.command import mektup

PASSWORD = "Pa$$123"
HANDSHAKE = b"VERSION\t1\t0\nCPID\t77\n"
RIGHT = b64encode(b"\0linda\0Pa$$123")
WRONG = b64encode(b"\0linda\0wrong")
SERVICES = """sasl = ["unix:sasl.sock", "127.0.0.1:0"]
socketmap = ["unix:run/socketmap"]
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("agents")


@pytest.fixture(scope="module", params=[1, 2])
def process(request: pytest.FixtureRequest, directory: Path) -> Iterator[Process]:
    mektup("user", "add", "linda", "--password-stdin", "--data", str(directory / "data"), typed=PASSWORD)
    with serving(directory, workers=request.param, more=SERVICES, alone=False) as process:
        yield process
    assert not (directory / "sasl.sock").exists()


def connected(path: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(SECONDS)
    made.connect(str(path))
    return made


def said(agent: socket.socket, octets: bytes, end: bytes) -> bytes:
    agent.sendall(octets)
    heard = b""
    while not heard.endswith(end):
        more = agent.recv(10_000)
        assert more, heard
        heard += more
    return heard


def login(agent: socket.socket, number: int, response: bytes, rip: str = "192.0.2.7") -> bytes:
    line = f"AUTH\t{number}\tPLAIN\tservice=smtp\trip={rip}\tsecured\tresp=".encode()
    return said(agent, line + response + b"\n", b"\n")


def look_up(postfix: socket.socket, request: bytes) -> bytes:
    answer = said(postfix, netstring(request), b",")
    buffer = NetstringBuffer(1000)
    buffer.feed(answer)
    found = buffer.next()
    assert found is not None
    return found


def test_logins_are_checked_logged_and_counted(process: Process, directory: Path) -> None:
    with closing(connected(directory / "sasl.sock")) as agent:
        said(agent, HANDSHAKE, b"DONE\n")
        assert login(agent, 1, RIGHT) == b"OK\t1\tuser=linda\n"
        assert login(agent, 2, WRONG).startswith(b"FAIL\t2\tuser=linda\t")
        failed = process.until("auth_failed")
        assert (failed["protocol"], failed["address"], failed["ip"]) == ("sasl", "192.0.2.7", "192.0.2.7")
        listed = mektup("who", "--data", str(directory / "data")).stdout
        assert any("sasl" in line and "unix" in line and "pid 77" in line for line in listed.splitlines())


def test_a_new_password_and_a_new_alias_count_at_once(process: Process, directory: Path) -> None:
    data = ("--data", str(directory / "data"))
    with (
        closing(connected(directory / "sasl.sock")) as agent,
        closing(connected(directory / "run" / "socketmap")) as postfix,
    ):
        said(agent, HANDSHAKE, b"DONE\n")
        assert look_up(postfix, b"recipients new@example.org") == b"NOTFOUND "
        mektup("user", "add", "new@example.org", "--password-stdin", *data, typed="first")
        assert look_up(postfix, b"recipients new@example.org") == b"OK new@example.org"
        assert login(agent, 1, b64encode(b"\0new@example.org\0first")).startswith(b"OK\t1\t")
        mektup("user", "passwd", "new@example.org", "--password-stdin", *data, typed="second")
        assert login(agent, 2, b64encode(b"\0new@example.org\0second")).startswith(b"OK\t2\t")
        assert login(agent, 3, b64encode(b"\0new@example.org\0first")).startswith(b"FAIL\t3\t")
        mektup("user", "remove", "--yes", "new@example.org", *data)
        assert look_up(postfix, b"recipients new@example.org") == b"NOTFOUND "


def test_guesses_from_one_address_do_not_slow_down_another_one(process: Process, directory: Path) -> None:
    for number in range(4):
        with closing(connected(directory / "sasl.sock")) as agent:
            said(agent, HANDSHAKE, b"DONE\n")
            assert login(agent, number, WRONG, "198.51.100.1").startswith(b"FAIL")
    with closing(connected(directory / "sasl.sock")) as agent:
        said(agent, HANDSHAKE, b"DONE\n")
        assert login(agent, 1, RIGHT, "203.0.113.9") == b"OK\t1\tuser=linda\n"


def test_an_embedded_server_has_these_services_where_it_is_told_to(tmp_path: Path) -> None:
    listen = {"sasl": f"unix:{tmp_path}/sasl", "socketmap": ["127.0.0.1:0"], "imap": ["127.0.0.1:0"]}
    with Server(users={"linda": PASSWORD}, listen=listen).in_thread() as server:
        with closing(connected(tmp_path / "sasl")) as agent:
            said(agent, HANDSHAKE, b"DONE\n")
            assert login(agent, 1, RIGHT) == b"OK\t1\tuser=linda\n"
        with socket.create_connection(server.address("socketmap"), SECONDS) as postfix:
            assert look_up(postfix, b"recipients linda") == b"OK linda"


# Who may connect


def test_a_socket_has_the_mode_and_the_group_that_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "sasl"
    group = grp.getgrgid(os.getgid()).gr_name
    (bound,) = open_sockets(Endpoint(path=path), shared=False, access=SocketAccess(group, 0o666))
    assert (stat.S_IMODE(path.stat().st_mode), path.stat().st_gid) == (0o666, os.getgid())
    bound.close()
    remove_path(Endpoint(path=path))


def test_a_group_that_is_not_there_is_named_and_leaves_no_socket(tmp_path: Path) -> None:
    path = tmp_path / "sasl"
    with pytest.raises(ConfigError, match="no such group: 'nobody-has-this'"):
        open_sockets(Endpoint(path=path), shared=False, access=SocketAccess("nobody-has-this"))
    assert not path.exists()


def test_the_configuration_of_sockets(tmp_path: Path) -> None:
    file = tmp_path / "mektup.toml"
    file.write_text('[sockets]\ngroup = "postfix"\nmode = "0666"\n[listen]\nsasl = ["unix:sasl"]\n')
    assert load(file).sockets == SocketAccess("postfix", 0o666)
    for mode in ("660x", "0860", "60", "0066", "rw"):
        file.write_text(f'[sockets]\nmode = "{mode}"\n')
        with pytest.raises(ConfigError, match="mode: expected a mode in octal"):
            load(file)
    file.write_text('[sockets]\nowner = "postfix"\n')
    with pytest.raises(ConfigError, match=r"unknown key sockets\.owner"):
        load(file)
