"""The operations on files that the layer sees, and the errors with which they fail."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from enum import Enum

import apsw


class Act(Enum):
    """A kind of operation."""

    OPEN = "open"
    READ = "read"
    WRITE = "write"
    SYNC = "sync"
    SYNC_DIRECTORY = "directory sync"
    TRUNCATE = "truncate"
    DELETE = "delete"
    CREATE = "create"
    RENAME = "rename"


Trouble = Callable[[Act, str], int]
"""Called before each operation on a path. Returns the errno with which it fails, 0 to let it work."""


def no_trouble(act: Act, path: str) -> int:
    """A disk that always works."""
    return 0


_EXTENDED = {
    Act.READ: apsw.SQLITE_IOERR_READ,
    Act.WRITE: apsw.SQLITE_IOERR_WRITE,
    Act.SYNC: apsw.SQLITE_IOERR_FSYNC,
    Act.SYNC_DIRECTORY: apsw.SQLITE_IOERR_DIR_FSYNC,
    Act.TRUNCATE: apsw.SQLITE_IOERR_TRUNCATE,
    Act.DELETE: apsw.SQLITE_IOERR_DELETE,
}


def os_error(number: int, path: str) -> OSError:
    """The error of a system call."""
    return OSError(number, os.strerror(number), path)


def engine_error(act: Act, number: int) -> apsw.Error:
    """The error that SQLite's VFS for Unix makes of *number*."""
    if number == errno.ENOMEM:
        return _with_code(apsw.NoMemError("out of memory, says the layer"), apsw.SQLITE_NOMEM)
    if act in (Act.OPEN, Act.CREATE):
        return _with_code(apsw.CantOpenError("not opened, says the layer"), apsw.SQLITE_CANTOPEN)
    if act is Act.WRITE and number == errno.ENOSPC:
        return _with_code(apsw.FullError("no room, says the layer"), apsw.SQLITE_FULL)
    return _with_code(apsw.IOError("the disk fails, says the layer"), _EXTENDED.get(act, apsw.SQLITE_IOERR))


def _with_code(error: apsw.Error, code: int) -> apsw.Error:
    vars(error)["extendedresult"] = code  # apsw reads it, and its stubs do not have it
    return error
