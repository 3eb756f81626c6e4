"""Several processes act as one server: the others show what one does, and go on if one dies."""

from __future__ import annotations

import asyncio
import imaplib
import os
import poplib
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from mektup import Server
from mektup.server import accounts, self_signed
from tests.support.command import mektup

from .process import Entry, Process, is_alive, serving

NOTE = b"Subject: note\r\n\r\nhello\r\n"


def user(directory: Path, *arguments: str, password: str = "Pa$$123") -> str:
    done = mektup("user", *arguments, "--data", str(directory / "data"), typed=password)
    assert done.status == 0, done.stderr
    return done.stdout


def with_linda(directory: Path) -> Path:
    """The same directory, with an account in it."""

    async def add() -> None:
        async with Server(directory / "data", listen={}) as server:
            await accounts.set_password(server.store, "linda", "Pa$$123", passing=True)

    asyncio.run(add())
    return directory


def login(process: Process, name: str = "linda") -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", process.ports["imap"], timeout=20)
    try:
        client.login(name, "Pa$$123")
    except imaplib.IMAP4.error:
        client.shutdown()
        raise
    return client


def until(predicate: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not predicate():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def worker_of(client: imaplib.IMAP4, process: Process) -> int:
    """The pid at the other end of *client*, found by its port in /proc."""
    ours = client.sock.getsockname()[1]
    listing = Path("/proc/net/tcp").read_text().splitlines()[1:]
    (inode,) = [
        row.split()[9]
        for row in listing
        if row.split()[2] == f"0100007F:{ours:04X}" and row.split()[1] == f"0100007F:{process.ports['imap']:04X}"
    ]
    for pid in process.workers():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            # another connection may be closed meanwhile
            with suppress(FileNotFoundError):
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return pid
    raise LookupError(inode)


def login_on_both(process: Process) -> tuple[imaplib.IMAP4, imaplib.IMAP4]:
    """Two clients on different workers. The kernel chooses the worker, so this connects until they differ."""
    first = login(process)
    for _ in range(64):
        second = login(process)
        if worker_of(second, process) != worker_of(first, process):
            return first, second
        second.logout()
    raise AssertionError("all connections went to one worker")


@dataclass(frozen=True, slots=True)
class House:
    """A server that several tests share; each leaves it as it was."""

    directory: Path
    process: Process
    pair: self_signed.Pair

    @property
    def config(self) -> Path:
        return self.directory / "mektup.toml"

    def hang_up(self, event: str) -> Entry:
        """Sends SIGHUP; returns the log entry about it."""
        since = len(self.process.log)
        self.process.signal(signal.SIGHUP)
        return self.process.until(event, since)


@contextmanager
def house(directory: Path, workers: int) -> Iterator[House]:
    with_linda(directory)
    pair = self_signed.pair_under(directory / "tls", "mektup")
    more = f'[tls]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
    with serving(directory, workers=workers, more=more) as process:
        yield House(directory, process, pair)


@pytest.fixture(scope="module")
def house_of_one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("one"), workers=1) as made:
        yield made


@pytest.fixture(scope="module")
def house_of_two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with house(tmp_path_factory.mktemp("two"), workers=2) as made:
        yield made


@pytest.fixture(params=["house_of_one", "house_of_two"])
def either(request: pytest.FixtureRequest) -> House:
    """A server of one process, and one of two workers."""
    found: House = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def two(house_of_two: House) -> Process:
    return house_of_two.process


def test_two_devices_on_two_workers(two: Process) -> None:
    phone, desk = login_on_both(two)
    phone.select("Drafts")
    desk.select("Drafts")
    desk.append("Drafts", None, None, NOTE)  # type: ignore[arg-type]
    phone.response("EXISTS")
    phone.noop()
    assert phone.response("EXISTS") == ("EXISTS", [b"1"])
    phone.store("1", "+FLAGS", "(\\Flagged)")
    desk.noop()
    assert b"\\Flagged" in desk.response("FETCH")[1][-1]  # type: ignore[operator]
    desk.store("1", "+FLAGS", "(\\Deleted)")
    desk.expunge()
    phone.noop()
    assert phone.response("EXPUNGE") == ("EXPUNGE", [b"1"])
    phone.logout()
    desk.logout()


