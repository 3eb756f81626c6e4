"""mektup import, as an operator types it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mektup import Server
from mektup.cli.opened_store import opened_store
from mektup.store.interface import AccountEntry
from tests.migration.conftest import mail_of
from tests.migration.maildirs import crlf, folder, message, put, uidlist
from tests.support.command import mektup

USERS = {"linda": "Pa$$123"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Maildir."""
    made = folder(tmp_path / "Maildir")
    put(made, "1.a:2,S", message("one"))
    put(made, "2.b:2,", message("two"))
    uidlist(made, 77, 10, "5 :1.a", "6 :2.b")
    return made


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with linda."""
    made = tmp_path / "data"
    assert mektup("user", "add", "linda", "--password-stdin", "--data", str(made), typed="Pa$$123\n").status == 0
    return made


async def test_mail_comes_into_an_account_of_a_running_server(tmp_path: Path, root: Path) -> None:
    data = tmp_path / "data"
    async with Server(data, users=USERS):
        done = await asyncio.to_thread(mektup, "import", "linda", str(root), "--data", str(data))
        assert (done.status, done.stdout) == (0, "imported 2 messages\n")
        assert done.stderr == f"{root}: maildir\n"
        again = await asyncio.to_thread(mektup, "import", "linda", str(root), "--data", str(data))
        assert (again.status, again.stdout) == (0, "imported 0 messages\n2 messages were there already\n")
    async with opened_store(data) as store:
        account = await store.account(await found(store, "linda"))
        assert [(each.uid, each.octets) for each in await mail_of(account)] == [
            (5, crlf(message("one"))),
            (6, crlf(message("two"))),
        ]


async def found(store: object, name: str) -> AccountEntry:
    entry = await store.directory.find(name)  # type: ignore[attr-defined]
    assert isinstance(entry, AccountEntry)
    return entry


def test_what_cannot_be_imported_is_told_and_the_status_is_1(data: Path, root: Path) -> None:
    put(root, "3.c:2,", b"")
    done = mektup("import", "linda", str(root), "--data", str(data))
    assert (done.status, done.stdout) == (1, "imported 2 messages\n1 problem, told above\n")
    assert f"mektup: {root}/cur/3.c:2,: the message is empty\n" in done.stderr


def test_a_dry_run_and_another_mailbox(data: Path, root: Path) -> None:
    done = mektup("import", "linda", str(root), "--dry-run", "--data", str(data))
    assert (done.status, done.stdout) == (0, "2 messages would be imported\n")
    assert mektup("import", "linda", str(root), "--into", "Old", "--data", str(data)).stdout == "imported 2 messages\n"
    assert mektup("import", "linda", str(root), "--dry-run", "--data", str(data)).stdout.startswith("2 messages would")


def test_a_maildir_is_followed(data: Path, root: Path) -> None:
    mektup("import", "linda", str(root), "--data", str(data))
    (root / "cur" / "1.a:2,S").unlink()
    (root / "cur" / "2.b:2,").rename(root / "cur" / "2.b:2,F")
    done = mektup("import", "linda", str(root), "--follow", "--data", str(data))
    assert done.status == 0
    assert "changed the flags of 1 message\n" in done.stdout
    assert "removed 1 message\n" in done.stdout


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("linda", "missing"), 1, "missing does not exist"),
        (("nobody", "."), 1, "there is no account nobody"),
        (("linda", ".", "--from", "outlook"), 2, "outlook is no kind of mail; there are maildir, mbox"),
        (("linda", "empty"), 1, "empty has no mail in a form that can be imported; name the form with --from"),
    ],
)
def test_mistakes(data: Path, root: Path, words: tuple[str, ...], status: int, complaint: str) -> None:
    (root.parent / "empty").mkdir()
    done = mektup("import", *words, "--data", str(data), where=root.parent if words[0] == "linda" else root)
    assert done.status == status
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_mail_of_dovecot_that_only_dovecot_reads(data: Path, tmp_path: Path) -> None:
    (tmp_path / "dbox" / "storage").mkdir(parents=True)
    (tmp_path / "dbox" / "storage" / "m.1").write_bytes(b"x")
    done = mektup("import", "linda", str(tmp_path / "dbox"), "--data", str(data))
    assert done.status == 1
    assert "import it over IMAP" in done.stderr


async def test_an_import_that_was_killed_goes_on(tmp_path: Path) -> None:
    data, root = tmp_path / "data", folder(tmp_path / "many")
    put(root, "1.host:2,", message("number 1"))
    uidlist(root, 77, 2, "1 :1.host")
    words = "import", "linda", str(root), "--into", "Old", "--data", str(data)
    async with Server(data, users=USERS) as server:
        assert (await asyncio.to_thread(mektup, *words)).status == 0
        for number in range(2, 2001):
            put(root, f"{number}.host:2,", message(f"number {number}"))
        uidlist(root, 77, 2001, *(f"{number} :{number}.host" for number in range(1, 2001)))
        reader, writer = await asyncio.open_connection(*server.address("imap"))
        writer.write(b"a LOGIN linda Pa$$123\r\nb SELECT Old\r\nc IDLE\r\n")
        await asyncio.wait_for(reader.readuntil(b"+ "), 60)
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mektup", *words, stdout=subprocess.DEVNULL
        )
        await asyncio.wait_for(reader.readuntil(b" EXISTS\r\n"), 60)
        process.send_signal(signal.SIGKILL)
        await process.wait()
        writer.close()
        assert (await asyncio.to_thread(mektup, *words)).status == 0
    async with opened_store(data) as store:
        mail = await mail_of(await store.account(await found(store, "linda")), "Old")
        assert [each.uid for each in mail] == [*range(1, 2001)]
        assert all(each.octets == crlf(message(f"number {each.uid}")) for each in mail)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_files_that_root_makes_belong_to_the_owner_of_the_data(data: Path, root: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    for path in (data, *data.rglob("*")):
        shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
    assert mektup("import", "linda", str(root), "--data", str(data)).status == 0
    assert {path.stat().st_uid for path in (data, *data.rglob("*"))} == {nobody.pw_uid}


def test_names_of_files_cannot_move_the_cursor_of_a_terminal(data: Path, root: Path) -> None:
    put(root, "3.\x1b[2J:2,", b"")
    done = mektup("import", "linda", str(root), "--data", str(data))
    assert "\x1b" not in done.stderr
    assert "\\x1b" in done.stderr
