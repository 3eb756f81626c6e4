"""A file of any older version whose upgrade fails at any point: it stays what it was, and is upgraded the next time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import apsw
import pytest

from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.schema import bring_up_to_date
from mektup.store.sqlite.tables.schema import ACCOUNT
from tests.contract.mail import fill
from tests.store.sqlite.conftest import file_of, make_older, shape_of
from tests.support.faulty_disk import FaultyDisk, Raise, cannot_open, failed, faulty_disk, full, no_memory

Shape = set[tuple[object, ...]]

VERSIONS = range(1, ACCOUNT.version)


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    with faulty_disk() as disk:
        yield disk


@pytest.fixture(params=VERSIONS)
async def old(data: Path, request: pytest.FixtureRequest) -> tuple[Path, Shape]:
    """A file of that version, with mail in it, and the shape that it must get."""
    store = await open_store(data)
    account = await store.account((await store.directory.add("linda", {})).id)
    await fill(account, 5)
    await store.close()
    path = file_of(data, account.id)
    today = shape_of(path)
    make_older(path, request.param)
    return path, today


def upgrade(path: Path) -> None:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        bring_up_to_date(connection, path, ACCOUNT)
    finally:
        connection.close()


def is_whole(path: Path) -> bool:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        found = (
            connection.execute("PRAGMA integrity_check").get,
            connection.execute("SELECT count(*) FROM messages").get,
        )
    finally:
        connection.close()
    return found == ("ok", 5)


@pytest.mark.parametrize("error", [full, failed, no_memory, cannot_open])
def test_an_upgrade_that_is_cut_leaves_the_file_usable(
    old: tuple[Path, Shape], tmp_path: Path, disk: FaultyDisk, error: Raise
) -> None:
    path, today = old
    before = shape_of(path)
    number = 1
    while True:
        here = tmp_path / f"{number}" / path.name
        here.parent.mkdir()
        shutil.copy(path, here)
        if error is cannot_open:
            disk.fails_to_open_at(number)
        else:
            disk.fails_at(number, error)
        with suppress(apsw.Error):
            upgrade(here)
        has_failed = disk.failures > 0
        disk.works()
        assert shape_of(here) in (before, today)
        assert is_whole(here)
        upgrade(here)
        assert shape_of(here) == today
        assert is_whole(here)
        for backup in here.parent.glob("*.v*"):
            assert is_whole(backup) or backup.name.endswith(".unfinished")
        if not has_failed:
            break
        number += 1 if number < 6 else number // 2
    assert number > 1
