"""Creates a file by its schema, and upgrades a file of an older version, after a backup."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from mektup.store import files, texts
from mektup.store.sqlite.file.errors import DamagedError, NewerError

INCREMENTAL = 2
"""The value of ``PRAGMA auto_vacuum`` with which free pages can be returned, some at a time."""

PAGE_BYTES = 4096
"""A change of one flag writes five whole pages, whatever their size, so small pages are cheaper."""


@dataclass(frozen=True, slots=True)
class Schema:
    """The tables of a kind of file, and the upgrades from older versions."""

    application_id: int
    tables: str
    """The SQL for a new file."""
    upgrades: Sequence[Callable[[apsw.Connection], None]] = ()
    """The nth upgrades a file from version n, counted from 1, to the next; all run in one transaction."""

    @property
    def version(self) -> int:
        """The current version."""
        return len(self.upgrades) + 1


def create(connection: apsw.Connection, schema: Schema) -> None:
    """Creates the tables of a new, empty database."""
    with _transaction(connection):
        connection.execute(schema.tables)
        connection.pragma("application_id", schema.application_id)
        connection.pragma("user_version", schema.version)


@contextlib.contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    """A block that is committed; no other process writes meanwhile.

    apsw's own block fails with an error of its own where SQLite has rolled back by itself, as on a failing disk.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def create_file(path: Path, schema: Schema) -> None:
    """Creates the file, private to its owner, on disk when this returns; keeps the file of a faster process.

    The file is created under another name, so that nobody finds it incomplete.
    """
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    os.close(files.make_empty(fresh))
    try:
        connection = apsw.Connection(str(fresh), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.pragma("synchronous", "normal")
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("auto_vacuum", INCREMENTAL)  # set before the first table, where it is cheap
            connection.pragma("journal_mode", "wal")
            create(connection, schema)
        finally:
            connection.close()  # syncs the file, and leaves no WAL beside it
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    files.sync(path.parent)


def is_outdated(connection: apsw.Connection, schema: Schema) -> bool:
    """Whether the file has an older version, or is not in WAL mode, such as a copy made by SQLite.

    Raises DamagedError for a file that is not mektup's, such as an empty one; NewerError.
    """
    found: int = connection.pragma("application_id")
    if found != schema.application_id:
        raise DamagedError(texts.NO_FILE_OF_MEKTUP.of(found=hex(found), expected=hex(schema.application_id)))
    version: int = connection.pragma("user_version")
    if version > schema.version:
        raise NewerError(texts.NEWER_VERSION.of(version=version, known=schema.version))
    return version < schema.version or connection.pragma("journal_mode") != "wal"


def bring_up_to_date(connection: apsw.Connection, path: Path, schema: Schema) -> None:
    """Upgrades a file of an older version, after a backup beside it; does nothing for a current one.

    May take long. Raises the errors of :func:`is_outdated`.
    """
    if is_outdated(connection, schema):
        connection.pragma("journal_mode", "wal")
        _upgrade(connection, path, schema)


def _upgrade(connection: apsw.Connection, path: Path, schema: Schema) -> None:
    with _transaction(connection):  # no other process writes meanwhile, so the backup is complete
        version = connection.pragma("user_version")
        if version < schema.version:
            back_up(path, path.with_name(f"{path.name}.v{version}"))
            for upgrade in schema.upgrades[version - 1 :]:
                upgrade(connection)
            connection.pragma("user_version", schema.version)


def back_up(path: Path, target: Path) -> None:
    """Copies the committed state of *path* to the single file *target*, on disk and private to its owner.

    Replaces *target*, completely or not at all.
    """
    unfinished = target.with_name(f"{target.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    os.close(files.make_empty(unfinished))
    source = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        source.execute("VACUUM INTO ?", (str(unfinished),))
    finally:
        source.close()
    copy = apsw.Connection(str(unfinished), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        copy.pragma("journal_mode", "wal")  # as in the original; VACUUM INTO does not copy it
    finally:
        copy.close()
    files.sync(unfinished)
    files.rename(unfinished, target)
