"""Python's imaplib: the usual commands, both kinds of TLS, and two workers that tell each other's changes."""

from __future__ import annotations

import imaplib
import re
import ssl
import time
from collections.abc import Callable

import pytest

from .mail import ATTACHMENT, ENCODED, PLAIN, SAMPLES, append, deliver, held, logged_in
from .served import HOST, Account
from .workers import on_two_workers

MOMENT = 1772698830
"""5 March 2026, 10:20:30 +0200."""


def test_everyday(account: Account) -> None:
    with logged_in(account) as imap:
        assert "IDLE" in imap.capabilities
        assert imap.list()[0] == "OK"
        assert imap.create("Projects/2026")[0] == "OK"
        status, [answer] = imap.append("Projects/2026", r"(\Flagged $Label1)", '"05-Mar-2026 10:20:30 +0200"', PLAIN)
        assert status == "OK"
        assert b"[APPENDUID " in answer
        assert imap.select("Projects/2026") == ("OK", [b"1"])
        status, [(head, raw), tail] = imap.fetch("1", "(FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")
        assert raw == PLAIN
        assert b"RFC822.SIZE %d " % len(PLAIN) in head + tail
        assert imaplib.Internaldate2tuple(head + tail) == time.localtime(MOMENT)
        assert set(imaplib.ParseFlags(head + tail)) - {b"\\Recent"} == {b"\\Flagged", b"$Label1"}
        assert imap.search(None, "SUBJECT", "dinner", "FLAGGED") == ("OK", [b"1"])
        assert imap.search(None, "BODY", "thirsty") == ("OK", [b""])
        assert imap.copy("1", "Archive")[0] == "OK"
        assert imap.store("1", "+FLAGS", r"(\Deleted)")[0] == "OK"
        assert imap.expunge() == ("OK", [b"1"])
        assert imap.close()[0] == "OK"
        assert imap.delete("Projects/2026")[0] == "OK"
    assert [(m.raw, m.flags) for m in held(account, "Archive")] == [(PLAIN, {"\\Flagged", "$Label1"})]


def test_new_account_has_its_folders(account: Account) -> None:
    with logged_in(account) as imap:
        status, lines = imap.list()
    assert status == "OK"
    found = {}
    for line in lines:
        assert isinstance(line, bytes)
        match = re.fullmatch(rb'\(([^)]*)\) "/" "?([^"]*)"?', line)
        assert match is not None, line
        found[match[2].decode()] = match[1].decode().split()
    assert found.keys() == {"INBOX", "Drafts", "Sent", "Junk", "Trash", "Archive"}
    assert all("\\" + name in attributes for name, attributes in found.items() if name != "INBOX")


def test_tls_on_connect_and_by_starttls(account: Account) -> None:
    trust = ssl.create_default_context(cafile=str(account.certificate))
    with imaplib.IMAP4_SSL("localhost", account.port("imaps"), ssl_context=trust, timeout=30) as imap:
        assert imap.login(account.name, account.password)[0] == "OK"
    with imaplib.IMAP4("localhost", account.port("imap"), timeout=30) as imap:
        assert imap.starttls(trust)[0] == "OK"
        assert "STARTTLS" not in imap.capabilities
        assert imap.login(account.name, account.password)[0] == "OK"
        assert imap.select()[0] == "OK"


def test_wrong_password_is_refused(account: Account) -> None:
    imap = imaplib.IMAP4(HOST, account.port("imap"), timeout=30)
    with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
        imap.login(account.name, "wrong")
    imap.logout()


def test_authenticate_plain(account: Account) -> None:
    with imaplib.IMAP4(HOST, account.port("imap"), timeout=30) as imap:
        response = f"\0{account.name}\0{account.password}".encode()
        assert imap.authenticate("PLAIN", lambda _: response)[0] == "OK"
        assert imap.state == "AUTH"


# Two sessions of one account, on different workers.

Change = Callable[[imaplib.IMAP4], object]


def flag(imap: imaplib.IMAP4) -> None:
    assert imap.store("2", "+FLAGS", r"(\Flagged)")[0] == "OK"


def add(imap: imaplib.IMAP4) -> None:
    assert imap.append("INBOX", "", "", ATTACHMENT)[0] == "OK"


def expunge(imap: imaplib.IMAP4) -> None:
    assert imap.store("1", "+FLAGS.SILENT", r"(\Deleted)")[0] == "OK"
    assert imap.expunge()[0] == "OK"


CHANGES = [
    pytest.param(flag, rb"\* 2 FETCH \(.*\\Flagged.*\)", id="flag"),
    pytest.param(add, rb"\* 3 EXISTS", id="append"),
    pytest.param(expunge, rb"\* 1 EXPUNGE", id="expunge"),
]


@pytest.mark.parametrize(("change", "notice"), CHANGES)
def test_noop_tells_what_the_other_worker_did(account: Account, change: Change, notice: bytes) -> None:
    append(account, "INBOX", [PLAIN, ENCODED])
    with on_two_workers(account) as (actor, reader):
        actor.select()
        reader.select()
        change(actor)
        told = exchange(reader, b"NOOP")
    assert any(re.fullmatch(notice, line) for line in told), told


@pytest.mark.parametrize(("change", "notice"), CHANGES)
def test_idle_hears_at_once_what_the_other_worker_does(account: Account, change: Change, notice: bytes) -> None:
    append(account, "INBOX", [PLAIN, ENCODED])
    with on_two_workers(account) as (actor, reader):
        actor.select()
        reader.select()
        reader.send(b"idle IDLE\r\n")
        assert reader.readline().startswith(b"+ ")
        change(actor)
        changed = time.monotonic()
        line = b""
        while not re.fullmatch(notice, line.rstrip()):
            line = reader.readline()
            assert line, "the connection was closed"
        waited = time.monotonic() - changed
        reader.send(b"DONE\r\n")
        while not line.startswith(b"idle "):
            line = reader.readline()
    assert line.startswith(b"idle OK")
    # It takes milliseconds on an idle machine; the bound only distinguishes a push from a poll.
    assert waited < 2


def test_idle_hears_of_a_delivery(account: Account) -> None:
    with logged_in(account) as reader:
        reader.select()
        reader.send(b"idle IDLE\r\n")
        assert reader.readline().startswith(b"+ ")
        deliver(account, *SAMPLES)
        line = b""
        while line.rstrip() != b"* %d EXISTS" % len(SAMPLES):
            line = reader.readline()
            assert line, "the connection was closed"
        reader.send(b"DONE\r\n")
        while not line.startswith(b"idle "):
            line = reader.readline()


def exchange(imap: imaplib.IMAP4, command: bytes) -> list[bytes]:
    """The untagged lines of the answer to *command*."""
    imap.send(b"probe " + command + b"\r\n")
    lines = []
    while not (line := imap.readline().rstrip()).startswith(b"probe "):
        assert line, "the connection was closed"
        lines.append(line)
    assert line.startswith(b"probe OK")
    return lines
