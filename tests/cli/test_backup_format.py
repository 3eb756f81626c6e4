"""mektup backup create, list, verify and prune, and mektup restore of what they made, as an operator types them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import stat
import subprocess
import sys
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apsw
import pytest

from mektup.backup.shelf import Shelf
from mektup.backup.unfinished import MARK
from mektup.backup.verifying import Verifying
from mektup.store.arrival import prepare
from mektup.store.interface import Incoming
from mektup.store.sqlite import open_store
from tests.backup.conftest import State, state_of
from tests.support.command import Done, mektup


async def fill(data: Path, *subjects: str, octets: int = 0) -> None:
    """Adds messages to linda's INBOX, with *octets* that cannot be compressed much."""
    store = await open_store(data)
    for name in ("linda", "fred"):
        if await store.directory.find(name) is None:
            await store.directory.add(name, {"password": "{PLAIN}Pa$$123"})
    entry = await store.directory.find("linda")
    assert entry is not None
    account = await store.account(entry)
    mailbox = await account.target("INBOX")
    for subject in subjects:
        text = b64encode(random.Random(subject).randbytes(octets))
        raw = b"Subject: %s\r\n\r\n%s\r\n" % (subject.encode(), text)
        await account.append(mailbox, [Incoming(prepare(raw))])
    await store.close()


async def states(data: Path, *, saved: bool = True) -> dict[str, State]:
    store = await open_store(data)
    found: dict[str, State] = {}
    for entry in await store.directory.entries("", 10):
        found[entry.name] = await state_of(await store.account(entry), saved=saved)
    await store.close()
    return found


def run(where: Path, *arguments: str) -> Done:
    """Runs mektup in a thread, because tests have an event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(mektup, *arguments, where=where).result()


def subprocess_of(
    where: Path, arguments: Sequence[str], largest: int | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs mektup in a process of its own, in which no file may be larger than *largest* octets."""
    limited = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({largest}, {largest})); " if largest else ""
    code = f"{limited}import sys; from mektup.cli import main; sys.argv[0] = 'mektup'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=where,
        capture_output=True,
        check=False,
        env={**os.environ, **(environment or {})},
    )


async def test_a_day_of_an_operator(tmp_path: Path) -> None:
    await fill(tmp_path / "mektup-data", "one", "two")
    (tmp_path / "mektup-data" / "tls").mkdir()
    for ending in ("key", "crt"):
        (tmp_path / "mektup-data" / "tls" / f"self-signed.{ending}").write_text(ending)
    assert run(tmp_path, "domain", "add", "example.org").status == 0
    assert run(tmp_path, "alias", "add", "info@example.org", "linda", "fred").status == 0
    addresses = run(tmp_path, "alias", "list").stdout
    assert "info@example.org" in addresses
    done = run(tmp_path, "backup", "create", "backup")
    assert done.stdout.startswith("backed up 2 accounts to backup: 2 changed, 2 new messages of ")
    assert (done.status, done.stderr) == (0, "")
    await fill(tmp_path / "mektup-data", "three")
    done = run(tmp_path, "backup", "create", "backup")
    assert "2 accounts to backup: 1 changed, 1 new messages" in done.stdout
    done = run(tmp_path, "backup", "list", "backup", "--json")
    first, second = map(json.loads, done.stdout.splitlines())
    assert [sum(account["messages"] for account in each["accounts"]) for each in (first, second)] == [2, 3]
    assert "Pa$$" not in done.stdout
    assert "secrets" not in done.stdout
    lines = run(tmp_path, "backup", "list", "backup", "--account", "LINDA").stdout.splitlines()
    assert lines[0].split("  ")[1] == first["time"]
    assert "linda: 3 messages" in lines[1]
    done = run(tmp_path, "backup", "verify", "backup")
    assert done.stdout.startswith("backup: 2 backups are whole, with ")
    assert run(tmp_path, "backup", "verify", "--forget-damaged", "backup").stdout == done.stdout
    (tmp_path / "mektup-data").rename(tmp_path / "lost")
    done = run(tmp_path, "restore", "backup", "--at", first["time"])
    assert done.status == 0
    assert "restored linda: 2 messages added" in done.stdout
    assert done.stdout.endswith("restored 2 accounts to mektup-data\n")
    assert not (tmp_path / "mektup-data" / MARK).exists()
    assert run(tmp_path, "alias", "list").stdout == addresses
    done = run(tmp_path, "restore", "backup", "--account", "linda")
    assert "restored linda: 1 message added, 2 were there, 0 got their flags back" in done.stdout
    assert await states(tmp_path / "mektup-data") == await states(tmp_path / "lost")
    assert (tmp_path / "mektup-data/tls/self-signed.key").read_bytes() == (
        tmp_path / "lost/tls/self-signed.key"
    ).read_bytes()
    done = run(tmp_path, "backup", "prune", "backup", "--keep", "1")
    assert done.stdout.startswith("removed 1 backup from backup; the packs are ")
    assert run(tmp_path, "check", "linda").status == 0


