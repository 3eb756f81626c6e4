"""Accounts from a file: ``name:{SCHEME}secret`` a line, as Dovecot's passwd-file has it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FIELDS_BEHIND = re.compile(r":[^:]*:[^:]*:[^:]*:[^:]*:[^:]*(:.*)?$")
"""uid, gid, gecos, home, shell and extra fields, as in /etc/passwd; a password with five colons is not expected."""


@dataclass(frozen=True, slots=True)
class Line:
    """One account of the file."""

    number: int
    name: str
    secret: str
    """``{SCHEME}`` and what follows it."""


class PasswdFileError(Exception):
    """A line that cannot be read; the text names it."""


def lines(text: str) -> Iterator[Line]:
    """The accounts in *text*; empty lines and ``#`` comments are passed over. Raises PasswdFileError."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, secret = line.partition(":")
        if not colon or not name.strip() or not secret:
            raise PasswdFileError(f"line {number}: expected name:{{SCHEME}}secret")
        if not secret.lower().startswith("{plain}"):
            secret = secret.partition(":")[0]
        yield Line(number, name.strip(), FIELDS_BEHIND.sub("", secret))
