"""A disk whose syncs take seconds, for which only those wait who need one; and one whose syncs fail, which is told."""

from __future__ import annotations

import imaplib
import re
import select
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from reliability.disk.places import fast_directory
from tests.server import bad_disk
from tests.server.process import Process, serving
from tests.server.test_full_disk import health
from tests.server.test_workers import login, until, user, with_linda

RAW = b"Subject: x\r\n\r\nx\r\n"
PROGRAM = "tests.server.bad_disk"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory on a quick disk."""
    with tempfile.TemporaryDirectory(dir=fast_directory()) as place:
        monkeypatch.setenv(bad_disk.MARK, str(Path(place, "mark")))
        yield Path(place)


def begin_append(client: imaplib.IMAP4, tag: bytes) -> None:
    """Sends an APPEND and does not wait for its answer."""
    client.send(b"%b APPEND INBOX {%d+}\r\n%b\r\n" % (tag, len(RAW), RAW))


def is_answered(client: imaplib.IMAP4) -> bool:
    return bool(select.select([client.socket()], [], [], 0)[0])


def answer_to(client: imaplib.IMAP4, tag: bytes) -> bytes:
    while not (line := client.readline()).startswith(tag):
        continue
    return line


def read(client: imaplib.IMAP4) -> None:
    for _ in range(3):
        assert client.noop()[0] == "OK"
        assert client.select()[0] == "OK"
        assert client.fetch("1", "(FLAGS BODY[])")[0] == "OK"


def mark_and_unmark(client: imaplib.IMAP4) -> None:
    assert client.store("1", "+FLAGS", "(\\Flagged)")[0] == "OK"
    assert client.store("1", "-FLAGS", "(\\Flagged)")[0] == "OK"


def signed_in(process: Process, name: str) -> imaplib.IMAP4:
    client = login(process, name)
    for _ in range(20):
        client.append("INBOX", "", "", RAW)
    client.select()
    return client


def test_others_do_not_wait_for_a_slow_disk(place: Path) -> None:
    with_linda(place)
    user(place, "add", "deniz", "--password-stdin")
    mark = place / "mark"
    with serving(place, module=PROGRAM) as process:
        linda, again, deniz = (signed_in(process, name) for name in ("linda", "linda", "deniz"))
        mark.write_text("slow")
        linda.append("INBOX", "", "", RAW)  # the first slow sync, for which all may wait (decision 0014)
        for number in range(2):
            mark.unlink()
            for _ in range(12):  # so few quick ones are not enough to trust the disk again
                linda.append("INBOX", "", "", RAW)
            mark.write_text("slow")
            tag = b"slow%d" % number
            begin_append(linda, tag)
            read(deniz)
            mark_and_unmark(deniz)
            read(again)
            assert not is_answered(linda)
            assert b"OK" in answer_to(linda, tag)
        mark.unlink()
        for client in (linda, again, deniz):
            client.logout()


def counted(process: Process, pattern: str) -> float:
    page = urlopen(f"http://127.0.0.1:{process.ports['metrics']}/metrics", timeout=5).read().decode()
    return sum(float(value) for value in re.findall(rf"^{pattern} (\S+)$", page, re.MULTILINE))


def test_a_sync_that_fails_is_told_and_the_account_recovers(place: Path) -> None:
    with_linda(place)
    mark = place / "mark"
    with serving(place, module=PROGRAM) as process:
        client = signed_in(process, "linda")
        assert health(process)[0] == 200
        mark.write_text("fails")
        status, text = client.append("INBOX", "", "", b"Subject: refused\r\n\r\nx\r\n")
        assert status == "NO"
        assert b"[UNAVAILABLE] The server's disk failed" in text[0]
        assert client.create("New")[0] == "NO"
        read(client)
        told = process.until("store_fault")
        assert (told["kind"], told["account"], told["level"]) == ("failed", "linda", "error")
        assert "EIO, Input/output error" in told["reason"]
        code, words = health(process)
        assert code == 503
        assert "EIO, Input/output error" in words
        assert counted(process, r'mektup_store_faults_total\{kind="failed"\}') >= 2
        mark.unlink()
        until(lambda: client.create("New")[0] == "OK")  # it tries once a second
        client.logout()
    with serving(place) as process:
        client = login(process)
        assert client.select() == ("OK", [b"20"])
        assert client.append("INBOX", "", "", RAW)[0] == "OK"
        client.logout()
