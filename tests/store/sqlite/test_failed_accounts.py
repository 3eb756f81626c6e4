"""A disk that fails while an account is added or removed: it is refused in words, and reported."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from mektup.store import files
from mektup.store.faults import FaultRefused, Kind
from mektup.store.sqlite import open_store
from mektup.store.sqlite.file.errors import ENGINE_ERRORS
from mektup.store.sqlite.file.schema import create_file
from mektup.store.sqlite.tables.schema import ACCOUNT
from tests.store.sqlite.conftest import Book
from tests.support.faulty_disk import faulty_disk


def fails(*_: object, **__: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_a_directory_that_cannot_be_made(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    store = await open_store(data, faults=book)
    monkeypatch.setattr(files, "make_directory", fails)
    with pytest.raises(FaultRefused):
        await store.directory.add("linda", {})
    assert book.faults[0].kind is Kind.FAILED
    monkeypatch.undo()
    await store.directory.add("linda", {})
    await store.close()


async def test_a_lock_that_cannot_be_taken(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    store = await open_store(data, faults=book)
    monkeypatch.setattr(files, "lock", fails)
    with pytest.raises(FaultRefused):
        await store.directory.add("linda", {})
    assert book.faults
    await store.close()


async def test_files_that_cannot_be_removed_are_removed_later(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book()
    store = await open_store(data, faults=book)
    account = (await store.directory.add("linda", {})).id
    monkeypatch.setattr(Path, "unlink", fails)
    with pytest.raises(FaultRefused) as refused:
        await store.directory.remove("linda")
    assert refused.value.uncertain
    assert book.faults
    monkeypatch.undo()
    assert await store.directory.find("linda") is None
    assert (await store.tidy()).removed == 1
    assert not list(data.rglob(f"{account}*"))
    await store.close()


@pytest.mark.parametrize("number", [3, 6, 12, 30])
def test_a_file_that_cannot_be_filled(tmp_path: Path, number: int) -> None:
    with faulty_disk() as disk:
        disk.fails_to_read_at(number)
        with pytest.raises(ENGINE_ERRORS):
            create_file(tmp_path / "file.db", ACCOUNT)
        assert disk.failures
        disk.works()
        create_file(tmp_path / "file.db", ACCOUNT)
