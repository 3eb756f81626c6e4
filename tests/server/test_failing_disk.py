"""A disk that fails while the server runs, so the system makes it read-only: mail can be read, and nothing is lost.

The tests mount an image of ext4, for which they need root.
"""

from __future__ import annotations

import imaplib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.process import serving
from tests.server.test_full_disk import deliver, health
from tests.server.test_workers import login, with_linda


class Image:
    """An image of ext4 and the directory where it is mounted."""

    def __init__(self, image: Path, mounted: Path) -> None:
        self._image, self.mounted = image, mounted

    def mount(self, *options: str) -> bool:
        asked = ",".join(("loop", "errors=remount-ro", *options))
        return subprocess.run(["mount", "-o", asked, self._image, self.mounted], capture_output=True).returncode == 0

    def unmount(self) -> None:
        subprocess.run(["umount", self.mounted], check=True)

    def fail(self) -> None:
        """As after an error of the disk: the file system can only be read from now on."""
        found = subprocess.run(["findmnt", "-no", "SOURCE", self.mounted], check=True, capture_output=True, text=True)
        Path("/sys/fs/ext4", Path(found.stdout.strip()).name, "trigger_fs_error").write_text("x")

    def mend(self) -> None:
        """What an operator does."""
        self.unmount()
        subprocess.run(["e2fsck", "-fy", self._image], capture_output=True)
        assert self.mount()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Image]:
    if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
        pytest.skip("needs root and mkfs.ext4")
    image, mounted = tmp_path / "image", tmp_path / "mounted"
    mounted.mkdir()
    with open(image, "wb") as file:
        file.truncate(24 * 1024 * 1024)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-b", "4096", image], check=True)
    disk = Image(image, mounted)
    if not disk.mount():
        pytest.skip("no image can be mounted here")
    try:
        yield disk
    finally:
        disk.unmount()


def number_of(client: imaplib.IMAP4, subject: str) -> int:
    return len(client.search(None, "SUBJECT", subject)[1][0].split())


def test_a_disk_that_fails(disk: Image) -> None:
    with_linda(disk.mounted)
    # the sockets of the bus cannot be removed at the end
    with serving(disk.mounted, alone=False, killed=True) as process:
        client = login(process)
        for number in range(3):
            assert client.append("INBOX", "", "", b"Subject: kept %d\r\n\r\nx\r\n" % number)[0] == "OK"
        client.select()
        disk.fail()
        for refused in (
            client.append("INBOX", "", "", b"Subject: refused\r\n\r\nx\r\n"),
            client.store("1", "+FLAGS", "(\\Deleted)"),
            client.create("New"),
        ):
            assert refused[0] == "NO"
            assert b"[UNAVAILABLE] The server's disk cannot be written to now" in refused[1][0]
        assert client.select() == ("OK", [b"3"])
        assert client.fetch("1:*", "(FLAGS BODY[])")[0] == "OK"
        assert deliver(process) == (451, b"4.3.0 The server's disk cannot be written to now")
        told = process.until("store_fault")
        assert (told["kind"], told["account"], told["level"]) == ("read-only", "linda", "error")
        status, text = health(process)
        assert status == 503
        assert "EROFS, Read-only file system" in text
        other = login(process)  # a new session, too
        assert other.select() == ("OK", [b"3"])
        other.logout()
        client.logout()
        assert process.stop() == 0
    disk.mend()
    with serving(disk.mounted) as process:
        client = login(process)
        assert client.select() == ("OK", [b"3"])
        assert number_of(client, "refused") == 0
        assert deliver(process)[0] == 250
        assert client.create("New")[0] == "OK"
        assert health(process)[0] == 200
        client.logout()


def test_a_server_that_starts_on_a_read_only_disk_says_so(disk: Image, tmp_path: Path) -> None:
    with_linda(disk.mounted)
    disk.unmount()
    assert disk.mount("ro")
    config = tmp_path / "mektup.toml"
    config.write_text(f'data = "{disk.mounted}/data"\n[listen]\nimap = ["127.0.0.1:0"]\n')
    done = subprocess.run(
        [sys.executable, "-m", "mektup", "serve", "--config", str(config)], text=True, capture_output=True, timeout=20
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "Read-only file system" in done.stderr
