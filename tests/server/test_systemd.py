"""What systemd hears of a server that it starts (sd_notify(3))."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mektup.server.systemd import NOT_RELOADED, SERVING, Systemd

from .process import serving
from .test_workers import with_linda

SECONDS = 20.0


class Manager:
    """The end of systemd: a socket, and what came there."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(SECONDS)
        self._socket.bind(address)

    def next(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self._socket.recv(4096).decode().split("\n"))

    def until(self, key: str) -> dict[str, str]:
        """The next message with *key*."""
        while key not in (message := self.next()):
            continue
        return message

    def close(self) -> None:
        self._socket.close()


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    made = Manager(address)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("workers", [1, 2], ids=["one process", "two workers"])
def test_a_server_tells_its_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> None:
    with_linda(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with manager(str(tmp_path / "notify")) as systemd, serving(tmp_path, workers=workers) as process:
        assert systemd.next() == {"READY": "1", "STATUS": SERVING}
        process.signal(signal.SIGHUP)
        assert int(systemd.until("RELOADING")["MONOTONIC_USEC"]) > 0
        assert systemd.next() == {"READY": "1", "STATUS": SERVING}
        config = tmp_path / "mektup.toml"
        config.write_text(config.read_text() + "\nnonsense = 1\n")
        process.signal(signal.SIGHUP)
        systemd.until("RELOADING")
        assert systemd.next() == {"READY": "1", "STATUS": NOT_RELOADED}
        assert process.stop() == 0
        assert systemd.next() == {"STOPPING": "1", "STATUS": ""}


def test_signs_of_life_come_as_often_as_systemd_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_linda(tmp_path)
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "200000")
    with manager(str(tmp_path / "notify")) as systemd, serving(tmp_path, workers=1) as process:
        systemd.until("READY")
        assert [systemd.next() for _ in range(3)] == [{"WATCHDOG": "1"}] * 3
        assert process.stop() == 0
        systemd.until("STOPPING")


async def test_no_signs_where_another_process_is_watched(tmp_path: Path) -> None:
    with manager(str(tmp_path / "notify")) as systemd:
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1", "WATCHDOG_PID": "1"}
        told = Systemd(environment)
        told.ready()
        told.stopping()
        told.close()
        assert systemd.next()["READY"] == "1"
        assert "STOPPING" in systemd.next()


@pytest.mark.skipif(not Path("/proc").exists(), reason="only Linux has abstract addresses")
async def test_an_abstract_address() -> None:
    name = f"mektup-test-{os.getpid()}"
    with manager(f"\0{name}") as systemd:
        Systemd({"NOTIFY_SOCKET": f"@{name}"}).ready()
        assert systemd.next()["READY"] == "1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/notify", "WATCHDOG_USEC": "none"}])
async def test_without_a_listener_nothing_happens(environment: dict[str, str]) -> None:
    told = Systemd(environment)
    told.ready()
    with told.reloading():
        pass
    told.stopping()
    told.close()


async def test_a_reload_that_ends_while_the_server_stops_does_not_say_ready(tmp_path: Path) -> None:
    with manager(str(tmp_path / "notify")) as systemd:
        told = Systemd({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        with told.reloading():
            told.stopping()
        told.stopping()
        assert [next(iter(systemd.next())) for _ in range(3)] == ["RELOADING", "STOPPING", "STOPPING"]
