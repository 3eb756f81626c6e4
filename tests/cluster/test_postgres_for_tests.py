"""The PostgreSQL of the tests ends with them, even when they are killed, and runs as any user."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.support import postgres as support
from tests.support.postgres import NewDatabase

ROOT = Path(__file__).parents[2]

RUNS_IT = """
import sys
from tests.support.postgres import running
with running() as server:
    print(server.folder, server.pid, flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("user", [None, "nobody"])
@pytest.mark.parametrize("killed", [False, True])
def test_it_ends_with_the_tests(user: str | None, killed: bool) -> None:
    if user is not None and os.getuid() != 0:
        pytest.skip("only root can start tests as somebody else")
    command = [sys.executable, "-B", "-c", RUNS_IT]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, user=user, **pipes) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        line = child.stdout.readline().decode()
        assert line, child.stderr.read().decode()
        folder, pid = line.split()
        assert Path(folder).is_dir()
        if killed:
            child.kill()
        child.stdin.close()
        assert child.stderr.read() == b""  # it ends when nobody is left who could write to it
    assert not Path(folder).exists()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid), 0)


def test_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(support, "programs", lambda: Path("/nowhere"))
    with pytest.raises(RuntimeError, match="/nowhere/initdb"), support.running():
        pass


def test_each_test_has_databases_of_its_own(new_database: NewDatabase) -> None:
    first, second = new_database(), new_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE given (a int)")
    with psycopg.connect(second) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        connection.execute("SELECT a FROM given")
