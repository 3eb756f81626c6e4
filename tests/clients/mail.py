"""Typical mail, and functions that read a mailbox by imaplib."""

from __future__ import annotations

import imaplib
import re
import smtplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support.services import untraced

from .served import HOST, WITNESS, Account


def message(subject: str, body: bytes, *fields: bytes) -> bytes:
    """A message with lines that end in CRLF."""
    head = [
        b"From: Ada Byron <ada@example.org>",
        b"To: linda@example.org",
        b"Subject: " + subject.encode("ascii"),
        b"Date: Thu, 5 Mar 2026 10:20:30 +0200",
        b"Message-ID: <" + re.sub(rb"\W+", b".", subject.encode("ascii")) + b"@example.org>",
        *fields,
    ]
    return b"\r\n".join([*head, b"", body.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")])


PLAIN = message("dinner at eight", b"Come hungry.\n")
DOTS = message("dots", b".\n..\n...and more\n.\nthe end\n")
LATIN = message(
    "latin letters", b"Caf\xe9, gar\xe7on\n", b"MIME-Version: 1.0", b'Content-Type: text/plain; charset="iso-8859-1"'
)
ENCODED = message(
    "=?utf-8?q?Ak=C5=9Fam_yeme=C4=9Fi?=",
    "Sekizde gelin, aç gelin.\n".encode(),
    b"MIME-Version: 1.0",
    b"Content-Type: text/plain; charset=utf-8",
    b"Content-Transfer-Encoding: 8bit",
)
NO_BODY = message("nothing below", b"")
NO_END = message("no line end at the end", b"cut off here")
LONG_LINE = message("a long line", b"x" * 1500 + b"\n")
ATTACHMENT = message(
    "with an attachment",
    b"preamble\n--=_b\nContent-Type: text/html; charset=utf-8\n\n<p>see <b>below</b></p>\n--=_b\n"
    b'Content-Type: application/octet-stream; name="a.bin"\nContent-Transfer-Encoding: base64\n'
    b"Content-Disposition: attachment; filename=a.bin\n\n"
    + b"\n".join([b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4v"] * 400)
    + b"\n--=_b--\nepilogue\n",
    b"MIME-Version: 1.0",
    b'Content-Type: multipart/mixed; boundary="=_b"',
)

SAMPLES = (PLAIN, DOTS, LATIN, ENCODED, NO_BODY, LONG_LINE, ATTACHMENT, NO_END)


@contextmanager
def logged_in(account: Account) -> Iterator[imaplib.IMAP4]:
    """An imaplib session of *account*; it logs out at the end."""
    client = imaplib.IMAP4(HOST, account.port("imap"), timeout=30)
    try:
        client.login(account.name, account.password)
        yield client
    finally:
        client.logout()


def append(account: Account, mailbox: str, messages: Sequence[bytes], flags: str = "") -> None:
    """Puts *messages* into *mailbox*, one after the other."""
    with logged_in(account) as client:
        for raw in messages:
            status, answer = client.append(mailbox, flags, "", raw)
            assert status == "OK", answer


def deliver(account: Account, *messages: bytes) -> None:
    """Delivers *messages* to *account* by LMTP."""
    with smtplib.LMTP(HOST, account.port("lmtp"), timeout=30) as lmtp:
        for raw in messages:
            assert lmtp.sendmail("ada@example.org", [f"{account.name}@example.org"], raw) == {}


@dataclass(frozen=True, slots=True)
class Held:
    """One message of a mailbox, as the server stores it; its flags are without \\Recent."""

    uid: int
    flags: frozenset[str]
    raw: bytes


def held(account: Account, mailbox: str = "INBOX") -> list[Held]:
    """The messages of *mailbox*, by UID."""
    with logged_in(account) as client:
        status, answer = client.select(f'"{mailbox}"', readonly=True)
        assert status == "OK", answer
        status, parts = client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[])")
        assert status == "OK", parts
    found = []
    for place, part in enumerate(parts):
        if isinstance(part, tuple):
            head, raw = part
            # imaplib returns the text after the literal as the next element, without a tuple.
            around = head + parts[place + 1]
            uid = re.search(rb"UID (\d+)", around)
            flags = re.search(rb"FLAGS \(([^)]*)\)", around)
            assert uid is not None
            assert flags is not None
            found.append(Held(int(uid[1]), frozenset(flags[1].decode().split()) - {"\\Recent"}, raw))
    return found


def as_delivered(raw: bytes) -> bytes:
    """*raw* as stored after LMTP: with Return-Path and Received before it, which the witness writes in its own form."""
    if WITNESS:
        return raw[raw.index(b"From: Ada") :]
    return untraced(raw) if raw.startswith(b"Return-Path: ") else raw


def crlf(raw: bytes) -> bytes:
    """*raw* with each bare LF as CRLF: the only change that the server makes."""
    return re.sub(rb"(?<!\r)\n", b"\r\n", raw)
