"""The server for the clients: ``mektup serve`` as a child process, with two workers.

With ``MEKTUP_CLIENTS_SERVER=dovecot`` it is a Dovecot instead, to check the tests themselves.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from bench.dovecot import Dovecot
from bench.mektup import Mektup

HOST = "127.0.0.1"
WORKERS = 2
WITNESS = os.environ.get("MEKTUP_CLIENTS_SERVER") == "dovecot"
"""Whether a Dovecot plays the server, to try the tests themselves."""


class Served(Protocol):
    """A running server."""

    @property
    def ports(self) -> dict[str, int]: ...

    @property
    def pid(self) -> int: ...

    @property
    def certificate(self) -> Path | None:
        """Its self-signed certificate in PEM."""

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
        """The server's self-signed certificate in PEM."""
        assert self.server.certificate is not None
        return self.server.certificate


class Witness(Dovecot):
    """A Dovecot that has the accounts of all tests from the start."""

    def __init__(self, folder: Path) -> None:
        users = dict(_name_and_password(number) for number in range(1, 1000))
        super().__init__(folder, users, certificate=folder / "cert.pem", key=_self_signed(folder))

    def add_user(self, name: str, password: str) -> None:
        """Does nothing, because every account exists."""


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """The server under test, until the ``with`` ends; then its log must have no bugs."""
    if WITNESS:
        with Witness(folder) as witness:
            yield witness
        return
    with Mektup(folder, workers=WORKERS) as mektup:
        yield mektup
    log = mektup.log.read_text(errors="replace")
    assert not re.search(r"Traceback|SERVERBUG", log), log


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
