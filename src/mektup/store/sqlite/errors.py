"""The border at which SQLite's errors become refusals; what is not listed here is a bug of ours and passes."""

from __future__ import annotations

import apsw

from mektup.terms.errors import Code, Refused

ENGINE_ERRORS = (
    apsw.BusyError,
    apsw.CantOpenError,
    apsw.ConnectionClosedError,
    apsw.CorruptError,
    apsw.FullError,
    apsw.InterruptError,
    apsw.IOError,
    apsw.LockedError,
    apsw.NotADBError,
    apsw.PermissionsError,
    apsw.ProtocolError,
    apsw.ReadOnlyError,
    OSError,
)

_REFUSALS: tuple[tuple[type[Exception], Code, str], ...] = (
    (apsw.FullError, Code.OVERQUOTA, "No room left for mail"),
    (apsw.BusyError, Code.INUSE, "The account is busy, try again"),
    (apsw.LockedError, Code.INUSE, "The account is busy, try again"),
    (apsw.CorruptError, Code.CORRUPTION, "The account's file is damaged"),
    (apsw.NotADBError, Code.CORRUPTION, "The account's file is damaged"),
)


def refusal(error: Exception) -> Refused:
    """What the error of an engine means to who asked (RFC 5530 §3)."""
    for kind, code, text in _REFUSALS:
        if isinstance(error, kind):
            return Refused(code, text)
    return Refused(Code.UNAVAILABLE, "The account cannot be read or written now")
