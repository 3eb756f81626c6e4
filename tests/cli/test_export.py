"""mektup export, as an operator types it."""

from __future__ import annotations

import asyncio
import os
import pwd
import shutil
from pathlib import Path

import pytest

from mektup import Server
from tests.support.command import mektup

USERS = {"linda": "Pa$$123", "fred": "Pa$$123"}


@pytest.mark.parametrize("form", ["maildir", "mbox", "eml"])
async def test_an_export_of_a_running_server_is_imported_again(tmp_path: Path, form: str) -> None:
    data, out = tmp_path / "data", tmp_path / "out"
    async with Server(data, users=USERS) as server:
        for number in range(3):
            await server.deliver("linda", b"Subject: %d\r\n\r\nhello\r\n" % number)
        words = "export", "linda", str(out), "--to", form, "--data", str(data)
        done = await asyncio.to_thread(mektup, *words)
        assert (done.status, done.stdout, done.stderr) == (0, f"exported 3 messages to {out}\n", "")
        again = await asyncio.to_thread(mektup, *words)
        assert (again.status, again.stderr) == (1, f"mektup: {out} is not empty; name a folder that is new or empty\n")
        back = await asyncio.to_thread(mektup, "import", "fred", str(out), "--data", str(data))
        assert (back.status, back.stdout) == (0, "imported 3 messages\n")


async def test_one_mailbox_into_one_file(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with Server(data, users=USERS) as server:
        await server.deliver("linda", b"Subject: one\r\n\r\nhello\r\n")
    out = tmp_path / "inbox.mbox"
    words = "export", "linda", str(out), "--mailbox", "inbox", "--to", "mbox", "--data", str(data)
    done = await asyncio.to_thread(mektup, *words)
    assert (done.status, done.stdout) == (0, f"exported 1 message to {out}\n")
    assert out.read_bytes().startswith(b"From MAILER-DAEMON ")


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("linda", "out", "--to", "pst"), 2, "pst is no form; there are maildir, mbox, eml"),
        (("nobody", "out"), 1, "there is no account nobody"),
        (("linda", "out", "--mailbox", "Missing"), 1, "No such mailbox"),
        (("linda", "file"), 1, "file is there already"),
    ],
)
async def test_mistakes(tmp_path: Path, words: tuple[str, ...], status: int, complaint: str) -> None:
    data = tmp_path / "data"
    async with Server(data, users=USERS):
        pass
    (tmp_path / "file").write_bytes(b"")
    done = await asyncio.to_thread(mektup, "export", *words, "--data", str(data), where=tmp_path)
    assert done.status == status
    assert complaint in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
async def test_what_root_exports_belongs_to_the_owner_of_the_folder(tmp_path: Path) -> None:
    data, home = tmp_path / "data", tmp_path / "home"
    async with Server(data, users=USERS) as server:
        await server.deliver("linda", b"Subject: one\r\n\r\nhello\r\n")
    nobody = pwd.getpwnam("nobody")
    home.mkdir()
    for path in (home, data, *data.rglob("*")):
        shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
    done = await asyncio.to_thread(mektup, "export", "linda", str(home / "mail"), "--data", str(data))
    assert done.status == 0
    assert {path.stat().st_uid for path in (*home.rglob("*"), *data.rglob("*"))} == {nobody.pw_uid}
