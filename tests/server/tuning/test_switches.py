"""A server works with each optimization switched off, and with all of them switched off."""

from __future__ import annotations

import dataclasses
import imaplib
from pathlib import Path

import pytest

from mektup.server.tuning.switches import Tuning
from tests.server.process import Process, serving
from tests.support.command import mektup

PIECES = [field.name for field in dataclasses.fields(Tuning)]
NOTE = b"Subject: note\r\n\r\nhello\r\n"


def log_in(process: Process) -> imaplib.IMAP4:
    client = imaplib.IMAP4("127.0.0.1", process.ports["imap"], timeout=20)
    client.login("linda", "Pa$$123")
    client.select("INBOX")
    return client


def add_linda(directory: Path) -> None:
    done = mektup("user", "add", "linda", "--password-stdin", "--data", str(directory / "data"), typed="Pa$$123")
    assert done.status == 0, done.stderr


def use(process: Process) -> None:
    """One device waits in IDLE, another one sends commands quickly; the first is told of the changes."""
    phone, desk = log_in(process), log_in(process)
    phone.send(b"i IDLE\r\n")
    assert phone.readline().startswith(b"+ ")
    for _ in range(50):
        desk.noop()
    assert desk.append("INBOX", "", "", NOTE)[0] == "OK"
    while b"EXISTS" not in phone.readline():
        pass
    phone.send(b"DONE\r\n")
    while not phone.readline().startswith(b"i OK"):
        pass
    assert desk.noop()[0] == "OK"
    assert desk.fetch("1", "(BODY.PEEK[TEXT])")[1][0][1] == b"hello\r\n"  # type: ignore[index]
    for client in (phone, desk):
        client.logout()


@pytest.mark.parametrize("off", [*([piece] for piece in PIECES), PIECES], ids="+".join)
def test_a_server_serves_without_it(off: list[str], tmp_path: Path) -> None:
    add_linda(tmp_path)
    more = "[tuning]\n" + "".join(f"{piece} = false\n" for piece in off)
    with serving(tmp_path, more=more) as process:
        use(process)


def test_workers_serve_without_any(tmp_path: Path) -> None:
    add_linda(tmp_path)
    more = "[tuning]\n" + "".join(f"{piece} = false\n" for piece in PIECES)
    with serving(tmp_path, workers=2, more=more) as process:
        use(process)