async def test_a_backup_can_be_read_only_by_its_owner(tmp_path: Path) -> None:
    await fill(tmp_path / "mektup-data", "one")
    assert run(tmp_path, "backup", "create", "backup").status == 0
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "backup").rglob("*") if path.is_file()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "backup").stat().st_mode) == 0o700


async def test_a_tar_stream_is_the_same_backup(tmp_path: Path) -> None:
    await fill(tmp_path / "mektup-data", "one", "two", octets=100_000)
    done = subprocess_of(tmp_path, ["backup", "create", "-"])
    assert done.returncode == 0
    assert done.stderr.startswith(b"backed up 2 accounts to -: 2 changed, 2 new messages")
    (tmp_path / "backup.tar").write_bytes(done.stdout)
    subprocess.run(["tar", "xf", "../backup.tar"], cwd=_made(tmp_path / "backup"), check=True)
    assert "1 backup is whole" in run(tmp_path, "backup", "verify", "backup").stdout
    assert run(tmp_path, "restore", "backup", "--data", "new").status == 0
    assert await states(tmp_path / "new") == await states(tmp_path / "mektup-data")
    for stop in (len(done.stdout) // 3, len(done.stdout) - 12_000):
        cut = tmp_path / f"cut{stop}"
        (tmp_path / "cut.tar").write_bytes(done.stdout[:stop])
        subprocess.run(["tar", "xf", "../cut.tar"], cwd=_made(cut), stderr=subprocess.DEVNULL, check=False)
        said = run(tmp_path, "restore", str(cut), "--data", "nothing")
        assert said.status == 1
        assert "has no finished backup" in said.stderr


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


@pytest.mark.parametrize("largest", [70_000, 250_000])
async def test_a_full_disk_leaves_earlier_backups_and_the_next_one_goes_on(tmp_path: Path, largest: int) -> None:
    data = tmp_path / "mektup-data"
    await fill(data, "first")
    assert run(tmp_path, "backup", "create", "backup").status == 0
    await fill(data, *map(str, range(10)), octets=30_000)
    done = subprocess_of(tmp_path, ["backup", "create", "backup"], largest)
    assert done.returncode == 1
    assert b"File too large" in done.stderr
    assert b"backup/packs/" in done.stderr
    shelf = Shelf(tmp_path / "backup")
    assert len(shelf.runs()) == 1
    assert not Verifying(shelf).run().problems
    assert run(tmp_path, "restore", "backup", "--data", "old").status == 0
    said = run(tmp_path, "backup", "create", "backup")
    assert said.status == 0
    assert "was cut off" in said.stderr
    assert not Verifying(shelf).run().problems
    assert run(tmp_path, "restore", "backup", "--data", "new").status == 0
    assert await states(tmp_path / "new") == await states(data)


async def test_a_killed_backup_leaves_earlier_ones_and_the_next_one_goes_on(tmp_path: Path) -> None:
    data = tmp_path / "mektup-data"
    await fill(data, "first")
    assert run(tmp_path, "backup", "create", "backup").status == 0
    await fill(data, *map(str, range(20)), octets=200_000)
    shelf = Shelf(tmp_path / "backup")
    for size in (1, 1_000_000, 3_000_000):
        process = subprocess.Popen(
            [sys.executable, "-c", "from mektup.cli import main; main()", "backup", "create", "backup"],
            cwd=tmp_path,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while process.poll() is None and not _is_written(shelf, size):
            pass
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not Verifying(shelf).run().problems
        shelf.run(shelf.runs()[0])
    assert run(tmp_path, "backup", "create", "backup").status == 0
    assert not Verifying(shelf).run().problems
    assert not shelf.parts()
    assert run(tmp_path, "restore", "backup", "--data", "new").status == 0
    assert await states(tmp_path / "new") == await states(data)


def _is_written(shelf: Shelf, size: int) -> bool:
    with contextlib.suppress(FileNotFoundError):  # it just got its name
        return any(part.stat().st_size >= size for part in shelf.parts())
    return False


async def test_a_restore_that_a_full_disk_stopped_is_continued(tmp_path: Path) -> None:
    data = tmp_path / "mektup-data"
    await fill(data, *map(str, range(40)), octets=30_000)
    assert run(tmp_path, "backup", "create", "backup").status == 0
    done = subprocess_of(tmp_path, ["restore", "backup", "--data", "new"], 600_000)
    assert done.returncode == 1
    assert b"stopped at UID" in done.stderr
    assert (tmp_path / "new" / MARK).exists()
    said = run(tmp_path, "restore", "backup", "--data", "new")
    assert said.status == 0
    assert "were there" in said.stdout
    assert await states(tmp_path / "new") == await states(data)
    assert not (tmp_path / "new" / MARK).exists()


async def test_a_damaged_account_is_named_and_keeps_its_earlier_backup(tmp_path: Path) -> None:
    data = tmp_path / "mektup-data"
    await fill(data, "one")
    assert run(tmp_path, "backup", "create", "backup").status == 0
    store = await open_store(data)
    entry = await store.directory.find("linda")
    await store.close()
    assert entry is not None
    path = data / "accounts" / entry.id[:2] / f"{entry.id}.db"
    whole = path.read_bytes()
    path.write_bytes(b"none" * 2000)
    done = run(tmp_path, "backup", "create", "backup")
    assert done.status == 1
    assert "mektup: linda: " in done.stderr
    assert path.name in done.stderr
    assert "backed up 1 account" in done.stdout
    run(tmp_path, "backup", "prune", "backup", "--keep", "1")
    path.write_bytes(whole)
    assert "could not be read" in run(tmp_path, "backup", "list", "backup", "--account", "linda").stdout
    assert run(tmp_path, "restore", "backup", "--data", "new").status == 0
    assert await states(tmp_path / "new") == await states(data)


async def test_a_message_that_is_damaged_in_the_store_is_named_and_the_rest_is_saved(tmp_path: Path) -> None:
    data = tmp_path / "mektup-data"
    await fill(data, "one", "two", "three")
    store = await open_store(data)
    entry = await store.directory.find("linda")
    await store.close()
    assert entry is not None
    connection = apsw.Connection(str(data / "accounts" / entry.id[:2] / f"{entry.id}.db"))
    connection.execute("UPDATE chunks SET octets = X'6e6f6e65' WHERE id = 2 << 12")
    connection.close()
    done = run(tmp_path, "backup", "create", "backup")
    assert done.status == 1
    assert "mektup: linda, INBOX: UID 2 cannot be read from the store" in done.stderr
    done = run(tmp_path, "backup", "verify", "backup")
    assert done.status == 0
    assert "linda, INBOX: 1 message, UID 2, was damaged in the store already" in done.stdout
    done = run(tmp_path, "restore", "backup", "--data", "new")
    assert done.status == 1
    assert "linda, INBOX: 1 message is lost, UID 2: it is in none of the packs" in done.stderr
    assert "restored linda: 2 messages added" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("backup", "create", "full"), 1, "full is not a backup and not empty"),
        (("backup", "create", "mektup-data/new"), 1, "mektup-data/new is in mektup-data"),
        (("backup", "create", "new", "--account", "nobody"), 1, "nobody: There is no account with that name"),
        (("backup", "create", "new", "--data", "nowhere"), 1, "nowhere"),
        (("backup", "list", "full"), 1, "full is not a backup"),
        (("backup", "verify", "mektup-data"), 1, "mektup-data is not a backup"),
        (("backup", "prune", "backup", "--keep", "0"), 2, "--keep must be 1 or more"),
        (("restore", "backup", "--account", "nobody"), 1, "has no backup of an account nobody"),
        (("restore", "backup", "--at", "yesterday"), 1, "yesterday is not a time"),
        (("restore", "backup", "--at", "2001-01-01"), 1, "has no backup of 2001-01-01"),
        (("restore", "backup", "--mailbox", "INBOX"), 2, "--mailbox needs --account"),
        (("restore", "backup", "--account", "linda", "--uid", "1"), 2, "--uid needs --mailbox"),
        (("restore", "backup", "--account", "linda", "--mailbox", "x"), 1, "has no mailbox x"),
        (("restore", "full", "--account", "linda"), 2, "is not a backup that mektup backup create made"),
        (("restore", "backup"), 1, "mektup-data is not empty"),
    ],
)
def test_impossible_requests_are_explained(tmp_path: Path, arguments: tuple[str, ...], status: int, words: str) -> None:
    assert mektup("user", "add", "linda", "--password-stdin", typed="x\n", where=tmp_path).status == 0
    assert run(tmp_path, "backup", "create", "backup").status == 0
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    done = run(tmp_path, *arguments)
    assert done.status == status
    assert words in done.stderr
    assert not (tmp_path / "mektup-data" / "new").exists()


