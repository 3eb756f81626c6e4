"""A real PostgreSQL for tests: in a temporary directory, without a port, ended and removed whatever happens.

PostgreSQL refuses to run as root. So root runs it as the user ``postgres`` or, where there is none, ``nobody``.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import select
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

from mektup.store.postgres import open_store
from tests.support import keeper

START_SECONDS = 60
OWNER = "mektup"
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "4GB",
    "shared_buffers": "64MB",
}


def programs() -> Path:
    """The folder of PostgreSQL's programs, those of the newest version. Raises RuntimeError where there is none."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name))
    beside = shutil.which("initdb")
    for folder in (*reversed(debian), *([Path(beside).resolve().parent] if beside else [])):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise RuntimeError("PostgreSQL's server is not installed: no initdb in /usr/lib/postgresql (Debian: postgresql)")


def user() -> str | None:
    """The user that the server runs as; None: we ourselves."""
    if os.getuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in ("postgres", "nobody"):
        if name in known:
            return name
    raise RuntimeError("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody")


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server."""

    folder: Path
    """The folder with its socket, its log and, in ``data``, its data."""

    def dsn(self, database: str) -> str:
        """What a client needs to connect to *database*."""
        return f"host={self.folder} user={OWNER} dbname={database}"

    @property
    def pid(self) -> int:
        """The ID of its first process."""
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def run(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement outside of a transaction."""
        with psycopg.connect(self.dsn(database), autocommit=True) as connection:
            connection.execute(statement.encode())


@contextmanager
def running(**settings: str) -> Iterator[Postgres]:
    """A new server until the block ends; *settings* change those of SETTINGS.

    Raises RuntimeError, which says what is missing or why it did not start.
    """
    binaries, owner = programs(), user()
    folder = Path(tempfile.mkdtemp(prefix="mektup-pg-"))
    if owner is not None:
        shutil.chown(folder, owner)
    folder.chmod(0o755)  # the socket is in it, and clients run as other users
    options = [f"-c{name}={value}" for name, value in {**SETTINGS, **settings}.items()]
    making = [binaries / "initdb", "--no-sync", "--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C"]
    serving = [binaries / "postgres", "-D", folder / "data", "-k", folder, *options]
    line = f"cd {_line([folder])} && exec >log 2>&1 && {_line([*making, '-D', 'data'])} && exec {_line(serving)}"
    kept = keeper.start("/bin/sh", "-c", line, ending="SIGQUIT", user=owner, remove=folder)
    try:
        server = Postgres(folder)
        _await_start(server, kept)
        yield server
    finally:
        assert kept.stdin is not None
        assert kept.stdout is not None
        kept.stdin.close()
        kept.stdout.close()
        kept.wait(timeout=START_SECONDS)


def _line(words: Sequence[str | Path]) -> str:
    return shlex.join(map(str, words))


def _await_start(server: Postgres, kept: subprocess.Popen[bytes]) -> None:
    reason = ""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            server.run("SELECT 1")
        except psycopg.OperationalError as error:
            reason = str(error)
        else:
            return
        if select.select([kept.stdout], [], [], 0.05)[0]:  # its end, which means that the server has ended
            break
    log = server.folder / "log"
    raise RuntimeError(f"PostgreSQL did not start: {log.read_text() if log.exists() else ''}{reason}")


NewDatabase = Callable[[], str]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests, started by the first test that asks for it."""
    with running() as server:
        server.run("CREATE DATABASE template")
        # in a thread, because the first test that asks for it may have an event loop
        with ThreadPoolExecutor(1) as thread:
            thread.submit(asyncio.run, _prepare(server.dsn("template"))).result()
        yield server


async def _prepare(database: str) -> None:
    """Makes the tables of the directory and of a shard."""
    await (await open_store(database, {"a": database})).close()


_numbers = count()


@pytest.fixture
def new_database(postgres: Postgres) -> Iterator[NewDatabase]:
    """Makes databases from the template, and gives what is needed to connect. They are removed after the test."""
    made: list[str] = []

    def making() -> str:
        made.append(f"test_{next(_numbers)}")
        postgres.run(f"CREATE DATABASE {made[-1]} TEMPLATE template")
        return postgres.dsn(made[-1])

    yield making
    for name in made:
        postgres.run(f"DROP DATABASE {name} WITH (FORCE)")
