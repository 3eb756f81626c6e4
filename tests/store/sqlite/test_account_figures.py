"""A list of many accounts opens only the files that have changed."""

from __future__ import annotations

import os
from pathlib import Path

from mektup.store.sqlite import open_store
from mektup.store.sqlite.store import SqliteStore
from mektup.terms.quota import Resource
from tests.contract.mail import fill
from tests.store.sqlite.conftest import file_of, make_older


async def held(data: Path, *names: str) -> list[int | None]:
    """The messages of each account, as another process finds them."""
    store = await open_store(data)
    try:
        entries = [await store.directory.find(name) for name in names]
        ids = [entry.id for entry in entries if entry is not None]
        found = await store.usages(ids)
        return [found[each].usage[Resource.MESSAGE] if each in found else None for each in ids]
    finally:
        await store.close()


async def test_a_file_that_has_not_changed_is_not_opened(store: SqliteStore, data: Path) -> None:
    linda = await store.directory.add("linda", {})
    await fill(await store.account(linda), 3)
    await store.close()
    assert await held(data, "linda") == [3]
    path = file_of(data, linda.id)
    assert await held(data, "linda") == [3]
    status, whole = path.stat(), path.read_bytes()
    path.write_bytes(bytes(len(whole)))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert await held(data, "linda") == [3], "the file was not read"
    os.utime(path)
    assert await held(data, "linda") == [None], "a damaged file has no figures"


async def test_mail_that_another_process_stores_is_seen(store: SqliteStore, data: Path) -> None:
    linda = await store.directory.add("linda", {})
    mail = await store.account(linda)
    for count in range(1, 4):
        await fill(mail, 1)
        assert await held(data, "linda") == [count], "also while its WAL is in use"


async def test_a_list_leaves_the_files_as_they_are(store: SqliteStore, data: Path) -> None:
    linda = await store.directory.add("linda", {})
    await fill(await store.account(linda), 3)
    await store.close()
    path = file_of(data, linda.id)
    before = path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(path.parent))
    assert await held(data, "linda") == [3]
    assert (path.read_bytes(), path.stat().st_mtime_ns, sorted(os.listdir(path.parent))) == before


async def test_missing_and_older_files(store: SqliteStore, data: Path) -> None:
    linda, ada, _ = [await store.directory.add(name, {}) for name in ("linda", "ada", "eve")]
    await fill(await store.account(linda), 2)
    await store.close()
    make_older(file_of(data, linda.id), 2)
    file_of(data, ada.id).unlink()
    assert await held(data, "linda", "ada", "eve") == [2, None, 0]


async def test_what_is_kept_goes_with_the_account(store: SqliteStore) -> None:
    linda = await store.directory.add("linda", {})
    await store.usages([linda.id])
    await store.directory.remove("linda")
    rows = await store.directory._database.read(lambda cursor: cursor.execute("SELECT count(*) FROM usages").get)
    assert rows == 0
