"""If the process was killed while it added or removed an account, no part of the account remains."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from mektup.store import files
from mektup.store.interface import Tidied
from mektup.store.sqlite import open_store
from mektup.terms.errors import Refused
from tests.contract.mail import fill
from tests.store.sqlite.conftest import file_of

ROOT = Path(__file__).parents[3]


def die(data: Path, *what: str) -> bool:
    """Whether the process was killed before it ended."""
    return (
        subprocess.run([sys.executable, "-m", "tests.store.sqlite.killed_process", data, *what], cwd=ROOT).returncode
        == 9
    )


@pytest.fixture
async def linda(data: Path) -> Path:
    """The file of an account with mail; there is one more account."""
    store = await open_store(data)
    await store.directory.add("fred", {})
    account = await store.account(await store.directory.add("linda", {}))
    await fill(account, 3)
    await store.close()
    return file_of(data, account.id)


@pytest.mark.parametrize(("call", "number"), [("unlink", 1), ("fsync", 1)])
async def test_a_removal_that_was_killed_is_finished(data: Path, linda: Path, call: str, number: int) -> None:
    assert await asyncio.to_thread(partial(die, data, "remove", "linda", call, str(number)))
    store = await open_store(data)
    assert [entry.name for entry in await store.directory.entries("", 100)] == ["fred"]
    await store.tidy()
    assert not list(linda.parent.glob(f"{linda.name}*"))
    assert await store.tidy() == Tidied(0, ())
    await store.account((await store.directory.entries("", 1))[0])
    await store.close()


@pytest.mark.parametrize(("call", "number"), [("mkdir", 1), ("fsync", 1), ("link", 1), ("unlink", 1), ("stat", 5)])
async def test_an_addition_that_was_killed_leaves_nothing(data: Path, linda: Path, call: str, number: int) -> None:
    before = {path for path in (data / "accounts").rglob("*") if path.is_file()}
    assert await asyncio.to_thread(partial(die, data, "add", "deniz", call, str(number)))
    store = await open_store(data)
    await store.tidy()
    assert {path for path in (data / "accounts").rglob("*") if path.is_file()} == before
    assert await store.tidy() == Tidied(0, ())
    await store.directory.add("deniz", {})
    await store.close()


async def test_work_in_progress_in_another_process_is_not_finished(data: Path, linda: Path) -> None:
    assert await asyncio.to_thread(partial(die, data, "remove", "linda", "unlink", "1"))
    store = await open_store(data)
    lock = files.lock(data / "accounts", alone=False)
    assert lock is not None
    assert (await store.tidy()).removed == 0
    assert linda.exists()
    files.unlock(lock)
    assert (await store.tidy()).removed == 1
    await store.close()


async def test_a_file_that_nobody_knows_stays_and_is_named(data: Path, linda: Path) -> None:
    stranger = linda.with_name(f"{'0' * 32}.db")
    stranger.write_bytes(linda.read_bytes())
    store = await open_store(data)
    assert await store.tidy() == Tidied(0, (str(stranger),))
    assert stranger.exists()
    await store.close()


async def test_a_damaged_account_can_be_removed(data: Path, linda: Path) -> None:
    linda.write_bytes(b"damaged")
    store = await open_store(data)
    await store.directory.remove("linda")
    assert not list(linda.parent.glob(f"{linda.name}*"))
    with pytest.raises(Refused):
        await store.directory.remove("linda")
    await store.close()
