"""Files under a data directory: on disk when a function returns, private, and with the right owner."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mektup.server.bus import Bus
from mektup.server.self_signed import pair_under
from mektup.store import files
from mektup.store.sqlite import open_store
from mektup.terms.errors import Refused

SOMEBODY = 12345

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


class Record:
    """Records what was created and renamed, and what was synced afterwards."""

    def __init__(self) -> None:
        self.unsynced: dict[Path, str] = {}
        """Directories with a name that a loss of power may remove."""
        self.written: set[Path] = set()

    def named(self, path: Path) -> None:
        self.unsynced[path.parent] = path.name

    def synced(self, path: Path) -> None:
        self.unsynced.pop(path, None)


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch) -> Record:
    """Records the calls of this process that create names and that sync them."""
    record = Record()

    def follow(name: str, note: Callable[..., None]) -> None:
        real = getattr(os, name)

        def followed(*args: Any, **options: Any) -> Any:
            path = Path(f"/proc/self/fd/{args[0]}").resolve() if isinstance(args[0], int) else None
            result = real(*args, **options)
            note(path, *args) if path is not None else note(*args)
            return result

        monkeypatch.setattr(os, name, followed)

    follow("mkdir", lambda path, *_: record.named(Path(path)))
    follow("replace", lambda _, new: record.named(Path(new)))
    follow("link", lambda _, new: record.named(Path(new)))
    follow("fsync", lambda path, _: record.synced(path))
    return record


async def test_every_name_in_a_new_data_directory_is_synced(tmp_path: Path, record: Record) -> None:
    data = tmp_path / "deep" / "data"
    bus = Bus(data)
    assert not record.unsynced
    pair_under(data / "tls", "mail.example")
    assert not record.unsynced
    store = await open_store(data, bus=bus)
    assert not record.unsynced
    for name in ("linda", "fred"):
        await store.directory.add(name, {})
        assert not record.unsynced
    await store.close()
    bus.close()


async def test_a_directory_that_another_process_made_is_synced_before_it_is_relied_on(
    tmp_path: Path, record: Record
) -> None:
    data = tmp_path / "data"
    for each in (data, data / "accounts"):
        os.mkdir(each)  # by a process that was killed at this point
    for number in range(256):
        os.mkdir(data / "accounts" / f"{number:02x}")
    assert record.unsynced
    store = await open_store(data)
    await store.directory.add("linda", {})
    assert not record.unsynced
    await store.close()


@pytest.fixture(params=[0o000, 0o022, 0o777])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


async def test_new_files_are_private_with_any_umask(tmp_path: Path, umask: int) -> None:
    data = tmp_path / "data"
    bus = Bus(data)
    pair = pair_under(data / "tls", "mail.example")
    store = await open_store(data, bus=bus)
    await store.directory.add("linda", {})
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (data, *data.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if not path.is_dir() and path != pair.cert} == {0o600}
    assert files.open_to_others(data) == []
    await store.close()
    bus.close()


def test_files_that_others_may_write_to_are_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "mektup.db").touch(0o600)
    (tmp_path / "tls").mkdir(0o700)
    (tmp_path / "run").symlink_to(tmp_path / "tls")
    assert files.open_to_others(tmp_path) == []
    (tmp_path / "mektup.db").chmod(0o620)
    (tmp_path / "tls").chmod(0o702)
    assert files.open_to_others(tmp_path) == [tmp_path / "mektup.db", tmp_path / "tls"]
    tmp_path.chmod(0o700)  # now nobody can enter it
    assert files.open_to_others(tmp_path) == []
    tmp_path.chmod(0o720)
    assert files.open_to_others(tmp_path) == [tmp_path]


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    files.write(path, b"first")

    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="Input/output"):
            files.write(path, b"second")
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == ["key"]


@as_root
async def test_files_made_by_root_get_the_owner_of_the_data_directory(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, SOMEBODY, SOMEBODY + 1)
    bus = Bus(data)
    pair_under(data / "tls", "mail.example")
    store = await open_store(data, bus=bus)
    entry = await store.directory.add("linda", {})
    await (await store.account(entry)).create("Work")
    owners = {(path.lstat().st_uid, path.lstat().st_gid) for path in data.rglob("*")}
    assert sum(path.suffix == ".db" for path in data.rglob("*")) == 2
    assert any(path.name.endswith("-wal") for path in data.rglob("*"))
    assert owners == {(SOMEBODY, SOMEBODY + 1)}
    await store.close()
    bus.close()


@as_root
def test_if_root_cannot_change_the_owner_the_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(tmp_path, SOMEBODY, SOMEBODY)

    def deny(*args: object, **options: object) -> None:
        raise PermissionError(1, "Operation not permitted")  # as on a network file system

    monkeypatch.setattr(os, "chown", deny)
    for make in (lambda: files.make_directory(tmp_path / "new"), lambda: files.write(tmp_path / "new", b"")):
        with pytest.raises(Refused, match=f"sudo -u user {SOMEBODY} mektup"):
            make()
        assert list(tmp_path.iterdir()) == []


@pytest.fixture
def passable() -> Iterator[Path]:
    """A directory that every user may enter; pytest's directories are closed to other users."""
    with tempfile.TemporaryDirectory(prefix="mektup-") as directory:
        os.chmod(directory, 0o755)
        yield Path(directory)


@as_root
def test_why_a_file_cannot_be_used_is_told_with_its_owner(passable: Path) -> None:
    path = passable / "mektup.db"
    path.touch(0o600)
    assert files.why_not(path) is None
    os.seteuid(SOMEBODY)
    try:
        assert str(files.why_not(path)) == (
            f"{path}: Permission denied; it belongs to root, mektup runs as user {SOMEBODY}"
        )
        missing = passable / "missing"
        # the parent directory refuses the new one
        assert str(files.why_not(missing / "x")) == (
            f"{missing} cannot be made: {passable}: Permission denied; "
            f"it belongs to root, mektup runs as user {SOMEBODY}"
        )
        os.seteuid(0)
        os.chmod(passable, 0o777)
        os.seteuid(SOMEBODY)
        assert str(files.why_not(missing / "x")) == f"{missing}: No such file or directory"
    finally:
        os.seteuid(0)
