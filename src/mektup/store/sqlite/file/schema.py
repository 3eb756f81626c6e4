"""How a file is made by its schema, and how one of an older version becomes one of today's, after a backup."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import apsw

from mektup.store import files
from mektup.store.sqlite.file.errors import DamagedError, NewerError

INCREMENTAL = 2
"""Of ``PRAGMA auto_vacuum``: free pages can be given back, some at a time."""

PAGE_BYTES = 4096
"""A change of one flag touches five pages whatever their size, and writes each whole: small ones are cheaper."""


@dataclass(frozen=True, slots=True)
class Schema:
    """What a kind of file holds, and the way there."""

    application_id: int
    tables: str
    """As a new file gets them."""
    upgrades: Sequence[Callable[[apsw.Connection], None]] = ()
    """The nth takes a file from version n, counted from 1, to the next; all run in one transaction."""

    @property
    def version(self) -> int:
        """Of today."""
        return len(self.upgrades) + 1


def create(connection: apsw.Connection, schema: Schema) -> None:
    """Fills what is new and empty."""
    with connection:
        connection.execute(schema.tables)
        connection.pragma("application_id", schema.application_id)
        connection.pragma("user_version", schema.version)


def create_file(path: Path, schema: Schema) -> None:
    """Makes the file, its owner's alone, on disk when this returns; where another process was faster, its file stays.

    It is made under another name, so that nobody finds it half done.
    """
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    os.close(files.make_empty(fresh))
    try:
        connection = apsw.Connection(str(fresh), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            connection.pragma("synchronous", "normal")
            connection.pragma("page_size", PAGE_BYTES)
            connection.pragma("auto_vacuum", INCREMENTAL)  # which costs nothing only before the first table
            connection.pragma("journal_mode", "wal")
            create(connection, schema)
        finally:
            connection.close()  # which syncs the file, and leaves nothing beside it
        with contextlib.suppress(FileExistsError):
            os.link(fresh, path)
    finally:
        fresh.unlink()
    files.sync(path.parent)


def is_outdated(connection: apsw.Connection, schema: Schema) -> bool:
    """Whether the file is of an older version than today's, or lost its WAL as copies made by SQLite do.

    Raises DamagedError for a file that is none of mektup's, as one that was emptied; NewerError.
    """
    found: int = connection.pragma("application_id")
    if found != schema.application_id:
        raise DamagedError(f"not a file of mektup's: its application_id is {found:#x}, not {schema.application_id:#x}")
    version: int = connection.pragma("user_version")
    if version > schema.version:
        raise NewerError(f"it has version {version}, and this mektup knows versions up to {schema.version}")
    return version < schema.version or connection.pragma("journal_mode") != "wal"


def bring_up_to_date(connection: apsw.Connection, path: Path, schema: Schema) -> None:
    """Turns a file of an older version into one of today's, after a backup beside it; else does nothing.

    To be called where it may take long. Raises what :func:`is_outdated` raises.
    """
    if is_outdated(connection, schema):
        connection.pragma("journal_mode", "wal")
        _upgrade(connection, path, schema)


def _upgrade(connection: apsw.Connection, path: Path, schema: Schema) -> None:
    connection.execute("BEGIN IMMEDIATE")  # from here on no other process writes, so the backup is the file's last word
    try:
        version = connection.pragma("user_version")
        if version < schema.version:
            back_up(path, path.with_name(f"{path.name}.v{version}"))
            for upgrade in schema.upgrades[version - 1 :]:
                upgrade(connection)
            connection.pragma("user_version", schema.version)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def back_up(path: Path, target: Path) -> None:
    """Writes what is committed in *path* to the one file *target*, which is on disk and its owner's alone after that.

    *target* is whole or not there; what was there is replaced.
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
        copy.pragma("journal_mode", "wal")  # as the original has; a copy comes without
    finally:
        copy.close()
    files.sync(unfinished)
    files.rename(unfinished, target)