def test_a_delivery_reaches_an_idle_on_another_worker_in_milliseconds(two: Process) -> None:
    phone, desk = login_on_both(two)
    for client in (phone, desk):
        there = int(client.select()[1][0] or b"")
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+ ")
    waits = []
    with smtplib.LMTP("127.0.0.1", two.ports["lmtp"]) as lmtp:
        for number in range(1, 6):
            lmtp.sendmail("deniz@example.org", ["linda@example.org"], NOTE)
            delivered = time.monotonic()
            # one of the two clients is served by the other worker
            for client in (phone, desk):
                while b" EXISTS" not in (line := client.readline()):
                    assert b" RECENT" in line
                assert line == b"* %d EXISTS\r\n" % (there + number)
            waits.append(time.monotonic() - delivered)
    assert min(waits) < 0.05
    for client in (phone, desk):
        client.send(b"DONE\r\n")
        while not (line := client.readline()).startswith(b"i "):
            assert b" RECENT" in line
        assert line.startswith(b"i OK")
        client.logout()


def test_a_killed_worker_is_survived(two: Process) -> None:
    victim, survivor = login_on_both(two)
    survivor.select("Sent")
    before = set(two.workers())
    dead = worker_of(victim, two)
    os.kill(dead, signal.SIGKILL)
    two.until("worker_died")
    # no connection is queued for the dead worker, so each is served at once
    for _ in range(8):
        login(two).logout()
    until(lambda: len(two.workers()) == 2 and set(two.workers()) != before)
    survivor.append("Sent", None, None, NOTE)  # type: ignore[arg-type]
    assert survivor.noop()[0] == "OK"
    until(lambda: b"2 of 2" in urlopen(f"http://127.0.0.1:{two.ports['metrics']}/health", timeout=5).read())
    first, second = login_on_both(two)
    assert dead not in (worker_of(first, two), worker_of(second, two))
    # the dead worker's socket of the bus is removed, and its successor's exists
    first.select("Sent")
    second.select("Sent")
    first.append("Sent", None, None, NOTE)  # type: ignore[arg-type]
    second.response("EXISTS")
    second.noop()
    assert second.response("EXISTS") == ("EXISTS", [b"2"])
    victim.shutdown()
    for client in (survivor, first, second):
        client.logout()


def test_workers_end_with_their_parent(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2, killed=True) as process:
        pids = process.workers()
        client = login(process)
        process.signal(signal.SIGKILL)
        until(lambda: not any(map(is_alive, pids)))
        assert client.readline().startswith(b"* BYE ")
        client.shutdown()


def test_stopping_says_goodbye_on_every_worker(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2) as process:
        clients = login_on_both(process)
        pids = process.workers()
        process.signal(signal.SIGTERM)
        for client in clients:
            assert client.readline().startswith(b"* BYE ")
            client.shutdown()
        assert process.wait() == 0
        assert not any(map(is_alive, pids))


def test_clients_that_connect_while_the_workers_are_busy_get_a_farewell(tmp_path: Path) -> None:
    with serving(tmp_path, workers=2) as process:
        pids = process.workers()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        waiting = [socket.create_connection(("127.0.0.1", process.ports["lmtp"]), timeout=20) for _ in range(8)]
        waiting.append(socket.socket(socket.AF_UNIX))
        waiting[-1].settimeout(20)
        waiting[-1].connect(str(tmp_path / "lmtp.sock"))
        process.signal(signal.SIGTERM)
        until(lambda: not (tmp_path / "lmtp.sock").exists())  # a server that stops accepts no more connections
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        for each in waiting:
            with each, each.makefile("rb") as said:
                assert said.read().splitlines()[-1].startswith(b"421 4.")
        assert process.wait() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_stopping_while_it_starts(tmp_path: Path, workers: int) -> None:
    config = tmp_path / "mektup.toml"
    config.write_text(f'data = "data"\nworkers = {workers}\n[listen]\nlmtp = ["unix:lmtp.sock"]\n')
    process = subprocess.Popen(
        [sys.executable, "-m", "mektup", "serve", "--config", str(config)], stderr=subprocess.PIPE, text=True
    )
    until(lambda: (tmp_path / "data" / "tls").exists())
    process.terminate()
    _, said = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert not (tmp_path / "lmtp.sock").exists()
    assert not list((tmp_path / "data").glob("run/*.bus"))


def test_sighup_replaces_the_certificate_and_drops_no_session(either: House) -> None:
    port = either.process.ports["imaps"]
    first = ssl.create_default_context(cadata=either.pair.cert.read_text())
    client = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=first, timeout=20)
    client.login("linda", "Pa$$123")
    cert, key = self_signed.make("other")
    either.pair.key.write_bytes(key)
    either.pair.cert.write_bytes(cert)
    either.hang_up("reloaded")
    fresh = ssl.create_default_context(cadata=cert.decode())

    def takes_the_new_one() -> bool:
        try:
            imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=fresh, timeout=20).logout()
        except ssl.SSLError:
            return False
        return True

    # a worker applies it a moment after its parent
    until(lambda: all(takes_the_new_one() for _ in range(6)))
    assert client.noop()[0] == "OK"
    client.logout()


