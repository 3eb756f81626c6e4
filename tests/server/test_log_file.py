"""The log in a file: it is renamed and removed while the server writes, and it is on a disk that is full."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mektup.server import log_writer
from mektup.server.config import ConfigError, default
from mektup.server.log_file import LogFile
from mektup.server.log_writer import LogWriter
from mektup.server.run import writable_log

from .test_unwritable_log import mute
from .test_workers import until


def holds(path: Path, text: str) -> Callable[[], bool]:
    return lambda: path.exists() and text in path.read_text()


def test_a_renamed_or_removed_file_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "mektup.log"
    writer = LogWriter(LogFile(path).descriptor)
    writer.write("one\n")
    until(holds(path, "one"))
    assert path.stat().st_mode & 0o777 == 0o600
    path.rename(tmp_path / "mektup.log.1")
    writer.write("two\n")
    until(holds(path, "two"))
    path.unlink()
    writer.write("three\n")
    until(holds(path, "three"))
    writer.close()
    assert (tmp_path / "mektup.log.1").read_text() == "one\n"
    assert path.read_text() == "three\n"
    assert writer.dropped == 0


def test_a_file_that_logrotate_has_made_is_used(tmp_path: Path) -> None:
    path = tmp_path / "mektup.log"
    file = LogFile(path)
    first = file.descriptor()
    assert file.descriptor() == first
    path.rename(tmp_path / "mektup.log.1")
    path.touch(0o640)
    os.write(file.descriptor(), b"two\n")
    assert path.read_text() == "two\n"
    file.close()
    file.close()


def test_a_file_that_cannot_be_made_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "PAUSE_SECONDS", (0.01, 0.01))
    path = tmp_path / "logs" / "mektup.log"
    writer = LogWriter(LogFile(path).descriptor)
    writer.write("lost\n")
    until(lambda: writer.trouble() == "No such file or directory")
    path.parent.mkdir()
    writer.write("found\n")
    until(holds(path, "found"))
    until(lambda: writer.trouble() is None)
    writer.close()
    assert path.read_text() == "log_lines_dropped lines=1\nfound\n"


def test_a_reader_that_has_stopped_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_writer, "STUCK_SECONDS", 0.01)
    reader, descriptor = os.pipe()
    writer = LogWriter(descriptor)
    writer.write("x" * 500_000 + "\n")
    until(lambda: writer.trouble() == "its reader has stopped")
    os.close(reader)
    writer.close()
    os.close(descriptor)


def test_all_processes_write_to_the_file_and_follow_a_rename(tmp_path: Path) -> None:
    path = tmp_path / "mektup.log"
    with mute(tmp_path, None, 2, '[log]\nfile = "mektup.log"\n') as server:
        server.use()
        until(holds(path, "delivered"))
        path.rename(tmp_path / "mektup.log.1")
        server.use()
        until(holds(path, "delivered"))
        assert server.counted("mektup_log_lines_dropped_total") == 0
        assert "warning" not in server.health()
    assert "stopped" in path.read_text().splitlines()[-1]


def test_a_file_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    config = replace(default(tmp_path), log_file=tmp_path / "nowhere" / "mektup.log")
    with pytest.raises(ConfigError, match=r"log\.file"):
        writable_log(config)
