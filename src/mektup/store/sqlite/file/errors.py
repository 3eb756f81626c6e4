"""Turns SQLite's errors into refusals. Errors that are not listed here are bugs and pass through."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

import apsw

from mektup.store import files, system, texts
from mektup.store.faults import Fault, Kind, fault_of_os_error, kind_of_errno, words_of_errno
from mektup.store.rules.packs import UnreadableError
from mektup.terms.errors import Code, Refused
from mektup.terms.texts import Text


@dataclass(eq=False)
class DamagedError(Exception):
    """Stored data is damaged; the text says how, for the log."""

    text: Text

    def __str__(self) -> str:
        return str(self.text)


@dataclass(eq=False)
class NewerError(Exception):
    """A newer mektup wrote the file; the text names the versions, for the log."""

    text: Text

    def __str__(self) -> str:
        return str(self.text)


ENGINE_ERRORS = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.ConnectionClosedError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.InterruptError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NoMemError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    DamagedError,
    MemoryError,
    NewerError,
    OSError,
    UnreadableError,
)

NO_FAULTS = (
    apsw.BusyError,
    apsw.LockedError,
    apsw.ProtocolError,
    apsw.InterruptError,
    apsw.ConnectionClosedError,
)
"""Errors that are no faults of the machine: the file is in use, or was closed."""

_KINDS: tuple[tuple[type[Exception], Kind], ...] = (
    (apsw.FullError, Kind.FULL),
    (apsw.CorruptError, Kind.DAMAGED),
    (apsw.NotADBError, Kind.DAMAGED),
    (DamagedError, Kind.DAMAGED),
    (UnreadableError, Kind.DAMAGED),
    (apsw.ReadOnlyError, Kind.READ_ONLY),
    (apsw.NoMemError, Kind.MEMORY),
    (MemoryError, Kind.MEMORY),
)

_MAY_BE_DENIED = (apsw.CantOpenError, apsw.PermissionsError, apsw.ReadOnlyError)

_FEW_BYTES = 64 * 1024
"""The least space that opening a database needs for the files beside it."""


def refusal(error: Exception) -> Refused:
    """The refusal for an error that is no fault (RFC 5530 §3)."""
    if isinstance(error, apsw.BusyError | apsw.LockedError | apsw.ProtocolError):
        return Refused(Code.INUSE, texts.ACCOUNT_BUSY)
    return Refused(Code.UNAVAILABLE, texts.ACCOUNT_UNUSABLE)


def fault_of(error: Exception, file: Path, number: int = 0) -> Fault | None:
    """The fault of the machine for *error*; None where *error* is no fault.

    *number* is the connection's errno, 0 where it is not known.
    """
    if isinstance(error, NO_FAULTS):
        return None
    if isinstance(error, OSError):
        return fault_of_os_error(error, file)
    if isinstance(error, DamagedError | NewerError):
        return Fault(Kind.DAMAGED if isinstance(error, DamagedError) else Kind.NEWER, str(file), error.text)
    if isinstance(error, _MAY_BE_DENIED) and (denied := files.why_denied(file)):
        return Fault(Kind.DENIED, str(file), denied)
    for kind_of_error, kind in _KINDS:
        if isinstance(error, kind_of_error):
            return Fault(kind, str(file), _words(error, 0))
    if kind_of_errno(number) is None:  # the errno may come from a check for an optional file
        number = _errno_of(file) or number
    kind = kind_of_errno(number) or (Kind.FAILED if isinstance(error, apsw.IOError) else Kind.OTHER)
    if getattr(error, "extendedresult", 0) == apsw.SQLITE_IOERR_NOMEM:
        kind = Kind.MEMORY
    return Fault(kind, str(file), _words(error, number))


def is_full(error: Exception, file: Path, number: int = 0) -> bool:
    """Whether *error* says that the disk is full."""
    fault = fault_of(error, file, number)
    return fault is not None and fault.kind is Kind.FULL


def _errno_of(file: Path) -> int:
    """A possible reason of SQLite's failure, where it gives none: the errno of similar system calls."""
    try:
        # not the database itself, because closing a descriptor of it would release SQLite's locks
        os.close(os.open(file.parent, os.O_RDONLY | system.DIRECTORY))
        os.stat(file)
        if system.is_read_only(file.parent):
            return errno.EROFS
        disk = os.statvfs(file.parent) if hasattr(os, "statvfs") else None
    except OSError as error:
        return error.errno or 0
    if disk is None:
        return 0
    if disk.f_bavail * disk.f_frsize < _FEW_BYTES:
        return errno.ENOSPC
    return system.why_no_file(file.parent)


def _words(error: Exception, number: int) -> str:
    result = getattr(error, "extendedresult", 0) or getattr(error, "result", 0)
    names = (apsw.mapping_extended_result_codes.get(result), apsw.mapping_result_codes.get(result))
    name = (names[0] or names[1] if result else None) or type(error).__name__
    if isinstance(error, apsw.FullError):
        number = errno.ENOSPC
    text = f"{name}, {error}" if str(error) else str(name)
    return f"{text} ({words_of_errno(number)})" if number else text
