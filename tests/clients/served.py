"""The server that the clients talk to: ``mektup serve`` as a process of its own, with two workers.

With ``MEKTUP_CLIENTS_SERVER=dovecot`` it is a Dovecot instead, which shows whether a test is right.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from bench.dovecot import Dovecot
from bench.ports import PROTOCOLS, choose_ports, wait_for_listener

MEKTUP = str(Path(sys.executable).with_name("mektup"))
HOST = "127.0.0.1"
WORKERS = 2
WITNESS = os.environ.get("MEKTUP_CLIENTS_SERVER") == "dovecot"
"""Whether a Dovecot plays the server, to try the tests themselves."""


class Served(Protocol):
    """A server that is up."""

    @property
    def ports(self) -> dict[str, int]: ...

    @property
    def pid(self) -> int: ...

    @property
    def certificate(self) -> Path | None:
        """Its own certificate in PEM, self-signed."""

    def add_user(self, name: str, password: str) -> None:
        """Adds an account; it can log in at once."""


@dataclass(frozen=True, slots=True)
class Account:
    """An account made for one test."""

    server: Served
    name: str
    password: str

    def port(self, protocol: str) -> int:
        """Where the server listens for ``imap``, ``imaps``, ``pop3``, ``pop3s`` or ``lmtp``."""
        return self.server.ports[protocol]

    @property
    def certificate(self) -> Path:
        """The server's certificate, which is its own authority."""
        assert self.server.certificate is not None
        return self.server.certificate


def mektup(*words: str, standard_input: str = "") -> str:
    """What a ``mektup`` command prints; its exit status must be 0."""
    command = [MEKTUP, *words]
    done = subprocess.run(command, input=standard_input, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout


class MektupProcess:
    """``mektup serve`` on a data directory below *folder*."""

    def __init__(self, folder: Path, *, workers: int = WORKERS) -> None:
        self.ports = choose_ports(PROTOCOLS)
        self.data = folder / "data"
        self.log = folder / "log"
        self.configuration = folder / "mektup.toml"
        listen = "".join(f'{protocol} = ["{HOST}:{port}"]\n' for protocol, port in self.ports.items())
        self.configuration.write_text(f'data = "{self.data}"\nworkers = {workers}\n\n[listen]\n{listen}')
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and returns when it answers on every port."""
        with self.log.open("ab") as log:
            command = [MEKTUP, "serve", "--config", str(self.configuration)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        for port in self.ports.values():
            wait_for_listener(self._process, port)

    def stop(self) -> None:
        """Ends it by SIGTERM, which it must answer with exit status 0."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(timeout=30) == 0, self.log.read_text()

    @property
    def pid(self) -> int:
        """The parent of the workers."""
        assert self._process is not None
        return self._process.pid

    @property
    def certificate(self) -> Path | None:
        """The self-signed one that it made for itself."""
        found = [path for path in (self.data / "tls").iterdir() if "BEGIN CERTIFICATE" in path.read_text()]
        return found[0] if found else None

    def add_user(self, name: str, password: str) -> None:
        """Adds an account with the command line, while the server runs."""
        mektup(
            "user", "add", name, "--password-stdin", "--config", str(self.configuration), standard_input=f"{password}\n"
        )

    @property
    def bugs(self) -> str:
        """What the log says of errors of its own; empty when all is well."""
        text = self.log.read_text(errors="replace")
        return text if re.search(r"Traceback|SERVERBUG|level=error|\[error|\"error\"", text) else ""


class Witness(Dovecot):
    """A Dovecot that has the accounts of all tests from the start."""

    def __init__(self, folder: Path) -> None:
        users = dict(_name_and_password(number) for number in range(1, 1000))
        super().__init__(folder, users, certificate=folder / "cert.pem", key=_self_signed(folder))

    def add_user(self, name: str, password: str) -> None:
        """There is nothing to do."""


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """The server under test, for as long as the ``with`` lasts; afterwards, its log must be free of bugs."""
    if WITNESS:
        with Witness(folder) as witness:
            yield witness
        return
    server = MektupProcess(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
    assert not server.bugs, server.bugs


def _self_signed(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    key, certificate = folder / "key.pem", folder / "cert.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(
        [*made, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True, timeout=60
    )
    return key


_numbers = count(1)


def _name_and_password(number: int) -> tuple[str, str]:
    return f"reader{number}", f"Pa$$word{number}"


def new_account(server: Served) -> Account:
    """An account that no other test uses."""
    account = Account(server, *_name_and_password(next(_numbers)))
    server.add_user(account.name, account.password)
    return account
