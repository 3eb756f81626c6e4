"""If the upgrade of a file is cut at any point, the file is unchanged, and is upgraded the next time."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import apsw
import pytest

from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.schema import Schema
from mektup.store.sqlite.tables.schema import ACCOUNT, DIRECTORY
from tests.contract.mail import fill
from tests.store.sqlite.conftest import file_of, make_older
from tests.store.sqlite.conftest import shape_of as shape_of_file
from tests.store.sqlite.killed_upgrades import SCHEMAS, at_statement, upgrade
from tests.support.faulty_disk import FaultyDisk, Raise, cannot_open, failed, faulty_disk, full, no_memory

Shape = set[tuple[object, ...]]

ACCOUNTS = [pytest.param(("account", version), id=f"account-{version}") for version in range(1, ACCOUNT.version)]
DIRECTORIES = [pytest.param(("directory", each), id=f"directory-{each}") for each in range(1, DIRECTORY.version)]

KEPT = {
    "account": "SELECT count(*), sum(modseq), sum(flags), (SELECT group_concat(name || uidvalidity || messages) FROM "
    "mailboxes), (SELECT group_concat(name) FROM subscriptions) FROM messages",
    "directory": "SELECT group_concat(id || name || folded || secrets) FROM accounts",
}
"""The data that must be equal in all versions of a file."""


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@dataclass
class Old:
    """A file of an older version."""

    path: Path
    kind: str
    today: Shape
    """The shape of a file of the current version."""

    def __post_init__(self) -> None:
        self.before = shape_of_file(self.path)
        self.kept = self.kept_in(self.path)

    @property
    def schema(self) -> Schema:
        return SCHEMAS[self.kind]

    def kept_in(self, path: Path) -> object:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            assert connection.execute("PRAGMA integrity_check").get == "ok"
            return connection.execute(KEPT[self.kind]).get
        finally:
            connection.close()

    def check(self, cut: Path) -> bool:
        """Checks that a file whose upgrade was *cut* can be used and upgraded; returns whether it was upgraded."""
        shape = shape_of_file(cut)
        assert shape in (self.before, self.today)
        assert self.kept_in(cut) == self.kept
        backups = [path for path in cut.parent.glob("*.v*") if not path.name.endswith(".unfinished")]
        assert len(backups) == 1 or shape == self.before
        upgrade(cut, self.schema)
        assert shape_of_file(cut) == self.today
        assert self.kept_in(cut) == self.kept
        (backup,) = [path for path in cut.parent.glob("*.v*") if path.suffix != ".unfinished"]
        assert shape_of_file(backup) == self.before
        assert self.kept_in(backup) == self.kept
        return shape == self.today


@pytest.fixture
async def old(data: Path, request: pytest.FixtureRequest) -> Old:
    """An account with mail in it, or a directory with accounts."""
    kind, version = request.param
    store = await open_store(data)
    account = await store.account(await store.directory.add("linda", {"password": "x"}))
    await fill(account, 5)
    await store.close()
    path = file_of(data, account.id) if kind == "account" else data / "mektup.db"
    today = shape_of_file(path)
    make_older(path, version, kind)
    return Old(path, kind, today)


@pytest.mark.parametrize("old", ACCOUNTS, indirect=True)
@pytest.mark.parametrize("error", [full, failed, no_memory, cannot_open])
def test_an_upgrade_that_fails_leaves_the_file_usable(old: Old, tmp_path: Path, disk: FaultyDisk, error: Raise) -> None:
    number = 1
    while True:
        here = tmp_path / f"{number}" / old.path.name
        here.parent.mkdir()
        shutil.copy(old.path, here)
        if error is cannot_open:
            disk.fails_to_open_at(number)
        else:
            disk.fails_at(number, error)
        with suppress(apsw.Error):
            upgrade(here, old.schema)
        has_failed = disk.failures > 0
        disk.works()
        old.check(here)
        if not has_failed:
            break
        number += 1 if number < 6 else number // 2
    assert number > 1


class Cut(Exception):
    """Raised to cut an upgrade."""


def cut() -> None:
    raise Cut


@pytest.mark.parametrize("old", ACCOUNTS + DIRECTORIES, indirect=True)
def test_an_upgrade_that_ends_before_any_statement_leaves_the_old_file(old: Old, tmp_path: Path) -> None:
    number = 1
    while True:
        here = tmp_path / f"{number}" / old.path.name
        here.parent.mkdir()
        shutil.copy(old.path, here)
        try:
            with at_statement(number, cut):
                upgrade(here, old.schema)
        except Cut:
            assert not old.check(here)
        else:
            assert old.check(here)
            break
        number += 1
    assert number > 10


@pytest.mark.parametrize("old", ACCOUNTS + DIRECTORIES, indirect=True)
@pytest.mark.parametrize("kind", ["statements", "writes"])
def test_a_process_that_is_killed_during_an_upgrade_leaves_the_file_usable(old: Old, tmp_path: Path, kind: str) -> None:
    place = tmp_path / "copies"
    program = [sys.executable, "-m", "tests.store.sqlite.killed_upgrades", str(old.path), old.kind, str(place), kind]
    subprocess.run(program, check=True, timeout=50)
    copies = sorted(place.glob(f"*/{old.path.name}"), key=lambda path: int(path.parent.name))
    are_upgraded = [old.check(path) for path in copies]
    assert are_upgraded[-1]
    if kind == "statements":
        assert not any(are_upgraded[:-1])
    assert len(copies) > 5
