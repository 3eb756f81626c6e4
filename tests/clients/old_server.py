"""A Dovecot from which users move to mektup, and a connection to it that breaks."""

from __future__ import annotations

import imaplib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.dovecot import Dovecot, missing

from .mail import SAMPLES, message
from .programs import absent
from .scale import SECONDS
from .served import HOST, Served

PASSWORD = "Old$Pass word"
MASTER = ("admin", "Master$Pass")

MAILDIR = "mail_location = maildir:~/Maildir"
DOTS = """
namespace inbox {
  prefix = INBOX.
  separator = .
}
"""
TOGETHER = 500
"""Messages of one APPEND."""

UNSAFE = "mail_fsync = never"
"""No test takes the old server's power away."""

MASTERS = """
passdb {{
  driver = passwd-file
  master = yes
  args = {folder}/masters
}}
"""


class OldServer:
    """The running Dovecot."""

    def __init__(self, dovecot: Dovecot) -> None:
        self.dovecot = dovecot

    @property
    def certificate(self) -> Path:
        """Its self-signed certificate."""
        assert self.dovecot.certificate is not None
        return self.dovecot.certificate

    def url(self, user: str = "", scheme: str = "imap") -> str:
        """Its address for ``mektup import``."""
        return f"{scheme}://{user + '@' if user else ''}127.0.0.1:{self.dovecot.ports[scheme]}"

    @contextmanager
    def session(self, user: str) -> Iterator[imaplib.IMAP4]:
        """An imaplib session of *user*."""
        client = imaplib.IMAP4(HOST, self.dovecot.ports["imap"], timeout=30)
        client.login(user, PASSWORD)
        try:
            yield client
        finally:
            client.logout()


@contextmanager
def old_server(users: Sequence[str], settings: str = "") -> Iterator[OldServer]:
    """A Dovecot with accounts for *users*; the test is skipped where it is not installed."""
    if (reason := missing()) is not None:
        absent(reason)
    folder = Path(tempfile.mkdtemp(prefix="mektup-old-"))
    folder.chmod(0o755)
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*made, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60
    )
    (folder / "masters").write_text(f"{MASTER[0]}:{{PLAIN}}{MASTER[1]}\n")
    with_masters = "\n".join([settings, UNSAFE, MASTERS.format(folder=folder)])
    passwords = dict.fromkeys(users, PASSWORD)
    try:
        with Dovecot(folder, passwords, certificate=certificate, key=key, settings=with_masters) as dovecot:
            yield OldServer(dovecot)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fill(server: OldServer, user: str, *, messages: int, prefix: str = "", delimiter: str = "/") -> None:
    """Gives *user* some mailboxes with *messages* messages each, with gaps between UIDs, flags and dates."""
    folders = ["INBOX", f"{prefix}Work", f"{prefix}Work{delimiter}&AMc-al&ATEBXw-ma 2026", f"{prefix}Sent"]
    with server.session(user) as client:
        for folder in folders[1:]:
            client.create(f'"{folder}"')
            client.subscribe(f'"{folder}"')
        for folder in folders:
            _append_all(client, folder, [_message(folder, number) for number in range(messages)])
            client.select(f'"{folder}"')
            client.uid("STORE", "2,5:7", "+FLAGS", "(\\Deleted)")
            client.expunge()
            client.unselect() if "UNSELECT" in client.capabilities else client.close()


def _message(folder: str, number: int) -> tuple[str, bytes]:
    """The flags and date of a message, as APPEND has them, and its octets."""
    raw = SAMPLES[number % len(SAMPLES)] if number % 3 else message(f"{folder[:4]} {number}", b"text\n" * number)
    flags = ("", "\\Seen", "\\Seen \\Answered", "\\Flagged $Forwarded", "\\Seen Work")[number % 5]
    return f'({flags}) "{number % 28 + 1:02d}-Jan-2025 10:20:30 +0300"', raw


def _append_all(client: imaplib.IMAP4, folder: str, messages: Sequence[tuple[str, bytes]]) -> None:
    """Appends *messages* by few commands (RFC 3502), as an answer to each of thousands takes minutes."""
    for first in range(0, len(messages), TOGETHER):
        parts = [b'fill APPEND "%b"' % folder.encode()]
        for how, raw in messages[first : first + TOGETHER]:
            parts.append(b" %b {%d+}\r\n%b" % (how.encode(), len(raw), raw))
        client.send(b"".join([*parts, b"\r\n"]))
        while not (answer := client.readline()).startswith(b"fill "):
            assert answer.startswith(b"* "), answer
        assert answer.startswith(b"fill OK"), answer


class Cutting:
    """A proxy that passes on at most so many octets from the server to the client, and then ends the connection."""

    def __init__(self, port: int, octets: int) -> None:
        self._to, self._octets = port, octets
        self._listener = socket.create_server((HOST, 0))
        self.port = self._listener.getsockname()[1]
        self.cut = 0
        """How many connections were cut."""

    def __enter__(self) -> Cutting:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._pass_on, args=[client], daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with client, socket.create_connection((HOST, self._to)) as server, suppress(OSError):
            threading.Thread(target=_copy, args=[client, server], daemon=True).start()
            left = self._octets
            while piece := server.recv(min(left, 65536)):
                client.sendall(piece)
                left -= len(piece)
                if not left:
                    self.cut += 1
                    # a thread waits for the client, so closing alone would not end the connection
                    client.shutdown(socket.SHUT_RDWR)
                    break


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


def mektup(served: Served, *words: str | Path, typed: str = "", status: int = 0) -> str:
    """Runs ``mektup`` for the data of *served*; returns what it prints, and fails for another exit *status*."""
    program = Path(sys.executable).with_name("mektup")
    command = [str(program), *map(str, words), "--config", str(served.configuration)]  # type: ignore[attr-defined]
    done = subprocess.run(
        command,
        input=typed,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    printed = done.stdout + done.stderr
    assert done.returncode == status, f"{command}: {done.returncode}\n{printed}"
    assert "Traceback" not in printed, printed
    return printed
