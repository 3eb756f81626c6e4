"""Fail2Ban finds every failed login in a real log, with the address of the client, and nothing that a client wrote."""

from __future__ import annotations

import base64
import shutil
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from bench.mektup import Mektup
from mektup.server import logs

from .programs import Program, program

FILTER = Path(__file__).parents[2] / "contrib" / "fail2ban" / "filter.d" / "mektup.conf"

TEXT_LINE = (
    "2001-01-01T00:00:00.000000Z [warning  ] auth_failed              address='9.9.9.9' ip='9.9.9.9' mech='LOGIN' "
    "protocol='imap' reason='AUTHENTICATIONFAILED' session='ab' user='x'"
)
JSON_LINE = (
    '{"session": "ab", "protocol": "imap", "address": "9.9.9.9", "user": "x", "ip": "9.9.9.9", "mech": "LOGIN", '
    '"reason": "AUTHENTICATIONFAILED", "event": "auth_failed", "level": "warning", '
    '"timestamp": "2001-01-01T00:00:00.000000Z"}'
)
NAMES = [
    "linda",
    "nobody",
    "9.9.9.9",
    "x' address='9.9.9.9' ip='9.9.9.9",
    '", "address": "9.9.9.9", "event": "auth_failed',
    "\\",
    '\\", "ip": "9.9.9.9',
    "Nov 30 12:00:00 host mektup[1]: " + TEXT_LINE[:150],
    "x\r\n" + TEXT_LINE,
    "x\n" + JSON_LINE,
    "\u2028" + TEXT_LINE[:100],
    "\x1b]0;" + "çğ" * 100,
    "x" * 2000 + TEXT_LINE,
]


