"""PostgreSQL servers that are killed, started again, and promoted; in a folder that is removed at the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import psycopg

from tests.support import keeper
from tests.support.postgres import OWNER, programs, user

DATABASE: Final = "mektup"
START_SECONDS: Final = 60.0
SETTINGS: Final = {
    "listen_addresses": "",
    "fsync": "off",  # a killed process loses nothing of what the system has; a loss of power is not tried here
    "max_connections": "100",
    "shared_buffers": "64MB",
    "wal_keep_size": "256MB",
}


class PostgresServer:
    """One server with its data, its socket and its log in *folder*."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = dict(SETTINGS)
        self._kept: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        """For clients of this server."""
        return f"host={self.folder} user={OWNER} dbname={DATABASE}"

    def make(self) -> None:
        """Makes an empty database, and starts."""
        self._run("initdb", "--no-sync", "--auth=trust", f"--username={OWNER}", "--encoding=UTF8", "--locale=C")
        self.start()
        self.ask(f"CREATE DATABASE {DATABASE}", database="postgres")

    def copy_of(self, primary: PostgresServer) -> None:
        """Makes a standby of *primary*, and starts it."""
        self._run(
            "pg_basebackup",
            f"--host={primary.folder}",
            f"--username={OWNER}",
            "--checkpoint=fast",
            "-R",
            "-X",
            "stream",
        )
        self.start()

    def start(self) -> None:
        """Starts, or starts again. Raises RuntimeError, which shows the log."""
        self._await_end()
        options = [f"-c{name}={value}" for name, value in self.settings.items()]
        command = [programs() / "postgres", "-D", self.folder / "data", "-k", self.folder, *options]
        line = f'cd "{self.folder}" && exec >>log 2>&1 && exec "$@"'
        words = ["/bin/sh", "-c", line, "start", *map(str, command)]
        self._kept = keeper.start(*words, ending="SIGQUIT", user=user())
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            with suppress(psycopg.OperationalError):
                self.ask("SELECT 1", database="postgres")
                return
            time.sleep(0.02)
        raise RuntimeError((self.folder / "log").read_text())

    def ask(self, statement: str, *, database: str = DATABASE) -> list[tuple[object, ...]]:
        """The rows of one statement."""
        dsn = f"host={self.folder} user={OWNER} dbname={database} connect_timeout=2"
        with psycopg.connect(dsn, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        """Kills the server and all its processes, with -9."""
        for pid in (self._first, *self._children()):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._await_end()
        (self.folder / "data" / "postmaster.pid").unlink(missing_ok=True)

    def processor_seconds(self) -> float:
        """What its processes of now have used of the processor."""
        ticks = 0
        for process in (self._first, *self._children()):
            with suppress(FileNotFoundError):
                words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def is_alive(self) -> bool:
        """Whether it answers, after some tries."""
        for _ in range(20):
            with suppress(psycopg.OperationalError):
                self.ask("SELECT 1", database="postgres")
                return True
            time.sleep(0.1)
        return False

    def promote(self) -> None:
        """Makes a primary of this standby."""
        self.ask("SELECT pg_promote(wait => true)", database="postgres")

    @property
    def _first(self) -> int:
        return int((self.folder / "data" / "postmaster.pid").read_text().split()[0])

    def _children(self) -> list[int]:
        first = self._first
        return [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]

    def _run(self, program: str, *options: str) -> None:
        name = user()
        if name is not None:
            shutil.chown(self.folder, name)
        command = [str(programs() / program), "-D", str(self.folder / "data"), *options]
        done = subprocess.run(
            command, cwd=self.folder, user=name, extra_groups=[] if name else None, capture_output=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr.decode())

    def _await_end(self) -> None:
        if self._kept is not None:
            assert self._kept.stdin is not None
            assert self._kept.stdout is not None
            self._kept.stdin.close()
            self._kept.stdout.close()
            self._kept.wait(timeout=START_SECONDS)
            self._kept = None

    def end(self) -> None:
        """Ends it, whatever it does."""
        self._await_end()


@contextmanager
def servers(count: int) -> Iterator[list[PostgresServer]]:
    """Servers that are not made yet; ended and removed after the block."""
    folders = [Path(tempfile.mkdtemp(prefix="mektup-pg-")) for _ in range(count)]
    for folder in folders:
        folder.chmod(0o755)
    made = [PostgresServer(folder) for folder in folders]
    try:
        yield made
    finally:
        for server in made:
            server.end()
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)


def any_of(*asked: PostgresServer) -> str:
    """For clients that look which of these servers is the primary."""
    hosts = ",".join(str(server.folder) for server in asked)
    return f"host={hosts} user={OWNER} dbname={DATABASE} target_session_attrs=read-write"
