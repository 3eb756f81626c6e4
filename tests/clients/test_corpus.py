"""Real mail is stored by LMTP and APPEND, and read by IMAP and POP3, byte for byte.

A bare LF becomes CRLF when it is stored. LMTP puts Return-Path and Received before a message, and removes a Return-Path
that the message had; nothing else is changed.
"""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib

import pytest

from tests.support.services import untraced

from .corpus import corpus_folder, messages
from .mail import crlf, logged_in
from .served import HOST, WITNESS, Account

FOLDER = corpus_folder()
pytestmark = pytest.mark.skipif(
    FOLDER is None, reason="there is no corpus beside the checkout, and MEKTUP_CORPUS names none"
)
CORPUS = dict(messages(FOLDER)) if FOLDER is not None else {}
if WITNESS:
    # Dovecot turns NUL into 0x80, and drops a lone CR at the end.
    CORPUS = {name: raw for name, raw in CORPUS.items() if not re.search(rb"\0|\r\Z", raw)}


def test_corpus_is_whole() -> None:
    assert len(CORPUS) > 100
    assert len(set(CORPUS.values())) > 100


def test_append_then_imap_and_pop3(account: Account) -> None:
    with logged_in(account) as imap:
        for name, raw in CORPUS.items():
            # imaplib would turn bare LFs into CRLF itself, so the test writes its own APPEND.
            status, answer = append_as_it_is(imap, raw)
            assert status == "OK", (name, answer)
    stored = {name: crlf(raw) for name, raw in CORPUS.items()}
    assert differing(without_nul(stored), by_imap(account)) == {}
    assert differing({name: ended(raw) for name, raw in stored.items()}, by_pop3(account)) == {}


def test_lmtp_then_imap_and_pop3(account: Account) -> None:
    sent = {name: sendable(raw) for name, raw in CORPUS.items()}
    with smtplib.LMTP(HOST, account.port("lmtp"), timeout=30) as lmtp:
        for name, raw in sent.items():
            assert lmtp.sendmail("ada@example.org", [f"{account.name}@example.org"], raw) == {}, name
    # smtplib adds CRLF before the final dot if the message does not end with CRLF, even after a bare LF.
    stored = {name: crlf(raw if raw.endswith(b"\r\n") else raw + b"\r\n") for name, raw in sent.items()}
    if WITNESS:
        assert differing(stored, by_imap(account)) == {}
        assert differing(stored, by_pop3(account)) == {}
        return
    stored = {name: without_return_path(raw) for name, raw in stored.items()}
    assert differing(without_nul(stored), [untraced(raw) for raw in by_imap(account)]) == {}
    assert differing(stored, [untraced(raw) for raw in by_pop3(account)]) == {}


def without_nul(mail: dict[str, bytes]) -> dict[str, bytes]:
    """*mail* as BODY[] shows it: only strings of BINARY may hold a NUL (RFC 9051 §4.3.1). POP3 sends it unchanged."""
    return {name: raw.replace(b"\0", b"\x80") for name, raw in mail.items()}


def without_return_path(raw: bytes) -> bytes:
    """*raw* without its Return-Path, which that of the envelope replaces (RFC 5321 §4.4)."""
    kept: list[bytes] = []
    lines = re.split(rb"(?<=\n)", raw)
    leaves_out = False
    for number, line in enumerate(lines):
        if line in (b"\r\n", b""):
            return b"".join([*kept, *lines[number:]])
        if line[:1] not in (b" ", b"\t"):
            leaves_out = re.match(rb"return-path[ \t]*:", line, re.IGNORECASE) is not None
        if not leaves_out:
            kept.append(line)
    return b"".join(kept)


def append_as_it_is(imap: imaplib.IMAP4, raw: bytes) -> tuple[str, bytes]:
    """APPENDs *raw* to INBOX unchanged; returns status and text of the tagged answer."""
    # RFC 9051 §4.3: only a literal8 may hold a NUL.
    literal = b"~{%d}" if b"\0" in raw and not WITNESS else b"{%d}"
    imap.send(b"put APPEND INBOX " + literal % len(raw) + b"\r\n")
    line = imap.readline()
    if line.startswith(b"+"):
        imap.send(raw + b"\r\n")
        while (line := imap.readline()).startswith(b"*"):
            pass
    _, status, text = line.split(b" ", 2)
    return status.decode(), text


def by_imap(account: Account) -> list[bytes]:
    """All messages of INBOX, in order."""
    with logged_in(account) as imap:
        imap.select(readonly=True)
        _, parts = imap.fetch("1:*", "(BODY.PEEK[])")
    return [part[1] for part in parts if isinstance(part, tuple)]


def by_pop3(account: Account) -> list[bytes]:
    """All messages of the maildrop, in order."""
    client = poplib.POP3(HOST, account.port("pop3"), timeout=30)
    client.user(account.name)
    client.pass_(account.password)
    count, _ = client.stat()
    found = []
    for number in range(1, count + 1):
        # poplib refuses lines of more than 2,048 octets, so the multi-line response is read here (RFC 1939 §3).
        client._putcmd(f"RETR {number}")
        assert client.file.readline().startswith(b"+OK")
        lines = list(iter(client.file.readline, b".\r\n"))
        found.append(b"".join(re.sub(rb"\A\.", b"", line) for line in unfolded(lines)))
    client.quit()
    return found


def unfolded(lines: list[bytes]) -> list[bytes]:
    """*raw* as lines that end in CRLF; a bare LF does not end a line."""
    return re.findall(rb".*?\r\n", b"".join(lines), re.DOTALL)


def ended(raw: bytes) -> bytes:
    """*raw* as POP3 sends it: it always ends with a line end."""
    return raw if raw.endswith(b"\r\n") else raw + b"\r\n"


def sendable(raw: bytes) -> bytes:
    """*raw*, but with CRLF for every bare LF if a dot follows one.

    Clients and servers disagree on whether such a dot is doubled, because RFC 5321 allows no bare LF.
    """
    return crlf(raw) if re.search(rb"(?<!\r)\n\.", raw) else raw


def differing(expected: dict[str, bytes], found: list[bytes]) -> dict[str, str]:
    """The messages that were changed, each with the place of its first difference."""
    assert len(found) == len(expected)
    different = {}
    for (name, want), got in zip(expected.items(), found, strict=True):
        # The witness puts trace fields before a message from LMTP.
        if want != got and not (WITNESS and got.endswith(want)):
            place = max(first_difference(want, got) - 20, 0)
            different[name] = f"{want[place : place + 60]!r} came back as {got[place : place + 60]!r}"
    return different


def first_difference(one: bytes, other: bytes) -> int:
    """The length of the common start of two byte strings."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
