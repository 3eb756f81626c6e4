"""When an account last logged in is noted at once, written later, and shown by ``mektup user list``."""

from __future__ import annotations

import imaplib
import json
import poplib
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from mektup.server.last_logins import LastLogins
from mektup.store.texts import STOPPING
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId

from .process import serving
from .test_workers import with_linda


def last_login(data: Path) -> float | None:
    told = subprocess.check_output(
        [sys.executable, "-m", "mektup", "user", "show", "linda", "--json", "--data", str(data)], text=True, timeout=50
    )
    at = json.loads(told)["last_login"]
    return None if at is None else datetime.strptime(at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp()


@pytest.mark.parametrize("workers", [1, 2], ids=["one process", "two workers"])
def test_a_server_that_stops_has_written_the_logins(tmp_path: Path, workers: int) -> None:
    with_linda(tmp_path)
    assert last_login(tmp_path / "data") is None
    before = int(time.time())
    with serving(tmp_path, workers=workers) as process:
        client = imaplib.IMAP4("127.0.0.1", process.ports["imap"], timeout=20)
        client.login("linda", "Pa$$123")
        client.logout()
        assert process.stop() == 0
    at = last_login(tmp_path / "data")
    assert at is not None
    assert before <= at <= time.time()


def test_a_login_by_pop3_counts_and_a_failed_one_does_not(tmp_path: Path) -> None:
    with_linda(tmp_path)
    with serving(tmp_path, workers=1) as process:
        client = imaplib.IMAP4("127.0.0.1", process.ports["imap"], timeout=20)
        with pytest.raises(imaplib.IMAP4.error):
            client.login("linda", "wrong")
        client.shutdown()
        assert process.stop() == 0
    assert last_login(tmp_path / "data") is None
    with serving(tmp_path, workers=1) as process:
        pop3 = poplib.POP3("127.0.0.1", process.ports["pop3"], timeout=20)
        pop3.user("linda")
        pop3.pass_("Pa$$123")
        pop3.quit()
        assert process.stop() == 0
    assert last_login(tmp_path / "data") is not None


class Full:
    """A directory that cannot be written for a while."""

    def __init__(self) -> None:
        self.is_full = True
        self.written: list[dict[AccountId, int]] = []

    async def note_logins(self, at: dict[AccountId, int]) -> None:
        if self.is_full:
            raise Refused(Code.UNAVAILABLE, STOPPING)
        self.written.append(dict(at))


async def test_what_cannot_be_written_is_written_later() -> None:
    directory, linda = Full(), AccountId("1")
    with capture_logs() as log:
        logins = LastLogins(directory, structlog.get_logger())
        logins.note(linda)
        for _ in range(3):
            await logins.write()
        assert [entry["event"] for entry in log] == ["last_logins_not_written"], "it is said once"
        directory.is_full = False
        await logins.close()
    assert [set(each) for each in directory.written] == [{linda}]
    await logins.write()
    assert len(directory.written) == 1, "nothing is written twice"