async def test_two_backups_at_once_are_refused(tmp_path: Path) -> None:
    await fill(tmp_path / "mektup-data", "one")
    assert run(tmp_path, "backup", "create", "backup").status == 0
    with Shelf(tmp_path / "backup").locked():
        for command in (("create", "backup"), ("prune", "backup", "--keep", "1")):
            done = run(tmp_path, "backup", *command)
            assert done.status == 1
            assert "another command writes to backup" in done.stderr


async def test_restored_mail_is_compressed_as_the_configuration_says(tmp_path: Path) -> None:
    store = await open_store(tmp_path / "mektup-data")
    account = await store.account(await store.directory.add("linda", {}))
    await account.append(
        (await account.mailbox("INBOX")).id, [Incoming(prepare(b"Subject: x\r\n\r\n" + b"y" * 200_000))]
    )
    await store.close()
    assert run(tmp_path, "backup", "create", "backup").status == 0
    (tmp_path / "mektup.toml").write_text('data = "new"\ncompression = 3\n')
    assert run(tmp_path, "restore", "backup", "--config", "mektup.toml").status == 0
    (path,) = (tmp_path / "new" / "accounts").rglob("*.db")
    assert path.stat().st_size < 200_000


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_what_root_does_leaves_no_file_that_the_service_cannot_open(tmp_path: Path) -> None:
    service = 12_345
    data = tmp_path / "mektup-data"
    await fill(data, "one", "two")
    (tmp_path / "new").mkdir(mode=0o700)
    for path in (data, *data.rglob("*"), tmp_path / "new"):
        os.chown(path, service, service)
    assert run(tmp_path, "backup", "create", "backup").status == 0
    assert run(tmp_path, "restore", "backup", "--account", "linda").status == 0
    assert run(tmp_path, "restore", "backup", "--account", "linda", "--as", "ali").status == 0
    done = run(tmp_path, "restore", "backup", "--data", "new")
    assert (done.status, done.stderr) == (0, "")
    for directory in (data, tmp_path / "new"):
        owners = {path: path.stat().st_uid for path in (directory, *directory.rglob("*"))}
        assert len(owners) > 5
        assert set(owners.values()) == {service}, owners