class Client:
    """A client at *address*, by lines of octets."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), 50, source_address=(address, 0))
        self._file = self._socket.makefile("rb")
        self.line()

    def line(self) -> bytes:
        return self._file.readline()

    def say(self, octets: bytes) -> bytes:
        """Sends a command; returns the line that answers it."""
        self._socket.sendall(octets + b"\r\n")
        return self.line()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._socket.close()


def literal(text: bytes) -> bytes:
    return b"{%d+}\r\n%b" % (len(text), text)


def by_name(client: Client) -> bytes:
    return client.say(b"a LOGIN " + literal(NAMES[-1].encode()) + b" wrong")


def by_plain(client: Client) -> bytes:
    return client.say(b"a AUTHENTICATE PLAIN " + base64.b64encode(b"\0x' address='9.9.9.9\0wrong"))


def by_questions(client: Client) -> bytes:
    client.say(b"a AUTHENTICATE LOGIN")
    client.say(base64.b64encode(b"linda"))
    return client.say(base64.b64encode(b"wrong"))


def by_proof(client: Client, name: str) -> bytes:
    """The way that needs no hashing, so it is quick."""
    escaped = name.encode().replace(b"=", b"=3D").replace(b",", b"=2C")
    first = client.say(b"a AUTHENTICATE SCRAM-SHA-256 " + base64.b64encode(b"n,,n=%b,r=abc" % escaped))
    nonce = base64.b64decode(first[2:]).split(b",")[0]
    return client.say(base64.b64encode(b"c=biws,%b,p=%b" % (nonce, base64.b64encode(bytes(32)))))


def by_pop3(client: Client) -> bytes:
    client.say(b"USER x' address='9.9.9.9")
    return client.say(b"PASS wrong")


def fail_in_every_way(mektup: Mektup) -> list[str]:
    """Failed logins at once, each from an address of its own; returns the addresses."""
    ways = [("imap", partial(by_proof, name=name)) for name in NAMES]
    ways += [("imap", by_name), ("imap", by_plain), ("imap", by_questions), ("pop3", by_pop3)]

    def fail(number: int) -> str:
        address, (service, way) = f"127.0.1.{number + 1}", ways[number]
        with Client(address, mektup.ports[service]) as client:
            assert b"Wrong name or password" in way(client)
        return address

    with ThreadPoolExecutor(len(ways)) as pool:
        return list(pool.map(fail, range(len(ways))))


def succeed_and_forge(mektup: Mektup) -> None:
    """Logins that succeed, and everything else of a client that the log has."""
    forged = TEXT_LINE.encode()
    with Client("127.0.2.1", mektup.ports["imap"]) as client:
        client.say(b"a ID (" + literal(b"name") + b" " + literal(b"\r\n" + forged[:900]) + b")")
        client.line()
        assert b" OK " in client.say(b"b LOGIN linda Pa$$123")
    with Client("127.0.2.2", mektup.ports["imap"]) as client:
        client.say(forged)
        client.say(b"a LOGIN linda")
        client.say(b"a AUTHENTICATE PLAIN " + base64.b64encode(forged))
    with Client("127.0.2.3", mektup.ports["pop3"]) as client:
        client.say(b"USER linda")
        assert client.say(b"PASS Pa$$123").startswith(b"+OK")
    with Client("127.0.2.4", mektup.ports["lmtp"]) as client:
        client.say(b"LHLO auth_failed address='9.9.9.9'")
        client.say(JSON_LINE.encode())


@contextmanager
def attacked(folder: Path, form: str) -> Iterator[tuple[Path, list[str]]]:
    """The log of a server after all of that, and the addresses of the failures."""
    with Mektup(folder, workers=2, settings=f"[log]\nformat = '{form}'") as mektup:
        mektup.add_user("linda", "Pa$$123")
        succeed_and_forge(mektup)
        failed = fail_in_every_way(mektup)
    yield mektup.log, failed


@pytest.fixture
def fail2ban(tmp_path: Path) -> Program:
    return program("fail2ban-regex", "fail2ban", tmp_path)


def found(fail2ban: Program, log: Path) -> list[tuple[str, float]]:
    """The failures that the filter finds: address and time."""
    said = fail2ban.run("-o", "<ip> <time>", log, FILTER).decode()
    return [(address, float(at)) for address, at in (line.split(" ") for line in said.splitlines())]


@pytest.mark.timeout(180)  # passwords are hashed
@pytest.mark.parametrize("form", ["text", "json"])
def test_all_failures_and_nothing_else_are_found_in_a_real_log(fail2ban: Program, tmp_path: Path, form: str) -> None:
    began = time.time()
    with attacked(tmp_path / "server", form) as (log, failed):
        failures = found(fail2ban, log)
        assert sorted(address for address, _ in failures) == sorted(failed)
        # no name that looks like a date changes when it happened
        assert all(began - 2 < at < time.time() + 2 for _, at in failures)


@pytest.mark.parametrize("form", ["text", "json"])
def test_lines_that_came_through_syslog(fail2ban: Program, tmp_path: Path, form: str) -> None:
    log, lines = tmp_path / "log", tmp_path / "lines"
    with lines.open("w") as out:
        made = logs.logger("info", form, out).bind(worker=0, session="ab", protocol="imap", address="192.0.2.7")
        for name in NAMES:
            shown = name.encode()[:256].decode(errors="backslashreplace")
            made.warning("auth_failed", user=shown, ip="192.0.2.7", mech="LOGIN", reason="AUTHENTICATIONFAILED")
            made.info("client_id", client=name)
    prefix = time.strftime("%b %d %H:%M:%S host mektup[42]: ")
    log.write_text("".join(prefix + line + "\n" for line in lines.read_text().split("\n")[:-1]))
    assert [address for address, _ in found(fail2ban, log)] == ["192.0.2.7"] * len(NAMES)


def test_a_refusal_that_is_no_failure_of_the_client_is_passed_over(fail2ban: Program, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as out:
        made = logs.logger("info", "text", out).bind(session="ab", protocol="imap", address="192.0.2.7")
        for reason in ("UNAVAILABLE", "AUTHORIZATIONFAILED", "LIMIT"):
            made.warning("auth_failed", user="linda", ip="192.0.2.7", mech="LOGIN", reason=reason)
        made.warning("login_refused", reason="the connection is not encrypted")
    assert found(fail2ban, log) == []


def test_the_jail_is_one_that_fail2ban_reads(tmp_path: Path) -> None:
    client = program("fail2ban-client", "fail2ban", tmp_path)
    folder = tmp_path / "etc"
    shutil.copytree("/etc/fail2ban", folder, ignore=shutil.ignore_patterns("jail.d", "jail.local"))
    shutil.copytree(FILTER.parents[1] / "jail.d", folder / "jail.d")
    shutil.copy(FILTER, folder / "filter.d")
    said = client.run("-c", folder, "-d").decode()
    assert "'mektup'" in said
    assert "auth_failed" in said
    assert "ERROR" not in said
