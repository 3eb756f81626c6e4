"""The layer records everything, and an image has what was synced and some of the rest."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from random import Random

import apsw
import pytest

from mektup.store import files
from mektup.store.sqlite import open_store
from reliability.disk.acts import Act
from reliability.disk.image import Disk, Fate, Image
from reliability.disk.layer import Layer
from tests.contract.mail import fill


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "root"


def image_of(layer: Layer, data: Fate = Fate.DROPPED, names: Fate = Fate.DROPPED) -> Image:
    disk = Disk(layer.recording)
    disk.go_to(layer.recording.now)
    return disk.image(Random(1), data, names)


async def test_the_recording_of_a_store_gives_its_files_again(root: Path) -> None:
    with Layer(root) as layer:
        store = await open_store(root / "data")
        account = await store.account(await store.directory.add("linda", {}))
        await fill(account, 30)
        await account.compact()
        await store.directory.add("ali", {})
        await store.directory.remove("ali")
        await store.close()
        files.write(root / "data" / "file", b"a" * 5000)
        files.write(root / "data" / "file", b"b" * 100)
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert image_of(layer, Fate.KEPT, Fate.KEPT).files == found
    assert image_of(layer).files["data/file"] == b"b" * 100


def test_an_octet_that_was_not_synced_may_be_missing_or_torn(root: Path) -> None:
    with Layer(root) as layer:
        file = os.open(root / "file", os.O_RDWR | os.O_CREAT)
        files.sync(root)
        os.pwrite(file, b"a" * 8192, 0)
        os.fdatasync(file)
        os.pwrite(file, b"b" * 8192, 0)
        os.close(file)
    assert image_of(layer, Fate.DROPPED).files["file"] == b"a" * 8192
    assert image_of(layer, Fate.KEPT).files["file"] == b"b" * 8192
    torn = image_of(layer, Fate.TORN).files["file"]
    assert {torn[at : at + 512] for at in range(0, 8192, 512)} == {b"a" * 512, b"b" * 512}


def test_a_name_is_only_there_after_a_sync_of_its_directory(root: Path) -> None:
    with Layer(root) as layer:
        os.mkdir(root / "a")
        file = os.open(root / "a" / "file", os.O_RDWR | os.O_CREAT)
        os.pwrite(file, b"x", 0)
        os.fdatasync(file)
        os.close(file)
        assert image_of(layer).directories == []
        files.sync(root)
        assert image_of(layer).directories == ["a"]
        assert image_of(layer).files == {}
        files.sync(root / "a")
        assert image_of(layer).files == {"a/file": b"x"}
        os.unlink(root / "a" / "file")
        assert image_of(layer).files == {"a/file": b"x"}


def test_a_failed_sync_leaves_octets_that_no_later_sync_writes(root: Path) -> None:
    left = 1

    def trouble(act: Act, path: str) -> int:
        nonlocal left
        if act is Act.SYNC and left:
            left -= 1
            return errno.EIO
        return 0

    with Layer(root, trouble=trouble) as layer:
        file = os.open(root / "file", os.O_RDWR | os.O_CREAT)
        files.sync(root)
        os.pwrite(file, b"x", 0)
        with pytest.raises(OSError, match="Input/output error"):
            os.fdatasync(file)
        os.fdatasync(file)
        assert image_of(layer).files == {"file": b""}
        os.pwrite(file, b"x", 0)
        os.pwrite(file, b"y", 0)
        os.fdatasync(file)
        os.close(file)
    assert image_of(layer).files == {"file": b"y"}
    assert image_of(layer, Fate.KEPT).files == {"file": b"y"}  # not what the first sync has lost


@pytest.mark.parametrize(
    ("act", "number", "error"),
    [
        (Act.WRITE, errno.ENOSPC, apsw.FullError),
        (Act.WRITE, errno.EIO, apsw.IOError),
        (Act.SYNC, errno.EIO, apsw.IOError),
        (Act.CREATE, errno.EMFILE, apsw.CantOpenError),
        (Act.WRITE, errno.ENOMEM, apsw.NoMemError),
    ],
)
def test_sqlite_meets_the_errors_of_the_layer(root: Path, act: Act, number: int, error: type[apsw.Error]) -> None:
    fails = False
    with Layer(root, trouble=lambda met, path: number if fails and met is act else 0):
        connection = apsw.Connection(str(root / "file.db"))
        connection.execute("CREATE TABLE t (x)")
        fails = True
        with pytest.raises(error):
            connection.execute("INSERT INTO t VALUES (1)")
        fails = False
        connection.close()
