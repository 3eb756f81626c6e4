"""Reads accounts from a file with a line ``name:{SCHEME}secret`` for each, like Dovecot's passwd-file."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from mektup.cli import texts
from mektup.terms.account_names import shown
from mektup.terms.texts import NOT_UTF8, Text

FIELDS_BEHIND = re.compile(r":[^:]*:[^:]*:[^:]*:[^:]*:[^:]*(:.*)?$|:[0-9]+:[0-9]+(:[^:]*){0,3}$", re.DOTALL)
"""uid, gid, gecos, home, shell and extra fields, as in /etc/passwd. A password with five colons is not supported."""

IN_CLEAR = re.compile(r"\{(PLAIN|CLEAR|CLEARTEXT)\}", re.IGNORECASE | re.ASCII)
"""Schemes whose secrets may contain a colon, and end in blanks."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account of the file."""

    number: int
    name: str
    secret: str = field(repr=False)
    """``{SCHEME}`` and the secret; or only a hash of crypt(3)."""


@dataclass(eq=False)
class PasswdFileError(Exception):
    """A line that cannot be imported; the text says why."""

    text: Text | str

    def __str__(self) -> str:
        return str(self.text)


def numbered(octets: bytes) -> Iterator[tuple[int, bytes]]:
    """The lines that hold accounts, with their numbers from 1; without empty lines and ``#`` comments.

    A line ends in LF or CRLF. A byte order mark at the beginning is ignored.
    """
    for number, line in enumerate(octets.removeprefix(codecs.BOM_UTF8).split(b"\n"), 1):
        without_end = line.removesuffix(b"\r")
        if without_end.strip() and not without_end.lstrip().startswith(b"#"):
            yield number, without_end


def account(number: int, octets: bytes) -> Line:
    """Reads the account of one line. Raises PasswdFileError."""
    try:
        line = octets.decode()
    except UnicodeDecodeError as error:
        raise PasswdFileError(NOT_UTF8.of(octet=error.start + 1)) from None
    name, colon, secret = line.partition(":")
    name = name.strip()
    if not colon or not name:
        raise PasswdFileError(texts.EXPECTED_LINE)
    if IN_CLEAR.match(secret):
        secret = FIELDS_BEHIND.sub("", secret)
    else:
        secret = secret.partition(":")[0].rstrip()
    if not secret:
        raise PasswdFileError(texts.NO_SECRET.of(name=shown(name)))
    return Line(number, name, secret)
