"""SIGHUP applies all of a new configuration, or nothing of it."""

from __future__ import annotations

import contextlib
import imaplib
import os
import poplib
import re
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mektup.server import self_signed

from .process import serving
from .test_workers import House, login, until, with_linda


@pytest.fixture(params=[1, 2], ids=["one process", "two workers"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    with_linda(tmp_path)
    pair = self_signed.pair_under(tmp_path / "tls", "mektup")
    more = f'[tls]\ncert = "{pair.cert}"\nkey = "{pair.key}"\n'
    with serving(tmp_path, workers=request.param, more=more) as process:
        yield House(tmp_path, process, pair)


def greeting(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        return client.recv(1000)


def plaintext_is_taken(house: House) -> bool:
    client = imaplib.IMAP4("127.0.0.1", house.process.ports["imap"], timeout=20)
    with contextlib.closing(client.sock):
        return "LOGINDISABLED" not in client.capabilities


def everything_else_changes(house: House) -> str:
    """The configuration with POP3 closed, another Unix socket, a new limit, and no password in the clear."""
    text = house.config.read_text()
    text = text.replace('pop3 = ["127.0.0.1:0"]', "pop3 = []").replace("unix:lmtp.sock", "unix:other.sock")
    return text + '[auth]\nplaintext = "never"\n[limits]\nlogin_failures = 1\n'


def missing_certificate(house: House, stack: contextlib.ExitStack) -> str:
    return everything_else_changes(house).replace(str(house.pair.cert), "/nowhere/tls.crt")


def key_of_another(house: House, stack: contextlib.ExitStack) -> str:
    other = house.directory / "other.key"
    other.write_bytes(self_signed.make("other")[1])
    return everything_else_changes(house).replace(str(house.pair.key), str(other))


def taken_port(house: House, stack: contextlib.ExitStack) -> str:
    taken = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    return everything_else_changes(house).replace(
        'imaps = ["127.0.0.1:0"]', f'imaps = ["127.0.0.1:0", "127.0.0.1:{taken.getsockname()[1]}"]'
    )


def no_such_host(house: House, stack: contextlib.ExitStack) -> str:
    return everything_else_changes(house).replace('imaps = ["127.0.0.1:0"]', 'imaps = ["no.such.invalid:993"]')


def taken_path(house: House, stack: contextlib.ExitStack) -> str:
    (house.directory / "file").write_text("not a socket")
    return everything_else_changes(house).replace("unix:other.sock", "unix:file")


def wrong_limit(house: House, stack: contextlib.ExitStack) -> str:
    return everything_else_changes(house) + "idle_seconds = -1\n"


FAULTS = [missing_certificate, key_of_another, taken_port, no_such_host, taken_path, wrong_limit]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_reload_that_fails_leaves_nothing_of_it_in_force(
    house: House, fault: Callable[[House, contextlib.ExitStack], str]
) -> None:
    client = login(house.process)
    before = house.config.read_text()
    with contextlib.ExitStack() as stack:
        house.config.write_text(fault(house, stack))
        assert house.hang_up("not_reloaded")["consequence"] == "all stays as it was"
    for _ in range(6):
        assert plaintext_is_taken(house)
        assert greeting(house.process.ports["pop3"]).startswith(b"+OK")
        pop = poplib.POP3("127.0.0.1", house.process.ports["pop3"], timeout=20)
        pop.quit()
    with socket.socket(socket.AF_UNIX) as lmtp:
        lmtp.settimeout(20)
        lmtp.connect(str(house.directory / "lmtp.sock"))
        assert lmtp.recv(100).startswith(b"220 ")
    assert not (house.directory / "other.sock").exists()
    assert client.noop()[0] == "OK"
    client.logout()
    house.config.write_text(before)
    house.hang_up("reloaded")
    login(house.process).logout()


def test_a_successful_reload_is_in_force_when_it_is_logged(house: House) -> None:
    client = login(house.process)
    house.config.write_text(everything_else_changes(house))
    house.hang_up("reloaded")
    until(lambda: not plaintext_is_taken(house))
    for _ in range(6):
        assert not plaintext_is_taken(house)
        # the port is free now, and a server of another test may have it
        assert not _greeting_or_nothing(house.process.ports["pop3"]).startswith(b"+OK")
    assert not (house.directory / "lmtp.sock").exists()
    with socket.socket(socket.AF_UNIX) as lmtp:
        lmtp.settimeout(20)
        lmtp.connect(str(house.directory / "other.sock"))
        assert lmtp.recv(100).startswith(b"220 ")
    assert client.noop()[0] == "OK"
    client.logout()


def test_an_address_may_become_wider_and_narrower_and_another_service(house: House) -> None:
    port = house.process.ports["imap"]
    text = house.config.read_text()
    for place in (f'imap = ["127.0.0.1:{port}"]', f'imap = ["*:{port}"]', f'imap = ["127.0.0.1:{port}"]'):
        house.config.write_text(text.replace('imap = ["127.0.0.1:0"]', place))
        house.hang_up("reloaded")
        until(lambda: greeting(port).startswith(b"* OK"))
    house.config.write_text(
        text.replace('imap = ["127.0.0.1:0"]', "").replace('pop3 = ["127.0.0.1:0"]', f'pop3 = ["127.0.0.1:{port}"]')
    )
    house.hang_up("reloaded")
    until(lambda: _greeting_or_nothing(port).startswith(b"+OK"))
    assert all(_greeting_or_nothing(port).startswith(b"+OK") for _ in range(8))


def _greeting_or_nothing(port: int) -> bytes:
    try:
        return greeting(port)
    except ConnectionError:
        return b""


def test_reloads_that_come_one_after_the_other_are_all_done(house: House) -> None:
    since = len(house.process.log)
    for _ in range(5):
        house.process.signal(signal.SIGHUP)
    house.process.until("reloaded", since)
    assert not [entry for entry in house.process.log if entry["event"] == "not_reloaded"]
    login(house.process).logout()


def test_a_worker_that_cannot_apply_it_keeps_all_workers_unchanged(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=2) as process:
        hung = process.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        text = (tmp_path / "mektup.toml").read_text()
        changed = text.replace('pop3 = ["127.0.0.1:0"]', "pop3 = []")
        (tmp_path / "mektup.toml").write_text(changed)
        process.signal(signal.SIGHUP)
        assert re.search(r"worker \d does not answer", process.until("not_reloaded")["reason"])
        os.kill(hung, signal.SIGCONT)
        for _ in range(8):
            assert greeting(process.ports["pop3"]).startswith(b"+OK")
