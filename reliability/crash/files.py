"""Reads the files of a data directory straight, without the server that uses or has used them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import apsw

from mektup.store.sqlite.checking import account_files, check_all
from mektup.terms.limits import DEFAULT_LIMITS

Rows = dict[int, dict[int, tuple[int, int]]]
"""By UIDVALIDITY and UID: modseq and size."""


class Silence:
    """Nobody is told how far a check is."""

    def begin(self, name: str, messages: int) -> None:
        """Does nothing."""

    def advance(self, messages: int) -> None:
        """Does nothing."""


def copied(data: Path, target: Path) -> Path:
    """A copy of the files of mail as they are, while no process uses them."""
    shutil.rmtree(target, ignore_errors=True)
    # a WAL-index is made anew by whoever opens the copy; sockets and the reserve have no mail
    shutil.copytree(data, target, ignore=shutil.ignore_patterns("*-shm", "run", "reserve"))
    return target


def check_faults(data: Path, *, quick: bool = False) -> Iterator[str]:
    """What ``mektup check`` finds in all accounts and their directory."""
    for report in check_all(data, (), DEFAULT_LIMITS, Silence(), quick=quick):
        for finding in report.findings:
            yield f"mektup check: {report.name or 'directory'}: {finding}"


def account_rows(data: Path) -> dict[str, Rows]:
    """The messages of each account, by its name, straight from its file."""
    return dict(map(_rows_of, account_files(data)))


def _rows_of(path: Path) -> tuple[str, Rows]:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        name = str(connection.execute("SELECT name FROM account").get)
        rows: Rows = {}
        question = (
            "SELECT b.uidvalidity, uid, modseq, m.size FROM messages AS m JOIN mailboxes AS b ON b.id = m.mailbox"
        )
        for validity, uid, modseq, size in connection.execute(question):
            rows.setdefault(validity, {})[uid] = modseq, size
        return name, rows
    finally:
        connection.close()
