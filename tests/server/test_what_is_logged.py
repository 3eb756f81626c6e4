"""What an operator finds in the log of a server: how each session ended, slow commands, and where each message went."""

from __future__ import annotations

import imaplib
import poplib
import signal
from pathlib import Path

import pytest

from .process import Entry, serving
from .test_workers import NOTE, login, with_linda


def test_the_end_of_a_session_says_what_it_did_and_why_it_ended(tmp_path: Path) -> None:
    more = "appends = true\nslow_command_seconds = 0.0001\n"
    with serving(with_linda(tmp_path), log=more) as process:
        client = login(process)
        client.append("INBOX", None, None, NOTE)  # type: ignore[arg-type]
        client.append("INBOX", None, None, NOTE)  # type: ignore[arg-type]
        client.select()
        client.fetch("1:2", "(RFC822)")
        client.fetch("2", "(BODY[HEADER.FIELDS (X-SECRET)])")
        client.logout()
        ended = process.until("session_ended")
        assert (ended["user"], ended["reason"], ended["fetched"]) == ("linda", "logout", 3)
        assert ended["commands"] == 8  # imaplib asks for capabilities first
        pop = poplib.POP3("127.0.0.1", process.ports["pop3"], timeout=20)
        pop.user("linda")
        pop.pass_("Pa$$123")
        pop.retr(1)
        pop.close()

        def is_pop3(entry: Entry) -> bool:
            return bool(entry["protocol"] == "pop3")

        ended = process.until("session_ended", where=is_pop3)
        assert (ended["reason"], ended["fetched"], ended["commands"]) == ("client gone", 1, 3)
        delivered = [entry for entry in process.log if entry["event"] == "delivered"]
        assert [(entry["user"], entry["mailbox"], entry["uid"]) for entry in delivered] == [
            ("linda", "INBOX", 1),
            ("linda", "INBOX", 2),
        ]
        assert delivered[0]["octets"] == len(NOTE)
        slow = {entry["said"] for entry in process.log if entry["event"] == "slow_command"}
        assert "FETCH 1:2 (RFC822)" in slow
        assert not any("SECRET" in str(entry) or "Pa$$" in str(entry) for entry in process.log)
        staying = login(process)
        since = len(process.log)
        process.signal(signal.SIGTERM)
        assert "shutting down" in process.until("session_ended", since)["reason"].lower()
        staying.shutdown()
        assert process.wait() == 0


def test_a_client_that_is_thrown_out(tmp_path: Path) -> None:
    with serving(with_linda(tmp_path), more="[limits]\nlogin_failures = 1\n") as process:
        client = imaplib.IMAP4("127.0.0.1", process.ports["imap"], timeout=20)
        with pytest.raises(imaplib.IMAP4.error):
            client.login("linda", "wrong")
        ended = process.until("session_ended")
        assert (ended["user"], ended["reason"], ended["commands"]) == (None, "thrown out", 2)
        client.shutdown()
