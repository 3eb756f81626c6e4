"""Makes Maildirs as servers write them."""

from __future__ import annotations

import os
from pathlib import Path

DATE = 1600000000


def message(subject: str, text: str = "at eight") -> bytes:
    """A message with LF at the ends of its lines, as Maildirs have them."""
    return f"From: ali@example.org\nSubject: {subject}\nDate: Mon, 7 Feb 2022 21:52:25 -0800\n\n{text}\n".encode()


def crlf(octets: bytes) -> bytes:
    """The same message as IMAP has it."""
    return octets.replace(b"\n", b"\r\n")


def folder(path: Path) -> Path:
    """An empty Maildir."""
    for part in ("new", "cur", "tmp"):
        (path / part).mkdir(parents=True)
    return path


def put(path: Path, name: str, octets: bytes, *, part: str = "cur", date: int = DATE) -> None:
    """A message in the Maildir *path*."""
    file = path / part / name
    file.write_bytes(octets)
    os.utime(file, (date, date))


def uidlist(path: Path, validity: int, uidnext: int, *lines: str) -> None:
    """Dovecot's list of UIDs."""
    text = f"3 V{validity} N{uidnext} G0123456789abcdef0123456789abcdef\n" + "".join(f"{line}\n" for line in lines)
    (path / "dovecot-uidlist").write_text(text)
