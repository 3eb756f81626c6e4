"""Dovecot's own client of its authentication protocol, ``doveadm auth test``, asks mektup."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mektup import Server
from tests.peer import dovecot

Ask = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def ask() -> Iterator[Ask]:
    """Asks for a name and a password, with parameters; returns the exit status and the lines of the answer."""
    if reason := dovecot.missing():
        pytest.skip(reason)
    doveadm = shutil.which("doveadm")
    assert doveadm is not None
    with tempfile.TemporaryDirectory(prefix="mektup-") as place:
        config, sasl = Path(place, "dovecot.conf"), Path(place, "sasl")
        config.write_text("ssl = no\n")

        def asking(name: str, password: str, *parameters: str) -> tuple[int, list[str]]:
            options = [word for parameter in parameters for word in ("-x", parameter)]
            done = subprocess.run(
                [doveadm, "-c", str(config), "auth", "test", "-a", str(sasl), *options, name, password],
                capture_output=True,
                text=True,
                timeout=30,
            )
            return done.returncode, [line.strip() for line in done.stdout.splitlines()]

        with Server(users={"linda": "Pa$$123", "çiğdem@example.org": "x"}, listen={"sasl": f"unix:{sasl}"}).in_thread():
            yield asking


@pytest.mark.parametrize(
    ("name", "password"), [("linda", "Pa$$123"), ("LINDA", "Pa$$123"), ("çiğdem@example.org", "x")]
)
def test_a_right_password(ask: Ask, name: str, password: str) -> None:
    status, lines = ask(name, password, "service=smtp", "rip=192.0.2.7", "secured")
    assert status == 0
    assert lines[0] == f"passdb: {name} auth succeeded"
    assert f"user={name.lower()}" in lines


def test_a_wrong_password(ask: Ask) -> None:
    status, lines = ask("linda", "wrong", "service=smtp", "rip=192.0.2.8", "secured")
    assert status == 77
    assert lines[0] == "passdb: linda auth failed"
    assert "reason=Wrong name or password" in lines


def test_a_password_that_would_cross_a_network_in_the_clear(ask: Ask) -> None:
    status, lines = ask("linda", "Pa$$123", "service=smtp", "rip=192.0.2.9")
    assert status == 77
    assert lines[0] == "passdb: linda auth failed"


def test_another_service(ask: Ask) -> None:
    status, lines = ask("linda", "Pa$$123", "service=imap", "secured")
    assert status == 77
    assert any(line.startswith("reason=Only logins for service=smtp") for line in lines)
