"""Accounts from a file: ``name:{SCHEME}secret`` a line, as Dovecot's passwd-file has it."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

FIELDS_BEHIND = re.compile(r":[^:]*:[^:]*:[^:]*:[^:]*:[^:]*(:.*)?$|:[0-9]+:[0-9]+(:[^:]*){0,3}$", re.DOTALL)
"""uid, gid, gecos, home, shell and extra fields, as in /etc/passwd; a password with five colons is not expected."""

IN_CLEAR = re.compile(r"\{(PLAIN|CLEAR|CLEARTEXT)\}", re.IGNORECASE | re.ASCII)
"""Schemes of which a secret may have a colon, and blanks at its end."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account of the file."""

    number: int
    name: str
    secret: str
    """``{SCHEME}`` and what follows it; or a hash of crypt(3) alone."""


class PasswdFileError(Exception):
    """A line that cannot be read; the text says why."""


def numbered(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are to be accounts, counted from 1; empty lines and ``#`` comments are passed over.

    A line ends in LF or CRLF; a byte order mark before the first is none of its letters.
    """
    for number, line in enumerate(octets.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        without_end = line.removesuffix(b"\r")
        if without_end.strip() and not without_end.lstrip().startswith(b"#"):
            yield number, without_end


def account(number: int, octets: bytes) -> Line:
    """The account in one line. Raises PasswdFileError."""
    try:
        line = octets.decode()
    except UnicodeDecodeError as error:
        raise PasswdFileError(f"not UTF-8 at octet {error.start + 1}") from None
    name, colon, secret = line.partition(":")
    name = name.strip()
    if not colon or not name:
        raise PasswdFileError("expected name:{SCHEME}secret")
    if IN_CLEAR.match(secret):
        secret = FIELDS_BEHIND.sub("", secret)
    else:
        secret = secret.partition(":")[0].rstrip()
    if not secret:
        raise PasswdFileError(f"{name} has no secret; expected name:{{SCHEME}}secret")
    return Line(number, name, secret)
