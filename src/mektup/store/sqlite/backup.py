"""A data directory copied while servers use it, and such a copy made a data directory again.

Each file is copied as it is at one moment (SQLite's VACUUM INTO reads one snapshot), the directory of accounts first:
every account that the copy names was there. What was copied with ``cp`` under load may be damaged, and lacks what is
in a WAL.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import apsw

from mektup.store import files
from mektup.store.sqlite.cursor import Cursor
from mektup.store.sqlite.schema import back_up
from mektup.terms.errors import Code, Refused

NAMES = Path("mektup.db")
OWN_PAIR = (Path("tls", "self-signed.key"), Path("tls", "self-signed.crt"))


def back_up_all(data: Path, target: Path) -> int:
    """Copies what is in *data* to *target*, which must be empty or not there; how many accounts that are.

    On disk when this returns. Raises OSError, Refused.
    """
    if data.resolve() in (target.resolve(), *target.resolve().parents):
        raise Refused(Code.CANNOT, f"{target} is in {data}, and would be lost with it; name a directory elsewhere")
    require_empty(target)
    files.make_directory(target)
    _back_up(data / NAMES, target / NAMES)
    paths = account_paths(target / NAMES)
    copied = 0
    for path in paths:
        if (data / path).exists():  # else it was removed in this moment
            files.make_directory((target / path).parent)
            _back_up(data / path, target / path)
            copied += 1
    _copy_own_pair(data, target)
    return copied


def restore_all(backup: Path, data: Path) -> None:
    """Makes the data directory *data*, which must be empty or not there, of *backup*. Raises OSError, Refused.

    Whoever opens it must renew its accounts: clients may have seen more than is in it.
    """
    if not (backup / NAMES).is_file():
        raise Refused(Code.CANNOT, f"{backup} is no backup: there is no {NAMES} in it")
    require_empty(data)
    files.make_directory(data)
    for path in account_paths(backup / NAMES):
        if (backup / path).exists():
            _copy(backup / path, data / path)
    _copy_own_pair(backup, data)
    _copy(backup / NAMES, data / NAMES)  # last: what is half done is no data directory


def require_empty(directory: Path) -> None:
    """Raises Refused where there is something in *directory*."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise Refused(Code.CANNOT, f"{directory} is no directory; name one that is not there yet")
    if any(directory.iterdir()):
        raise Refused(Code.CANNOT, f"{directory} is not empty; name a directory that is not there yet")


def account_paths(names: Path) -> list[Path]:
    """Where the files of the accounts in *names* are, from the data directory on."""
    connection = apsw.Connection(str(names), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        cursor: Cursor = connection.cursor()
        found = cursor.execute("SELECT id FROM accounts ORDER BY id").fetchall()
    finally:
        connection.close()
    return [Path("accounts", account[:2], f"{account}.db") for (account,) in found]


def _back_up(source: Path, target: Path) -> None:
    try:
        back_up(source, target)
    except apsw.Error as error:
        raise Refused(Code.UNAVAILABLE, files.why_not(source) or f"{source}: {error}") from error


def _copy_own_pair(source: Path, target: Path) -> None:
    for path in OWN_PAIR:
        if (source / path).is_file():
            _copy(source / path, target / path)


def _copy(source: Path, target: Path) -> None:
    files.make_directory(target.parent)
    with open(source, "rb") as old, open(files.make_empty(target), "wb") as new:
        shutil.copyfileobj(old, new, 1024 * 1024)
        new.flush()
        os.fsync(new.fileno())
    files.sync(target.parent)
