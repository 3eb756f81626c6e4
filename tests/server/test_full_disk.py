"""A server of two workers on a full disk: mail can be read and deleted, new mail is refused, and nothing is lost.

The tests mount a small file system, for which they need root.
"""

from __future__ import annotations

import os
import poplib
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.server.process import Process, serving
from tests.server.test_workers import login, with_linda

LARGE = b"Subject: large\r\n\r\n" + b"hello world\r\n" * 6000

MOST_FILES = 60


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 12 MB, which can have so many files."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root can mount a file system")
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size=12M,nr_inodes={MOST_FILES}", "tmpfs", mounted], capture_output=True
    ).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield mounted
    finally:
        subprocess.run(["umount", mounted], check=True)


def fill(directory: Path) -> Path:
    """Fills the file system."""
    filler = directory / "filler"
    with open(filler, "ab", 0) as file:
        for octets in (65536, 4096, 1):
            try:
                while True:
                    file.write(bytes(octets))
            except OSError:
                continue
    return filler


def health(process: Process) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{process.ports['metrics']}/health", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def use_up_files(directory: Path) -> list[Path]:
    """Creates files until the file system has no free inode."""
    made: list[Path] = []
    while True:
        try:
            (directory / f"file{len(made)}").touch(exist_ok=False)
        except OSError:
            return made
        made.append(directory / f"file{len(made)}")


def deliver(process: Process) -> tuple[int, bytes]:
    """Delivers a message by LMTP; returns the answer, or that to its recipient if that is refused."""
    with smtplib.LMTP("127.0.0.1", process.ports["lmtp"], timeout=10) as client:
        client.ehlo_or_helo_if_needed()
        client.mail("ada@example.org")
        answer = client.rcpt("linda")
        return client.data(b"Subject: news\r\n\r\nnews\r\n") if answer[0] == 250 else answer


def test_a_full_disk(small: Path) -> None:
    with_linda(small)
    with serving(small, workers=2) as process:
        client = login(process)
        for number in range(3):
            client.append("INBOX", "", "", b"Subject: %d\r\n\r\nsmall\r\n" % number)
        for _ in range(20):
            client.append("INBOX", "", "", LARGE)
        client.create("Old")
        client.select()
        assert health(process)[0] == 200
        fill(small)
        refused = ""
        for turn in range(10_000):
            status, texts = client.uid("STORE", "3", "+-"[turn % 2] + "FLAGS", "(\\Flagged)")
            if status == "NO":
                refused = str(texts)
                break
        assert "[UNAVAILABLE] No room" in refused
        assert client.uid("STORE", "1", "+FLAGS", "($Important)")[0] == "NO"
        assert client.append("INBOX", "", "", b"Subject: n\r\n\r\nn\r\n")[0] == "NO"
        assert client.uid("COPY", "1", "Old")[0] == "NO"
        assert deliver(process) == (452, b"4.3.1 No room is left on the server's disk")
        assert health(process)[0] == 503
        assert "No room is left" in health(process)[1]
        client.logout()
        told = process.until("store_fault")
        assert (told["kind"], told["level"]) == ("full", "error")
    with serving(small, workers=2) as process:  # the server starts on a full disk
        assert health(process)[0] == 503
        client = login(process)
        status, count = client.select()
        assert (status, count) == ("OK", [b"23"])
        assert client.fetch("1", "(BODY[])")[1][0][1] == b"Subject: 0\r\n\r\nsmall\r\n"  # type: ignore[index]
        assert client.uid("STORE", "10:23", "+FLAGS", "(\\Deleted)")[0] == "OK"
        assert len(client.expunge()[1]) == 14
        assert client.uid("MOVE", "2:3", "Old")[0] == "OK"
        assert client.delete("Old")[0] == "OK"
        drop = poplib.POP3("127.0.0.1", process.ports["pop3"], timeout=10)
        drop.user("linda")
        drop.pass_("Pa$$123")
        drop.dele(2)
        assert drop.quit().startswith(b"+OK")
        client.noop()
        fill(small).unlink()
        assert health(process)[0] == 200
        assert deliver(process)[0] == 250
        assert client.uid("STORE", "1", "+FLAGS", "($Important)")[0] == "OK"
        client.logout()
    with serving(small, workers=2) as process:
        client = login(process)
        assert client.select() == ("OK", [b"7"])
        flags = b"".join(line for line in client.fetch("1:*", "(FLAGS)")[1] if isinstance(line, bytes))
        assert flags.count(b"$Important") == 1
        client.logout()


def test_a_disk_that_holds_no_more_files_is_full(small: Path) -> None:
    with_linda(small)
    with serving(small) as process:
        health(process)
        made = use_up_files(small)
        # the account was not used since the start, so its WAL-index does not exist
        assert deliver(process) == (452, b"4.3.1 No room is left on the server's disk")
        status, text = health(process)
        assert status == 503
        assert "No room is left" in text
        assert (small / "data" / "reserve").stat().st_size == 3 * 1024 * 1024  # it would not help
        for each in made:
            each.unlink()
        assert health(process)[0] == 200
        assert deliver(process)[0] == 250


def test_a_server_that_cannot_start_says_why(small: Path, tmp_path: Path) -> None:
    (small / "data").mkdir()
    (tmp_path / "mektup.toml").write_text(f'data = "{small}/data"\n[listen]\nimap = ["127.0.0.1:0"]\n')
    fill(small)
    for command in (
        ("serve", "--config", str(tmp_path / "mektup.toml")),
        ("user", "add", "ali", "--password-stdin", "--data", str(small / "data")),
    ):
        done = subprocess.run(
            [sys.executable, "-m", "mektup", *command], input="Pa$$123\n", text=True, capture_output=True, timeout=20
        )
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert str(small) in done.stderr
        assert "No space left on device" in done.stderr
