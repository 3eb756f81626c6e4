"""mektup backup, restore, user renew and user compact, as an operator types them."""

from __future__ import annotations

import asyncio
import imaplib
import os
import shutil
import stat
from pathlib import Path

import pytest

from mektup import Server
from mektup.store.interface import AccountEntry
from mektup.store.metadata import Wanted
from mektup.store.sqlite import restore_all
from mektup.terms.quota import Resource
from tests.support.command import mektup

LINDA = {"linda": "Pa$$123", "fred": "Pa$$123"}


async def fill(data: Path, messages: int) -> tuple[int, int]:
    """Adds messages to linda's INBOX; returns its UIDVALIDITY and UIDNEXT."""
    async with Server(data, users=LINDA) as server:
        for number in range(messages):
            await server.deliver("linda", b"Subject: %d\r\n\r\nhello\r\n" % number)
        return await asyncio.to_thread(status, server)


def status(server: Server) -> tuple[int, int]:
    with imaplib.IMAP4(*server.address("imap")) as client:
        client.login("linda", "Pa$$123")
        _, (answer,) = client.status("INBOX", "(UIDVALIDITY UIDNEXT MESSAGES)")
    words = answer.decode().replace("(", " ").replace(")", " ").split()  # type: ignore[union-attr]
    return int(words[words.index("UIDVALIDITY") + 1]), int(words[words.index("UIDNEXT") + 1])


