"""A server whose log cannot be written: mail is served, workers stay, and the server ends normally."""

from __future__ import annotations

import contextlib
import imaplib
import os
import poplib
import re
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from mektup.server.log_writer import QUEUE_BYTES
from tests.server.test_workers import until, user, with_linda

SERVICES = ("imap", "pop3", "lmtp", "metrics")


def free_ports() -> dict[str, int]:
    with contextlib.ExitStack() as stack:
        made = {service: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for service in SERVICES}
        return {service: each.getsockname()[1] for service, each in made.items()}


class Mute:
    """A server without a readable log; only its ports are known."""

    def __init__(self, directory: Path, stderr: int | None, workers: int, more: str = "") -> None:
        with_linda(directory)
        user(directory, "add", "deniz", "--password-stdin")
        self.ports = free_ports()
        config = directory / "mektup.toml"
        listen = "".join(f'{service} = ["127.0.0.1:{port}"]\n' for service, port in self.ports.items())
        config.write_text(f'data = "data"\nworkers = {workers}\n[listen]\n{listen}{more}')
        command = [sys.executable, "-m", "mektup", "serve", "--config", str(config)]
        if stderr is None:
            command = ["/bin/sh", "-c", 'exec "$@" 2>&- 1>&- 0>&-', "sh", *command]
        self.process = subprocess.Popen(command, stderr=stderr, stdin=subprocess.DEVNULL)
        until(lambda: self.health().startswith(f"{workers} of {workers} "))

    def health(self) -> str:
        try:
            return str(urlopen(f"http://127.0.0.1:{self.ports['metrics']}/health", timeout=5).read().decode())
        except OSError:
            return ""

    def counted(self, name: str) -> float:
        page = urlopen(f"http://127.0.0.1:{self.ports['metrics']}/metrics", timeout=5).read().decode()
        return sum(float(value) for value in re.findall(rf"^{name}\S* (\S+)$", page, re.MULTILINE))

    def workers(self) -> list[int]:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def greet_with_id(self, times: int) -> None:
        """Sends ID again and again without a login, and reads the answers."""
        with socket.create_connection(("127.0.0.1", self.ports["imap"]), timeout=20) as client:
            file = client.makefile("rb")
            assert file.readline().startswith(b"* OK ")
            for _ in range(times):
                client.sendall(b'a ID ("name" "%b")\r\n' % (b"x" * 1000))
                while not file.readline().startswith(b"a OK"):
                    continue

    def use(self) -> None:
        """Uses the server: a login by each protocol, and a delivery to two recipients."""
        client = imaplib.IMAP4("127.0.0.1", self.ports["imap"], timeout=20)
        client.login("linda", "Pa$$123")
        assert client.noop()[0] == "OK"
        client.logout()
        pop = poplib.POP3("127.0.0.1", self.ports["pop3"], timeout=20)
        pop.user("linda")
        assert pop.pass_("Pa$$123").startswith(b"+OK")
        pop.quit()
        with smtplib.LMTP("127.0.0.1", self.ports["lmtp"], timeout=20) as lmtp:
            # smtplib reads one reply to the data, but there are two
            assert lmtp.sendmail("a@example.org", ["linda", "deniz"], b"Subject: x\r\n\r\nx\r\n") == {}
            assert lmtp.getreply()[0] == 250

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


@contextlib.contextmanager
def mute(directory: Path, stderr: int | None, workers: int = 1, more: str = "") -> Iterator[Mute]:
    server = Mute(directory, stderr, workers, more)
    try:
        yield server
        assert server.stop() == 0
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait(20)


@pytest.fixture(params=["full disk", "closed", "reader gone"])
def stderr(request: pytest.FixtureRequest) -> Iterator[int | None]:
    """A stderr that cannot be written from the start."""
    match request.param:
        case "full disk":
            descriptor = os.open("/dev/full", os.O_WRONLY)
        case "closed":
            yield None
            return
        case _:
            reader, descriptor = os.pipe()
            os.close(reader)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize("workers", [1, 2])
def test_mail_goes_on_without_a_log(tmp_path: Path, stderr: int | None, workers: int) -> None:
    with mute(tmp_path, stderr, workers) as server:
        for _ in range(3):
            server.use()
        until(lambda: server.counted("mektup_log_lines_dropped_total") > 0)
        # mail goes on, so this is a warning, and the server stays healthy
        until(lambda: "the log cannot be written" in server.health())
        if workers > 1:
            dead = server.workers()[0]
            os.kill(dead, signal.SIGKILL)
            until(lambda: dead not in server.workers() and server.health().startswith("2 of 2"))
            server.use()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stopped_log_reader_delays_nothing(tmp_path: Path, workers: int) -> None:
    reader, descriptor = os.pipe()
    try:
        with mute(tmp_path, descriptor, workers, '[log]\nlevel = "debug"\n') as server:
            # more than a pipe holds
            for _ in range(30):
                server.use()
            began = time.monotonic()
            server.process.terminate()
            assert server.process.wait(20) == 0
            assert time.monotonic() - began < 10
    finally:
        os.close(reader)
        os.close(descriptor)


def test_one_connection_without_a_login_cannot_fill_the_log(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log, mute(tmp_path, log.fileno()) as server:
        server.greet_with_id(3000)
    text = (tmp_path / "log").read_text()
    assert text.count("client_id") == 1
    assert len(text) < 10_000


def churn(count: int, one: Callable[[int], None]) -> None:
    for number in range(count):
        one(number)


def test_refused_connections_are_logged_as_a_number(tmp_path: Path) -> None:
    limits = "[limits]\nconnections_per_address_before_login = 2\n"
    with open(tmp_path / "log", "wb") as log, mute(tmp_path, log.fileno(), more=limits) as server:
        there = [socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=20) for _ in range(2)]
        for client in there:
            assert client.recv(1000).startswith(b"* OK ")

        def refused(number: int) -> None:
            with socket.create_connection(("127.0.0.1", server.ports["imap"]), timeout=20) as client:
                assert client.recv(1000).startswith(b"* BYE ")

        churn(300, refused)
        assert server.counted("mektup_refused_connections_total") == 300
        for client in there:
            client.close()
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if "connection_refused" in line]
    assert sum(int(found) for line in lines for found in re.findall(r"connections=(\d+)", line)) == 300
    assert len(lines) < 20


def test_queued_lines_are_written_at_the_end(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log, mute(tmp_path, log.fileno(), workers=2) as server:
        server.use()
    lines = (tmp_path / "log").read_text().splitlines()
    assert "stopped" in lines[-1]
    assert sum("delivered" in line for line in lines) >= 1
    assert QUEUE_BYTES > len("".join(lines))
