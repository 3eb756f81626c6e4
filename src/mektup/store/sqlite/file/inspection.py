"""Opens a file to look at it, and leaves it as it is; and says what the errors of SQLite mean for the file."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

import apsw

from mektup.store import files, system
from mektup.store.rules.consistency import Finding, Kind
from mektup.store.sqlite.file.cursor import Cursor
from mektup.store.sqlite.file.errors import fault_of
from mektup.store.sqlite.file.file_names import Names
from mektup.store.sqlite.file.schema import Schema
from mektup.store.sqlite.file.wal_index import WalIndex
from mektup.store.sqlite.file.wal_rewrite import lost_commits

BUSY_MS: Final = 10_000

CACHE_KIB: Final = 4096

TRIES: Final = 5
PAUSE_SECONDS: Final = 0.1
"""How often, and how far apart, changes that look lost are counted: a commit of another process ends meanwhile."""


class CannotLookError(Exception):
    """The file cannot be opened, for the reason *finding*."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.kind.code)
        self.finding = finding


@contextmanager
def opened(path: Path) -> Iterator[Cursor]:
    """A cursor on the file, which reads only. Raises CannotLookError and apsw's errors."""
    if denied := files.why_denied(path):
        raise CannotLookError(Finding(Kind.UNREADABLE, str(path), str(denied)))
    if not path.is_file():
        raise CannotLookError(Finding(Kind.FILE_MISSING, str(path)))
    if Names(path).are_held_without_a_wal:
        raise CannotLookError(Finding(Kind.CUT_OFF, f"{path}-wal"))
    wal = Path(f"{path}-wal")
    is_left = wal.exists() and wal.stat().st_size > 0
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        if is_left:  # of a killed process; the server that opens the file next looks at it
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        connection.set_busy_timeout(BUSY_MS)
        # what does not fit into the cache goes to a temporary file, not to memory
        connection.execute(f"PRAGMA temp_store = FILE; PRAGMA cache_size = {-CACHE_KIB}; PRAGMA query_only = ON")
        yield connection.cursor()
    finally:
        connection.close(True)


def version(cursor: Cursor, path: Path, schema: Schema) -> Finding | None:
    """Whether the file is of mektup and of this version; None where it is."""
    application: int = cursor.execute("PRAGMA application_id").get
    if application != schema.application_id:
        return Finding(Kind.NOT_OURS, str(path), hex(application))
    found: int = cursor.execute("PRAGMA user_version").get
    if found == schema.version:
        return None
    return Finding(Kind.NEWER if found > schema.version else Kind.OLDER, str(path), f"{found}, {schema.version}")


def lost(cursor: Cursor, path: Path) -> Iterator[Finding]:
    """The commits at the end of the WAL that cannot be read."""
    cursor.execute("PRAGMA user_version").fetchall()  # reads the WAL
    with suppress(OSError):  # there is no WAL
        index = WalIndex(path)
        try:
            for _ in range(TRIES):
                commits = lost_commits(path, index.header)
                if not commits:
                    return
                time.sleep(PAUSE_SECONDS)
            yield Finding(Kind.WAL_LOST, f"{path}-wal", str(commits), commits)
        finally:
            # closing the descriptor would release the locks of the connection
            cursor.connection.close(True)
            index.close()


def access(data: Path, path: Path, mode: int) -> Iterator[Finding]:
    """Whether *path* has the owner of the data directory, and *mode*."""
    with suppress(FileNotFoundError):
        owner, status = os.stat(data).st_uid, os.stat(path)
        if status.st_uid != owner:
            detail = f"{files.user_name(status.st_uid)}, {files.user_name(owner)}"
            yield Finding(Kind.ACCESS, str(path), detail, mendable=system.effective_user() == 0)
        if stat.S_IMODE(status.st_mode) & ~mode:
            yield Finding(Kind.ACCESS, str(path), f"{stat.S_IMODE(status.st_mode):o}, {mode:o}")


def mend_access(data: Path, path: Path) -> None:
    """Gives *path* the owner of the data directory, if root runs this, and takes it from others. Raises OSError."""
    status, owner = os.stat(path), os.stat(data)
    if status.st_uid != owner.st_uid and system.effective_user() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)
    os.chmod(path, files.DIRECTORY_MODE if path.is_dir() else files.FILE_MODE)


def finding_of(error: apsw.Error | OSError, path: Path) -> Finding:
    """What *error*, which ended a check, means."""
    if isinstance(error, apsw.BusyError | apsw.LockedError | apsw.ProtocolError):
        return Finding(Kind.IN_USE, str(path))
    if isinstance(error, apsw.SQLError):
        return Finding(Kind.TABLES, "", str(error))
    if isinstance(error, apsw.CorruptError | apsw.NotADBError | apsw.FormatError):
        return Finding(Kind.DAMAGED, str(path), str(error))
    fault = fault_of(error, path)
    return Finding(Kind.UNREADABLE, str(path), str(fault.reason if fault else error))