async def test_a_backup_of_a_running_server_is_restored_with_new_uidvalidities(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    async with Server(data, users=LINDA) as server:
        await server.deliver("linda", b"Subject: one\r\n\r\nhello\r\n")
        before = await asyncio.to_thread(status, server)
        done = await asyncio.to_thread(mektup, "backup", str(backup), "--data", str(data))
        assert (done.stdout, done.status) == (f"copied 2 accounts to {backup}\n", 0)
        await server.deliver("linda", b"Subject: two\r\n\r\nhello\r\n")
    assert {stat.S_IMODE(path.stat().st_mode) for path in backup.rglob("*.db")} == {0o600}
    data.rename(tmp_path / "lost")
    done = await asyncio.to_thread(mektup, "restore", str(backup), "--data", str(data))
    assert (done.stdout, done.status) == (f"restored 2 accounts to {data}\n", 0)
    after = await fill(data, 0)
    assert after[0] > before[0]
    assert after[1] >= before[1]
    assert (data / "tls" / "self-signed.crt").read_bytes() == (
        tmp_path / "lost" / "tls" / "self-signed.crt"
    ).read_bytes()
    assert await fill(data, 1) == (after[0], after[1] + 1)


async def test_renew_gives_a_new_uidvalidity_to_one_or_to_all(tmp_path: Path) -> None:
    data = tmp_path / "data"
    before = await fill(data, 1)
    options = ("--data", str(data))
    assert (await asyncio.to_thread(mektup, "user", "renew", "fred", *options)).stdout == "renewed fred\n"
    assert await fill(data, 0) == before
    assert (await asyncio.to_thread(mektup, "user", "renew", "LINDA", *options)).stdout == "renewed LINDA\n"
    once = await fill(data, 0)
    assert once[0] > before[0]
    assert (await asyncio.to_thread(mektup, "user", "renew", "--all", *options)).stdout == "renewed 2 accounts\n"
    assert (await fill(data, 0))[0] > once[0]


async def test_compact_changes_no_mail(tmp_path: Path) -> None:
    data = tmp_path / "data"
    before = await fill(data, 3)
    done = await asyncio.to_thread(mektup, "user", "compact", "--all", "--data", str(data))
    assert done.stdout == "compacted 2 accounts\n"
    assert await fill(data, 0) == before


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("user", "renew"), 2, "either the NAME of an account or --all"),
        (("user", "renew", "linda", "--all"), 2, "either the NAME of an account or --all"),
        (("user", "renew", "nobody"), 1, "there is no account nobody"),
        (("user", "compact", "nobody"), 1, "there is no account nobody"),
        (("backup", "full"), 1, "full is not empty"),
        (("backup", "full/file"), 1, "full/file is not a directory"),
        (("backup", "full/file/new"), 1, "full/file: Not a directory"),
        (("backup", "mektup-data/new"), 1, "mektup-data/new is in mektup-data"),
        (("backup", "full/../mektup-data/accounts/new"), 1, "is in mektup-data"),
        (("backup", "mektup-data"), 1, "mektup-data is in mektup-data"),
        (("restore", "full/file", "--data", "new"), 1, "full/file is not a backup"),
        (("restore", "mektup-data", "--data", "full/file"), 1, "full/file is not a directory"),
        (("backup", "new", "--data", "nowhere"), 1, "nowhere is not a data directory"),
        (("restore", "full"), 1, "full is not a backup"),
        (("restore", "mektup-data"), 1, "mektup-data is not empty"),
    ],
)
def test_impossible_requests_are_explained(tmp_path: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    assert mektup("user", "add", "linda", "--password-stdin", typed="x\n", where=tmp_path).status == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = mektup(*arguments, where=tmp_path)
    assert done.status == status
    assert words in done.stderr
    assert not os.path.exists(tmp_path / "new")


def test_a_count_of_one_has_the_singular(tmp_path: Path) -> None:
    assert mektup("user", "add", "linda", "--password-stdin", typed="x\n", where=tmp_path).status == 0
    for arguments, said in (
        (("user", "renew", "--all"), "renewed 1 account\n"),
        (("user", "compact", "--all"), "compacted 1 account\n"),
        (("backup", "first"), "copied 1 account to first\n"),
        (("backup", "copy", "second"), "copied 1 account to second\n"),
        (("backup", "--data", "mektup-data", "third"), "copied 1 account to third\n"),
        (("restore", "first", "--data", "new"), "restored 1 account to new\n"),
    ):
        assert mektup(*arguments, where=tmp_path).stdout == said


def broken(data: Path) -> Path:
    """Damages the file of the last account; returns its path."""
    path = sorted(data.glob("accounts/*/*.db"))[-1]
    path.write_bytes(b"none" * 2000)
    return path


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_failed_backup_cannot_be_restored(tmp_path: Path, is_there: bool) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    await fill(data, 1)
    path = broken(data)
    if not is_there:
        path.unlink()
    done = await asyncio.to_thread(mektup, "backup", str(backup), "--data", str(data))
    assert done.status == 1
    assert path.name in done.stderr
    assert list(backup.glob("accounts/*/*.db"))
    done = await asyncio.to_thread(mektup, "restore", str(backup), "--data", str(tmp_path / "new"))
    assert (done.status, done.stderr) == (1, f"mektup: {backup} is not a backup: there is no mektup.db in it\n")


async def test_a_backup_that_lacks_an_account_is_not_restored(tmp_path: Path) -> None:
    data, backup, new = tmp_path / "data", tmp_path / "backup", tmp_path / "new"
    await fill(data, 1)
    await asyncio.to_thread(mektup, "backup", str(backup), "--data", str(data))
    broken(backup).unlink()
    done = await asyncio.to_thread(mektup, "restore", str(backup), "--data", str(new))
    assert done.status == 1
    assert "is not a whole backup: there is no accounts/" in done.stderr
    assert not [path for path in new.rglob("*") if path.is_file()]


async def test_a_restore_only_reads_the_backup(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    await fill(data, 1)
    await asyncio.to_thread(mektup, "backup", str(backup), "--data", str(data))
    before = {path: path.stat().st_mtime_ns for path in (backup, *backup.rglob("*"))}
    assert (await asyncio.to_thread(mektup, "restore", str(backup), "--data", str(tmp_path / "new"))).status == 0
    assert {path: path.stat().st_mtime_ns for path in (backup, *backup.rglob("*"))} == before


async def test_a_restore_killed_before_it_renewed_still_gives_a_new_uidvalidity(tmp_path: Path) -> None:
    data, backup, new = tmp_path / "data", tmp_path / "backup", tmp_path / "new"
    before = await fill(data, 3)
    await asyncio.to_thread(mektup, "backup", str(backup), "--data", str(data))
    restore_all(backup, new)
    assert (await fill(new, 0))[0] > before[0]


async def test_the_wal_of_a_copy_is_restored_too(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    async with Server(data, users=LINDA) as server:
        for number in range(2):
            await server.deliver("linda", b"Subject: %d\r\n\r\nhello\r\n" % number)
        shutil.copytree(data, backup, ignore=shutil.ignore_patterns("*-shm", "run"))
        before = await asyncio.to_thread(status, server)
    assert list(backup.rglob("*-wal"))
    assert (await asyncio.to_thread(mektup, "restore", str(backup), "--data", str(tmp_path / "new"))).status == 0
    after = await fill(tmp_path / "new", 0)
    assert after[0] > before[0]
    assert after[1] >= before[1]


async def test_a_restored_account_has_its_metadata_and_its_limits(tmp_path: Path) -> None:
    data, backup, restored = (tmp_path / name for name in ("data", "backup", "restored"))
    everything = Wanted(("/private", "/shared"), None)
    async with Server(data, users=LINDA) as server:
        account = await server.store.account(await _entry(server))
        await account.quota.set_limits({Resource.MESSAGE: 7})
        await account.metadata.set_entries(await account.target("INBOX"), account.id, {"/private/comment": b"mine"})
        await server.store.server_metadata.set_entries({"/shared/comment": b"welcome"})
    done = await asyncio.to_thread(mektup, "backup", str(backup), "--data", str(data))
    assert done.status == 0
    done = await asyncio.to_thread(mektup, "restore", str(backup), "--data", str(restored))
    assert done.status == 0
    async with Server(restored) as server:
        account = await server.store.account(await _entry(server))
        inbox = await account.target("INBOX")
        assert await account.metadata.entries([inbox], account.id, everything) == {inbox: {"/private/comment": b"mine"}}
        assert await server.store.server_metadata.entries(everything) == {"/shared/comment": b"welcome"}
        assert (await account.quota.state()).own == {Resource.MESSAGE: 7}


async def _entry(server: Server) -> AccountEntry:
    entry = await server.store.directory.find("linda")
    assert entry is not None
    return entry
