"""One check of a directory shows whether the names in it still exist."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from mektup.store.sqlite.file.file_names import COARSE_SETTLED_SECONDS, SETTLED_SECONDS, Names


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "accounts" / "account.db"
    path.parent.mkdir()
    for beside in ("", "-wal", "-shm"):
        path.with_name(path.name + beside).write_bytes(b"x")
    return path


def until_the_next_tick(path: Path) -> None:
    """Waits until a change would get another ctime than that of *path*."""
    probe = path.parent.with_name("probe")
    probe.touch()
    while probe.stat().st_ctime_ns <= path.parent.stat().st_ctime_ns:
        probe.touch()


def looked_at(file: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch) -> tuple[Names, list[str]]:
    """The names of *file*, all found long after its directory has changed; and the paths that are checked later."""
    names = Names(file, clock=lambda: time.time() + 2 * SETTLED_SECONDS)
    names.opened(connection)
    names.learn()
    assert not names.are_lost
    seen: list[str] = []
    look = os.stat

    def followed(path: Any, **how: Any) -> os.stat_result:
        if isinstance(path, str) and path.startswith(str(file.parent)):
            seen.append(path)
        return look(path, **how)

    monkeypatch.setattr(os, "stat", followed)
    return names, seen


@pytest.fixture
def connection(tmp_path: Path) -> apsw.Connection:
    return apsw.Connection(str(tmp_path / "open.db"))


def remove(file: Path) -> None:
    file.with_name(f"{file.name}-wal").unlink()


def replace(file: Path) -> None:
    other = file.parent.with_name("other")
    other.write_bytes(b"y")
    other.rename(file)


def move_away_and_back_with_its_times(file: Path) -> None:
    status = file.parent.stat()
    replace(file)
    os.utime(file.parent, ns=(status.st_atime_ns, status.st_mtime_ns))


def move_the_directory(file: Path) -> None:
    file.parent.rename(file.parent.with_name("elsewhere"))


def put_another_directory_in_its_place(file: Path) -> None:
    move_the_directory(file)
    file.parent.mkdir()
    for beside in ("", "-wal", "-shm"):
        file.with_name(file.name + beside).write_bytes(b"x")


def test_while_nothing_changes_the_directory_is_all_that_is_looked_at(
    file: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, seen = looked_at(file, connection, monkeypatch)
    assert not names.are_lost
    assert seen == [str(file.parent)]


@pytest.mark.parametrize(
    "change",
    [
        remove,
        replace,
        move_away_and_back_with_its_times,
        move_the_directory,
        put_another_directory_in_its_place,
    ],
)
def test_no_change_of_a_name_is_missed(
    file: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    names, _ = looked_at(file, connection, monkeypatch)
    until_the_next_tick(file)
    change(file)
    assert names.are_lost


def test_a_directory_that_has_just_changed_is_not_relied_on(
    file: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    names, seen = looked_at(file, connection, monkeypatch)
    until_the_next_tick(file)
    file.with_name("another.db").write_bytes(b"x")
    soon = os.lstat(file.parent).st_ctime + SETTLED_SECONDS / 2
    monkeypatch.setattr(names, "_clock", lambda: soon)
    for _ in range(2):
        seen.clear()
        assert not names.are_lost
        assert seen[1:] == [f"{file}{beside}" for beside in ("", "-wal", "-shm")]


def test_on_a_file_system_that_counts_seconds_it_is_relied_on_later(
    file: Path, connection: apsw.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    look = os.stat

    def in_seconds(path: Any, **how: Any) -> os.stat_result:
        status = look(path, **how)
        seconds = int(status.st_ctime)
        times = {"st_atime_ns": 0, "st_mtime_ns": 0, "st_ctime_ns": seconds * 10**9}
        return os.stat_result((*status[:7], 0, 0, seconds), times)

    monkeypatch.setattr(os, "stat", in_seconds)
    names, seen = looked_at(file, connection, monkeypatch)
    then = file.parent.stat().st_ctime
    for since, is_relied_on in ((COARSE_SETTLED_SECONDS - 1, False), (COARSE_SETTLED_SECONDS + 1, True)):
        monkeypatch.setattr(names, "_clock", lambda since=since: then + since)
        names.learn()
        assert not names.are_lost
        seen.clear()
        assert not names.are_lost
        assert (seen == [str(file.parent)]) is is_relied_on