def test_hanging_up_opens_and_closes_addresses(either: House) -> None:
    client = login(either.process)
    text = either.config.read_text()
    changed = text.replace('"unix:lmtp.sock"', '"unix:other.sock"').replace('pop3 = ["127.0.0.1:0"]', "pop3 = []")
    either.config.write_text(changed)
    either.hang_up("reloaded")
    assert not (either.directory / "lmtp.sock").exists()
    with socket.socket(socket.AF_UNIX) as lmtp:
        lmtp.connect(str(either.directory / "other.sock"))
        lmtp.settimeout(20)
        assert lmtp.recv(1000).startswith(b"220 ")

    def is_closed() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", either.process.ports["pop3"])):
                return False
        except ConnectionResetError:
            return False  # the connection came while a worker was closing the address
        except ConnectionRefusedError:
            return True

    until(is_closed)
    assert client.noop()[0] == "OK"
    client.logout()
    login(either.process).logout()
    port = either.process.ports["pop3"]  # port 0 would be another one now
    either.config.write_text(text.replace('pop3 = ["127.0.0.1:0"]', f'pop3 = ["127.0.0.1:{port}"]'))
    either.hang_up("reloaded")


def test_a_broken_configuration_changes_nothing(either: House) -> None:
    text = either.config.read_text()
    either.config.write_text(text + "\n[limits]\nidle_secnds = 3\n")
    assert "did you mean limits.idle_seconds?" in either.hang_up("not_reloaded")["reason"]
    login(either.process).logout()
    either.config.write_text(text)


def test_a_command_is_seen_at_once(house_of_two: House) -> None:
    two, directory = house_of_two.process, house_of_two.directory
    user(directory, "add", "deniz", "--password-stdin")
    for _ in range(4):
        login(two, "deniz").logout()
    user(directory, "passwd", "deniz", "--password-stdin", password="other")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        login(two, "deniz")
    user(directory, "remove", "deniz", "--yes")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        login(two, "deniz")
    assert user(directory, "list", "--names") == "linda\n"


def test_a_password_that_a_command_changes_ends_sessions_on_every_worker(house_of_two: House) -> None:
    process = house_of_two.process
    clients = [login(process) for _ in range(8)]
    for client in clients:
        client.send(b"i IDLE\r\n")
        assert client.readline().startswith(b"+ ")
    maildrops = [poplib.POP3("127.0.0.1", process.ports["pop3"], timeout=20) for _ in range(8)]
    for maildrop in maildrops:
        maildrop.user("linda")
        maildrop.pass_("Pa$$123")
    user(house_of_two.directory, "add", "ada", "--password-stdin")
    user(house_of_two.directory, "passwd", "linda", "--password-stdin", password="another")
    for client in clients:
        assert b"password was changed" in client.readline()
        client.shutdown()
    for maildrop in maildrops:
        assert maildrop.file is not None
        assert b"password was changed" in maildrop.file.readline()
        maildrop.close()
    ada = login(process, "ada")
    user(house_of_two.directory, "remove", "ada", "--yes")
    ada.send(b"a NOOP\r\n")
    while not (line := ada.readline()).startswith(b"* BYE"):
        ada.send(b"a NOOP\r\n")
    assert b"removed" in line
    ada.shutdown()
    user(house_of_two.directory, "passwd", "linda", "--password-stdin")


def test_two_servers_on_one_directory_hear_each_other(house_of_one: House, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(house_of_one.directory / "data")
    with serving(tmp_path, alone=False) as second:
        here, there = login(house_of_one.process), login(second)
        here.select()
        there.select()
        here.append("INBOX", None, None, NOTE)  # type: ignore[arg-type]
        there.response("EXISTS")
        there.noop()
        assert there.response("EXISTS") == ("EXISTS", [b"1"])
        here.logout()
        there.logout()


def test_an_address_in_use_is_an_error(two: Process, tmp_path: Path) -> None:
    config = tmp_path / "again.toml"
    config.write_text(f'data = "again"\nworkers = 2\n[listen]\nimap = ["127.0.0.1:{two.ports["imap"]}"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "mektup", "serve", "--config", str(config)],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"mektup: {config}: listen.imap: cannot listen at 127.0.0.1:")
    assert "Address already in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1
