"""Every file that a command makes is private, whatever the umask is."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from mektup.server.log_file import LogFile
from tests.server.process import Process

pytestmark = pytest.mark.timeout(180)
"""Seven programs are started one after the other."""

MEKTUP = [sys.executable, "-m", "mektup"]


def run(umask: int, *words: str | Path, typed: str = "Pa$$123\n") -> None:
    done = subprocess.run(
        [*MEKTUP, *map(str, words)], input=typed, capture_output=True, text=True, timeout=50, umask=umask
    )
    assert done.returncode == 0, done.stderr


def modes(directory: Path) -> dict[str, int]:
    """Each file and directory below *directory*, and that itself, with its mode."""
    found = (directory, *directory.rglob("*"))
    return {str(path.relative_to(directory)): stat.S_IMODE(path.lstat().st_mode) for path in found}


def assert_private(directory: Path) -> None:
    for path, mode in modes(directory).items():
        # a certificate is public, and stands beside its key in a private directory
        expected = 0o700 if (directory / path).is_dir() else 0o644 if path.endswith(".crt") else 0o600
        assert mode == expected, f"{path} has mode {mode:o}"


@pytest.fixture(params=[0o000, 0o177], ids=["umask 000", "umask 177"])
def umask(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def test_files_of_commands(tmp_path: Path, umask: int) -> None:
    data, backup, restored = tmp_path / "data", tmp_path / "backup", tmp_path / "restored"
    passwd = tmp_path / "passwd"
    passwd.write_text("ada:{PLAIN}Pa$$123\n")
    run(umask, "user", "add", "linda", "--password-stdin", "--data", data)
    run(umask, "user", "import", passwd, "--data", data)
    run(umask, "user", "passwd", "ada", "--password-stdin", "--data", data)
    run(umask, "backup", backup, "--data", data)
    run(umask, "restore", backup, "--data", restored)
    run(umask, "user", "compact", "--all", "--data", data)
    for directory in (data, backup, restored):
        assert len(modes(directory)) > 4
        assert_private(directory)


def test_files_of_a_server_and_its_sockets(tmp_path: Path, umask: int) -> None:
    run(umask, "user", "add", "linda", "--password-stdin", "--data", tmp_path / "data")
    config = tmp_path / "mektup.toml"
    config.write_text("""
data = "data"
workers = 2
[log]
format = "json"
[listen]
imap = ["127.0.0.1:0"]
lmtp = ["unix:sockets/lmtp"]
""")
    before = os.umask(umask)
    try:
        process = Process(config)
        log = LogFile(tmp_path / "log")
        log.descriptor()
        log.close()
    finally:
        os.umask(before)
    try:
        assert modes(tmp_path)["log"] == 0o600
        assert "run" in modes(tmp_path / "data")
        assert "tls/self-signed.key" in modes(tmp_path / "data")
        assert_private(tmp_path / "data")
        # the mail server that delivers is in the group
        assert modes(tmp_path / "sockets") == {".": 0o750, "lmtp": 0o660}
        assert process.stop() == 0
        assert_private(tmp_path / "data")
    finally:
        process.end()
