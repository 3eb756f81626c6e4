"""Faults of the machine in the log, in the metrics and in /health."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
import structlog
from structlog.testing import LogCapture

from mektup import Server
from mektup.server.fault_book import LASTS_SECONDS, LOG_SECONDS, MOST_LOGGED, FaultBook
from mektup.store import system
from mektup.store.faults import Fault, Kind
from mektup.store.sqlite import Reserve


class Clock:
    """A clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def capture() -> LogCapture:
    return LogCapture()


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    return Reserve(tmp_path)


@pytest.fixture
def book(clock: Clock, capture: LogCapture, reserve: Reserve) -> FaultBook:
    log = structlog.wrap_logger(
        structlog.ReturnLogger(), processors=[capture], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    reserve.refill()
    return FaultBook(log, reserve, clock)


def fault(kind: Kind, file: str = "/data/a.db", reason: str = "EIO, Input/output error", **more: bool) -> Fault:
    return Fault(kind, file, reason, "linda", **more)


def test_a_fault_is_logged_once_a_minute_and_kind(book: FaultBook, clock: Clock, capture: LogCapture) -> None:
    for _ in range(5):
        book.happened(fault(Kind.FAILED))
    book.happened(fault(Kind.DAMAGED, reason="SQLITE_CORRUPT"))
    clock.now += LOG_SECONDS
    book.happened(fault(Kind.FAILED, "/data/b.db"))
    first, damaged, second = capture.entries
    assert first == {
        "event": "store_fault",
        "log_level": "error",
        "kind": "failed",
        "account": "linda",
        "file": "/data/a.db",
        "reason": "EIO, Input/output error",
    }
    assert damaged["kind"] == "damaged"
    assert (second["file"], second["passed_over"]) == ("/data/b.db", 4)
    assert {kind: count for kind, count in book.counts().items() if count} == {"failed": 6, "damaged": 1}


def test_each_file_that_is_at_fault_is_logged_and_a_full_disk_once(
    book: FaultBook, clock: Clock, capture: LogCapture
) -> None:
    for file in ("/data/a.db", "/data/b.db", "/data/a.db"):
        for kind in (Kind.DAMAGED, Kind.FAILED, Kind.FULL):
            book.happened(fault(kind, file))
    told = [(entry["kind"], entry["file"]) for entry in capture.entries]
    assert told == [
        ("damaged", "/data/a.db"),
        ("failed", "/data/a.db"),
        ("full", "/data/a.db"),
        ("damaged", "/data/b.db"),
        ("failed", "/data/b.db"),
    ]


def test_the_log_of_files_at_fault_has_an_end(book: FaultBook, clock: Clock, capture: LogCapture) -> None:
    for number in range(2 * MOST_LOGGED):
        book.happened(fault(Kind.DENIED, f"/data/{number}.db"))
    assert len(capture.entries) == MOST_LOGGED
    clock.now += LOG_SECONDS
    book.happened(fault(Kind.DENIED, "/data/0.db"))
    assert capture.entries[-1]["passed_over"] == MOST_LOGGED


def test_a_failed_disk_is_reported_for_some_minutes(book: FaultBook, clock: Clock) -> None:
    assert book.trouble() is None
    book.happened(fault(Kind.FAILED))
    clock.now += 7
    words = "store: The server's disk failed: /data/a.db: EIO, Input/output error (7 s ago)"
    assert book.trouble() == words
    clock.now += LASTS_SECONDS - 8
    assert book.trouble() is not None
    clock.now += 1
    assert book.trouble() is None


def test_damage_is_reported_until_the_end_unless_it_was_repaired(book: FaultBook, clock: Clock) -> None:
    book.happened(fault(Kind.DAMAGED, "/data/b.db", lasts=False))
    assert book.trouble() is None
    book.happened(fault(Kind.DAMAGED))
    clock.now += 1e6
    assert "/data/a.db" in (book.trouble() or "")


def test_a_full_disk_is_reported_until_there_is_space(
    book: FaultBook, reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Reserve, "has_room", lambda self: False)
        book.happened(fault(Kind.FULL))
        assert book.trouble() is not None
    assert book.trouble() is None
    with monkeypatch.context() as patch:
        patch.setattr(Reserve, "has_room", lambda self: False)
        reserve.give_up(1)  # nothing was refused yet
        assert book.trouble() == f"store: No room is left on the server's disk: {reserve}"


def test_a_read_only_disk_is_reported_before_anything_is_refused_and_until_it_can_be_written(
    book: FaultBook, reserve: Reserve, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"store: The server's disk cannot be written to now: {reserve}"
    with monkeypatch.context() as patch:
        patch.setattr(system, "is_read_only", lambda directory: True)
        patch.setattr(Reserve, "has_room", lambda self: False)
        assert book.trouble() == words
        book.happened(fault(Kind.READ_ONLY))
        assert "/data/a.db" in (book.trouble() or "")
    assert book.trouble() is None


def test_a_file_that_is_read_only_by_its_mode_is_reported(
    book: FaultBook, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "a.db"
    file.touch()
    book.happened(fault(Kind.READ_ONLY, str(file)))
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda path, mode: False)  # root may write anything
        assert str(file) in (book.trouble() or "")
    assert book.trouble() is None


def test_many_files_are_a_few_words(book: FaultBook) -> None:
    for number in range(1000):
        book.happened(fault(Kind.FAILED, f"/data/{number}.db"))
    assert len(book.trouble() or "") < 600


def test_health_and_metrics_tell_of_damage(tmp_path: Path) -> None:
    listen = {"imap": ["127.0.0.1:0"], "metrics": ["127.0.0.1:0"]}
    with Server(tmp_path / "data", users={"linda": "Pa$$123"}, listen=listen).in_thread() as server:
        server.deliver("linda", b"Subject: x\r\n\r\ny\r\n")
    (file,) = (tmp_path / "data" / "accounts").glob("*/*.db")
    octets = bytearray(file.read_bytes())
    octets[4096 : 6 * 4096] = b"\xff" * (5 * 4096)
    file.write_bytes(octets)
    with Server(tmp_path / "data", users={}, listen=listen).in_thread() as server:
        with pytest.raises(Exception, match="damaged"):
            server.deliver("linda", b"Subject: x\r\n\r\ny\r\n")
        at = f"http://127.0.0.1:{server.port('metrics')}"
        with pytest.raises(HTTPError) as answer:
            urlopen(f"{at}/health", timeout=5)
        assert answer.value.code == 503
        assert f"The account's file is damaged: {file}".encode() in answer.value.read()
        with urlopen(f"{at}/metrics", timeout=5) as page:
            assert b'mektup_store_faults_total{kind="damaged"} 1.0' in page.read()
