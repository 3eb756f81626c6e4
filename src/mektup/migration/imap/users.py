"""Reads a table of users to move: CSV (RFC 4180) with a first line that names the columns.

    user,password,account
    linda@example.org,Pa$$123,linda

``user`` is the name at the source, ``password`` or ``token`` opens it, and ``account`` is the account here; without it,
the account has the same name. A column ``master`` names the user whose password it is.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from mektup.migration.imap import texts
from mektup.migration.imap.login import Credentials, Mechanism
from mektup.terms.errors import MektupError
from mektup.terms.texts import NOT_UTF8, Text

COLUMNS: Final = ("user", "password", "token", "account", "master")

MOST_OF_A_FIELD: Final = 16_384
"""Characters. Tokens are long."""


@dataclass(frozen=True, slots=True)
class User:
    """One line."""

    line: int
    credentials: Credentials
    account: str


@dataclass(eq=False)
class UsersFileError(MektupError):
    """The table cannot be read."""

    text: Text

    def __str__(self) -> str:
        return str(self.text)


def users_of(octets: bytes, mechanism: Mechanism | None, password: str | None, master: str | None) -> list[User]:
    """The users of the table. *password* and *master* are for lines that have none. Raises UsersFileError."""
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsersFileError(NOT_UTF8.of(octet=error.start + 1)) from None
    found: list[User] = []
    accounts: dict[str, int] = {}
    for line, row in _rows(text):
        user = _user(line, row, mechanism, password, master)
        if user.account in accounts:
            raise UsersFileError(texts.ACCOUNT_TWICE.of(line=line, name=user.account, first=accounts[user.account]))
        accounts[user.account] = line
        found.append(user)
    return found


def _rows(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    try:
        names: list[str] | None = None
        for row in reader:
            if not any(field.strip() for field in row) or row[0].startswith("#"):
                continue
            if names is None:
                names = [name.strip().lower() for name in row]
                if "user" not in names or set(names) - set(COLUMNS) or len(set(names)) < len(names):
                    raise UsersFileError(texts.NO_COLUMNS.of(columns=", ".join(COLUMNS)))
                continue
            if len(row) != len(names) or max(map(len, row)) > MOST_OF_A_FIELD:
                raise UsersFileError(texts.WRONG_LINE.of(line=reader.line_num, count=len(names)))
            yield reader.line_num, dict(zip(names, row, strict=True))
    except csv.Error:
        raise UsersFileError(texts.NO_CSV.of(line=reader.line_num)) from None


def _user(
    line: int, row: dict[str, str], mechanism: Mechanism | None, password: str | None, master: str | None
) -> User:
    name = row["user"].strip()
    secret, token = row.get("password") or password, row.get("token", "").strip() or None
    if not name or (secret is None) == (token is None):
        raise UsersFileError(texts.NO_SECRET_IN_LINE.of(line=line))
    credentials = Credentials(
        name,
        password=secret,
        token=token,
        master=row.get("master", "").strip() or master,
        mechanism=mechanism,
    )
    return User(line, credentials, row.get("account", "").strip() or name)
