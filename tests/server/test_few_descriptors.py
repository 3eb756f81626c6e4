"""A server that may open no more files: who is there goes on, others wait or are refused, and it is reported."""

from __future__ import annotations

import os
import resource
import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.server.process import Process, serving
from tests.server.test_full_disk import health
from tests.server.test_workers import login, user, with_linda

REFUSAL = (451, b"4.3.0 The server has too many files open; try again later")
LARGE = b"Subject: large\r\n\r\n" + b"hello world\r\n" * 200_000
"""Larger than what is kept in memory."""


@contextmanager
def no_more_files(process: Process) -> Iterator[None]:
    """A block in which the server can open nothing."""
    limits = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir(f"/proc/{process.pid}/fd"))
    fillers = highest + 1 - len(os.listdir(f"/proc/{process.pid}/fd"))
    assert fillers < 10
    resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        yield
    finally:
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, limits)


def lmtp(process: Process) -> smtplib.LMTP:
    client = smtplib.LMTP("127.0.0.1", process.ports["lmtp"], timeout=20)
    client.ehlo_or_helo_if_needed()
    return client


def deliver(client: smtplib.LMTP, recipient: str, octets: bytes = b"Subject: x\r\n\r\nx\r\n") -> tuple[int, bytes]:
    """The answer to the message, or to its recipient if that is refused."""
    client.mail("ada@example.org")
    answer = client.rcpt(recipient)
    if answer[0] == 250:
        return client.data(octets)
    client.rset()
    return answer


def test_a_process_with_too_many_open_files(tmp_path: Path) -> None:
    with_linda(tmp_path)
    user(tmp_path, "add", "deniz", "--password-stdin")
    with serving(tmp_path) as process:
        client = login(process)
        client.append("INBOX", "", "", b"Subject: 1\r\n\r\nx\r\n")
        client.select()
        first, second = lmtp(process), lmtp(process)
        with no_more_files(process):
            # the account that is open goes on
            assert client.append("INBOX", "", "", b"Subject: 2\r\n\r\nx\r\n")[0] == "OK"
            assert client.fetch("1:*", "(BODY[])")[0] == "OK"
            assert deliver(first, "deniz") == REFUSAL  # its file is closed
            assert deliver(second, "linda", LARGE) == REFUSAL
            told = process.until("store_fault", where=lambda entry: entry["kind"] == "descriptors")
            assert told["account"] == "deniz"
            # the ends of the two deliveries freed some descriptors, which these use up
            waiting = [socket.create_connection(("127.0.0.1", process.ports["imap"]), timeout=20) for _ in range(10)]
            for _ in range(3):
                assert client.noop()[0] == "OK"
        for each in waiting:  # all of them are accepted now
            assert each.makefile("rb").readline().startswith(b"* OK ")
            each.close()
        assert deliver(first, "deniz")[0] == 250
        assert deliver(second, "linda", LARGE)[0] == 250
        status, text = health(process)  # it shows this for some minutes
        assert status == 503
        assert "accepting at 127.0.0.1:0: EMFILE, Too many open files" in text
        client.logout()
        first.quit()
        second.quit()
