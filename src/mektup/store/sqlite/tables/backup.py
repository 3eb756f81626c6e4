"""Copies a data directory while servers use it, and restores such a copy.

Each file is copied at one moment (SQLite's VACUUM INTO reads one snapshot). The directory of accounts is copied first,
so every account that the copy names existed. A copy made with ``cp`` under load may be damaged, and may lack the
changes in a WAL.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from mektup.store import files, texts
from mektup.store.sqlite.file.schema import back_up
from mektup.terms.errors import Code, Refused
from mektup.terms.numbers import AccountId
from mektup.terms.texts import ABOUT

NAMES = Path("mektup.db")
_NAMES_FIRST = Path("mektup.db.unfinished")
"""The directory's name until the copy is complete."""

OWN_PAIR = (Path("tls", "self-signed.key"), Path("tls", "self-signed.crt"))


def back_up_all(data: Path, target: Path) -> int:
    """Copies *data* to *target*, which must be empty or not exist; returns the number of accounts.

    The copy is on disk when this returns; an incomplete copy is not a valid backup. Raises OSError, Refused.
    """
    if data.resolve() in (target.resolve(), *target.resolve().parents):
        raise Refused(Code.CANNOT, texts.TARGET_IN_DATA.of(target=target, data=data))
    require_empty(target)
    files.make_directory(target)
    names = target / _NAMES_FIRST
    _back_up(data / NAMES, names)
    copied, gone = 0, []
    for account, path in _accounts(names).items():
        files.make_directory((target / path).parent)
        try:
            _back_up(data / path, target / path)
            copied += 1
        except Refused:
            if account in _accounts(data / NAMES):
                raise
            gone.append(account)  # it was removed meanwhile
    _change(names, "DELETE FROM accounts WHERE id = ?", [(account,) for account in gone])
    _copy_own_pair(data, target)
    files.rename(names, target / NAMES)
    return copied


def restore_all(backup: Path, data: Path) -> None:
    """Restores *backup*, which is only read, to the data directory *data*, which must be empty or not exist.

    Every account is marked as an older copy, because clients may have seen later changes: so its mailboxes get a new
    UIDVALIDITY when it is opened. An incomplete copy is not a valid data directory. Raises OSError, Refused.
    """
    if not (backup / NAMES).is_file():
        raise Refused(Code.CANNOT, texts.NO_BACKUP.of(backup=backup, file=NAMES))
    require_empty(data)
    files.make_directory(data)
    names = data / _NAMES_FIRST
    _copy_with_wal(backup / NAMES, names)
    accounts = _accounts(names)
    for path in accounts.values():
        if not (backup / path).is_file():
            names.unlink()
            raise Refused(Code.CANNOT, texts.NO_WHOLE_BACKUP.of(backup=backup, file=path))
    older: list[tuple[int, AccountId]] = []
    for account, path in accounts.items():
        _copy_with_wal(backup / path, data / path)
        older.append((_ask(data / path, "SELECT ifnull(max(modseq), 0) + 1 FROM account")[0][0], account))
    if _ask(names, "SELECT 1 FROM pragma_table_info('accounts') WHERE name = 'seen'"):
        _change(names, "UPDATE accounts SET seen = max(seen, ?) WHERE id = ?", older)
    _copy_own_pair(backup, data)
    files.sync(names)
    files.rename(names, data / NAMES)


def own_files(data: Path) -> dict[str, bytes]:
    """The self-signed certificate and its key, by their paths in *data*. Raises OSError."""
    return {str(path): (data / path).read_bytes() for path in OWN_PAIR if (data / path).is_file()}


def write_own_files(data: Path, octets: Mapping[str, bytes]) -> None:
    """Writes what ``own_files`` read. Raises OSError, Refused."""
    for path in OWN_PAIR:
        if str(path) in octets:
            files.make_directory((data / path).parent)
            mode = files.FILE_MODE if path.suffix == ".key" else 0o644
            files.write(data / path, octets[str(path)], mode)


def require_empty(directory: Path) -> None:
    """Raises Refused where *directory* is not empty."""
    if not directory.exists():
        return
    if not directory.is_dir():
        raise Refused(Code.CANNOT, texts.NO_DIRECTORY.of(directory=directory))
    if any(directory.iterdir()):
        raise Refused(Code.CANNOT, texts.NOT_EMPTY.of(directory=directory))


def _accounts(names: Path) -> dict[AccountId, Path]:
    """The accounts in *names*, and the paths of their files, relative to the data directory."""
    found = _ask(names, "SELECT id FROM accounts ORDER BY id")
    return {AccountId(account): Path("accounts", account[:2], f"{account}.db") for (account,) in found}


def _ask(path: Path, question: str) -> list[tuple[Any, ...]]:
    """Runs a query, and leaves no WAL beside the file. Raises Refused."""
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            return connection.execute(question).fetchall()
        finally:
            connection.close()
    except apsw.Error as error:
        raise _unusable(path, error) from error


def _change(path: Path, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    try:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            with connection:
                connection.executemany(statement, rows)
        finally:
            connection.close()
    except apsw.Error as error:
        raise _unusable(path, error) from error


def _unusable(path: Path, error: apsw.Error) -> Refused:
    return Refused(Code.UNAVAILABLE, files.why_not(path) or ABOUT.of(place=path, problem=str(error)))


def _back_up(source: Path, target: Path) -> None:
    try:
        back_up(source, target)
    except apsw.Error as error:
        raise _unusable(source, error) from error


def _copy_own_pair(source: Path, target: Path) -> None:
    for path in OWN_PAIR:
        if (source / path).is_file():
            _copy(source / path, target / path)


def _copy_with_wal(source: Path, target: Path) -> None:
    """Copies a file and its WAL, which exists where the backup was made by other means."""
    _copy(source, target)
    wal = Path(f"{source}-wal")
    if wal.is_file():
        _copy(wal, Path(f"{target}-wal"))


def _copy(source: Path, target: Path) -> None:
    files.make_directory(target.parent)
    with open(source, "rb") as old, open(files.make_empty(target), "wb") as new:
        shutil.copyfileobj(old, new, 1024 * 1024)
        new.flush()
        os.fsync(new.fileno())
    files.sync(target.parent)
