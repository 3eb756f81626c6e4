"""Several processes as one server: what one does the others show, and the death of one is no more than that."""

from __future__ import annotations

import asyncio
import imaplib
import os
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from mektup import Server
from mektup.server import accounts, self_signed

from .process import Process, is_alive, serving

NOTE = b"Subject: note\r\n\r\nhello\r\n"


def user(directory: Path, *arguments: str, password: str = "Pa$$123") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "mektup", "user", *arguments, "--data", str(directory / "data")],
        input=password,
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
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
            if os.readlink(descriptor) == f"socket:[{inode}]":
                return pid
    raise LookupError(inode)


def login_on_both(process: Process) -> tuple[imaplib.IMAP4, imaplib.IMAP4]:
    """Two clients on two workers; the kernel chooses, so one tries until it did."""
    first = login(process)
    for _ in range(64):
        second = login(process)
        if worker_of(second, process) != worker_of(first, process):
            return first, second
        second.logout()
    raise AssertionError("all connections went to one worker")


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_linda(tmp_path_factory.mktemp("two"))


@pytest.fixture(scope="module")
def two(directory: Path) -> Iterator[Process]:
    with serving(directory, workers=2) as process:
        yield process


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
            # whichever worker took it, one of the two is the other's
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
    # nothing is queued for the dead, so everyone is served at once
    for _ in range(8):
        login(two).logout()
    until(lambda: len(two.workers()) == 2 and set(two.workers()) != before)
    survivor.append("Sent", None, None, NOTE)  # type: ignore[arg-type]
    assert survivor.noop()[0] == "OK"
    until(lambda: b"2 of 2" in urlopen(f"http://127.0.0.1:{two.ports['metrics']}/health", timeout=5).read())
    first, second = login_on_both(two)
    assert dead not in (worker_of(first, two), worker_of(second, two))
    # what the dead one was on the bus is gone, and its successor is there
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


@pytest.mark.parametrize("workers", [1, 2])
def test_hanging_up_swaps_the_certificate_and_drops_nobody(tmp_path: Path, workers: int) -> None:
    with_linda(tmp_path)
    pair = self_signed.pair_under(tmp_path / "tls", "mektup")
    first = pair.cert.read_text()
    more = f'[tls]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
    with serving(tmp_path, workers=workers, more=more) as process:
        client = imaplib.IMAP4_SSL(
            "127.0.0.1", process.ports["imaps"], ssl_context=ssl.create_default_context(cadata=first), timeout=20
        )
        client.login("linda", "Pa$$123")
        cert, key = self_signed.make("other")
        pair.key.write_bytes(key)
        pair.cert.write_bytes(cert)
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        fresh = ssl.create_default_context(cadata=cert.decode())

        def takes_the_new_one() -> bool:
            try:
                imaplib.IMAP4_SSL("127.0.0.1", process.ports["imaps"], ssl_context=fresh, timeout=20).logout()
            except ssl.SSLError:
                return False
            return True

        # a worker takes it up a moment after its parent did
        until(lambda: all(takes_the_new_one() for _ in range(6)))
        assert client.noop()[0] == "OK"
        client.logout()


@pytest.mark.parametrize("workers", [1, 2])
def test_hanging_up_opens_and_closes_addresses(tmp_path: Path, workers: int) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=workers) as process:
        client = login(process)
        config = tmp_path / "mektup.toml"
        text = config.read_text()
        config.write_text(
            text.replace('"unix:lmtp.sock"', '"unix:other.sock"').replace('imaps = ["127.0.0.1:0"]', "imaps = []")
        )
        process.signal(signal.SIGHUP)
        process.until("reloaded")
        assert not (tmp_path / "lmtp.sock").exists()
        with socket.socket(socket.AF_UNIX) as lmtp:
            lmtp.connect(str(tmp_path / "other.sock"))
            lmtp.settimeout(20)
            assert lmtp.recv(1000).startswith(b"220 ")

        def is_closed() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", process.ports["imaps"])):
                    return False
            except ConnectionRefusedError:
                return True

        until(is_closed)
        assert client.noop()[0] == "OK"
        client.logout()
        login(process).logout()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_broken_configuration_changes_nothing(tmp_path: Path, workers: int) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=workers) as process:
        config = tmp_path / "mektup.toml"
        text = config.read_text()
        config.write_text(text + "\n[limits]\nidle_secnds = 3\n")
        process.signal(signal.SIGHUP)
        assert "did you mean limits.idle_seconds?" in process.until("not_reloaded")["reason"]
        login(process).logout()
        config.write_text(text)


def test_metrics_name_the_worker(two: Process) -> None:
    first, second = login_on_both(two)
    page = urlopen(f"http://127.0.0.1:{two.ports['metrics']}/metrics", timeout=5).read().decode()
    for worker in ("0", "1"):
        assert f'mektup_logins_total{{protocol="imap",worker="{worker}"}}' in page
    assert "mektup_workers_up 2.0" in page
    first.logout()
    second.logout()


def test_a_command_is_seen_at_once(two: Process, directory: Path) -> None:
    user(directory, "add", "deniz", "--password-stdin")
    for _ in range(4):
        login(two, "deniz").logout()
    user(directory, "passwd", "deniz", "--password-stdin", password="other")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        login(two, "deniz")
    user(directory, "remove", "deniz", "--yes")
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        login(two, "deniz")
    assert user(directory, "list") == "linda\n"


def test_two_servers_on_one_directory_hear_each_other(tmp_path: Path) -> None:
    with_linda(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "data").symlink_to(tmp_path / "data")
    with serving(tmp_path) as first, serving(other, alone=False) as second:
        here, there = login(first), login(second)
        here.select()
        there.select()
        here.append("INBOX", None, None, NOTE)  # type: ignore[arg-type]
        there.response("EXISTS")
        there.noop()
        assert there.response("EXISTS") == ("EXISTS", [b"1"])
        here.logout()
        there.logout()


def test_an_address_that_is_taken_is_told(two: Process, tmp_path: Path) -> None:
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
    assert done.stderr.startswith("mektup: cannot listen at 127.0.0.1:")
    assert "Address already in use" in done.stderr
    assert len(done.stderr.splitlines()) == 1
