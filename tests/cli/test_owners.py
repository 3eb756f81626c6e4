"""Whatever command root runs, every file of the data directory stays one that the service's user can open.

The commands are those that there are: a new one is found here, and is run with arguments that its parameters suggest.
"""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from mektup.cli.init.plan import is_open
from mektup.cli.main import COMMANDS, MODULES
from mektup.store import system
from tests.server.process import Process
from tests.support import command
from tests.support.command import Done

USER = "mail"
SECONDS = 60

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files of other owners"),
    pytest.mark.timeout(180),
]

ARGUMENTS: dict[str, list[str]] = {
    "user add": ["ada", "--password-stdin"],
    "user passwd": ["linda", "--password-stdin"],
    "user remove": ["linda", "--yes"],
    "user import": ["passwd-file"],
    "user quota": ["linda", "--storage", "1G"],
    "user hide": ["linda", "SORT"],
    "user renew": ["--all"],
    "user compact": ["--all"],
    "alias add": ["box@example.org", "linda"],
    "backup create": ["copy"],
    "export": ["linda", "out"],
    "import": ["linda", "letters"],
    "undelete": ["linda", "--all"],
    "check": ["--repair"],
}
"""What a command needs, where its parameters do not say it."""

KEEPS_ON = {"serve", "demo", "trace"}
"""Commands that run until they are stopped."""

NOT_FOR_DATA = {"init", "demo", "completion", "config", "dns"}
"""Commands that open no data directory. What ``init`` makes is tested beside it."""

WORDS = {
    "ACCOUNT": "linda",
    "WHEN": "2020-01-01",
    "NAME": "linda",
    "USER": "linda",
    "USER|SESSION": "linda",
    "MAILBOX": "INBOX",
    "DOMAIN": "example.org",
}


def leaves() -> dict[str, Any]:
    """Each command that can be run, by its words."""
    app = typer.Typer(add_completion=False)
    app.command("nothing")(lambda: None)
    for name in COMMANDS:
        importlib.import_module(f"mektup.cli.{MODULES.get(name, name)}").register(app)
    found: dict[str, Any] = {}

    def walk(command: Any, words: tuple[str, ...]) -> None:
        below = getattr(command, "commands", None)
        if below is None:
            found[" ".join(words)] = command
        for name, each in (below or {}).items():
            walk(each, (*words, name))

    walk(typer.main.get_command(app), ())
    del found["nothing"]
    return found


LEAVES = leaves()


def arguments(name: str) -> list[str]:
    """The arguments for *name*, with those that its parameters suggest."""
    if name in ARGUMENTS:
        return ARGUMENTS[name]
    needed = [each for each in LEAVES[name].params if each.param_type_name == "argument" and each.required]
    return [WORDS.get(str(each.metavar), f"given-{each.name}") for each in needed]


@pytest.fixture
def house() -> Iterator[Path]:
    """A directory of the service's user, whom every directory above it lets pass."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        house = Path(name)
        shutil.chown(house, USER, USER)
        house.chmod(0o755)
        (house / "passwd-file").write_text("eve:{PLAIN}x\n")
        (house / "letters").mkdir()
        (house / "letters" / "one.eml").write_bytes(b"Subject: one\r\n\r\nhello\r\n")
        mektup(house, "user", "add", "linda", "--password-stdin")
        mektup(house, "domain", "add", "example.org")
        yield house


def mektup(house: Path, *words: str) -> Done:
    return command.mektup(*words, "--data", "data", typed="Pa$$123\n", where=house)


def assert_owned(house: Path) -> None:
    """Each file below the data directory belongs to the user, who may open it, and nobody else may."""
    seen = 0
    uid, gid = system.user_named(USER) or (-1, -1)
    for path in (house / "data", *(house / "data").rglob("*")):
        try:
            status = path.lstat()
        except FileNotFoundError:
            continue  # a server that runs has removed it
        assert (status.st_uid, status.st_gid) == (uid, gid), path
        # a certificate is public, and stands in a private directory
        expected = {0o700} if path.is_dir() else {0o600, 0o644} if path.suffix == ".crt" else {0o600}
        assert status.st_mode & 0o777 in expected, path
        seen += 1
    assert seen > 3


def test_every_command_is_known() -> None:
    assert {"user add", "serve", "check", "import"} <= LEAVES.keys()
    assert not (ARGUMENTS.keys() | KEEPS_ON | NOT_FOR_DATA) - LEAVES.keys(), "these commands are gone"


@pytest.mark.parametrize("name", sorted(LEAVES.keys() - NOT_FOR_DATA - KEEPS_ON))
def test_no_command_leaves_a_file_of_root(name: str, house: Path) -> None:
    assert_owned(house)
    done = mektup(house, *name.split(), *arguments(name))
    if name in ARGUMENTS:
        assert done.status == 0, done.stderr
    assert_owned(house)


@pytest.mark.skipif(not is_open(Path(sys.executable)), reason="another user cannot run this Python")
@pytest.mark.parametrize("name", sorted(LEAVES.keys() - NOT_FOR_DATA - KEEPS_ON - {"restore"}))
def test_none_while_the_service_runs_and_has_its_files_open(name: str, house: Path) -> None:
    with service(house):
        mektup(house, *name.split(), *arguments(name))
        assert list((house / "data").glob("mektup.db-*")), "the WAL and its index are there"
        assert_owned(house)
    assert_owned(house)


class service:
    """A server that runs as the service's user, with the account's file open."""

    def __init__(self, house: Path) -> None:
        config = house / "mektup.toml"
        config.write_text('data = "data"\nworkers = 1\n[listen]\nlmtp = ["unix:lmtp"]\n[log]\nformat = "json"\n')
        uid, gid = system.user_named(USER) or (-1, -1)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mektup", "serve", "--config", str(config)],
            stderr=subprocess.PIPE,
            text=True,
            user=uid,
            group=gid,
            extra_groups=[],
        )

    def __enter__(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if '"event": "serving"' in line:
                return
        raise AssertionError("the server has ended")

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        _, left = self._process.communicate(timeout=SECONDS)
        assert self._process.returncode == 0, left


def test_a_server_that_root_starts_leaves_none(house: Path) -> None:
    config = house / "mektup.toml"
    config.write_text('data = "data"\nworkers = 2\n[listen]\nimap = ["127.0.0.1:0"]\n[log]\nformat = "json"\n')
    process = Process(config)
    try:
        assert_owned(house)
        for name in ("who", "kick linda"):
            mektup(house, *name.split())
        trace = subprocess.Popen(
            [sys.executable, "-m", "mektup", "trace", "linda", "--data", "data"], cwd=house, stdout=subprocess.PIPE
        )
        trace.send_signal(signal.SIGTERM)
        trace.communicate(timeout=SECONDS)
        assert_owned(house)
        assert process.stop() == 0
    finally:
        process.end()
    assert_owned(house)


def test_a_server_that_was_killed_leaves_files_that_root_may_find(house: Path) -> None:
    script = (
        "import asyncio, os\nfrom mektup.store.sqlite import open_store\n"
        "async def main():\n"
        "    store = await open_store(__import__('pathlib').Path('data'))\n"
        "    await store.account(await store.directory.find('linda'))\n"
        "    await store.directory.add('zoe', {})\n"
        "    os._exit(0)\n"
        "asyncio.run(main())"
    )
    subprocess.run([sys.executable, "-c", script], cwd=house, check=True, timeout=SECONDS)
    assert list((house / "data").glob("**/*-wal"))
    assert_owned(house)
    for name in ("user list", "user passwd", "check"):
        mektup(house, *name.split(), *arguments(name))
        assert_owned(house)
