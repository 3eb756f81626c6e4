"""The place of a file on the disk, which tells a copy from the original.

An operator may restore an older copy of an account. So a file records its own inode and creation time. A copy has
another inode; if it happens to get the same inode, it has another creation time. Neither changes with the name, the
owner, the mode, or a restart of the machine.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from pathlib import Path
from typing import Final

_AT_FDCWD: Final = -100
_STATX_INO: Final = 0x100
_STATX_BTIME: Final = 0x800
_STATX_BYTES: Final = 256
_INO_AT: Final = 32
_BTIME_AT: Final = 80

_statx = getattr(ctypes.CDLL(None), "statx", None) if sys.platform == "linux" else None


def place_of(path: Path) -> str:
    """The inode and, if known, the creation time of a file: different for a copy, the same for a renamed file.

    Does not open the file, because closing a descriptor of it would release SQLite's locks. Raises OSError.
    """
    status = os.stat(path)
    birth = getattr(status, "st_birthtime", None) or _birth(path)
    return f"{status.st_ino}" if birth is None else f"{status.st_ino} {birth}"


def _birth(path: Path) -> str | None:
    if _statx is None:
        return None
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if _statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_INO | _STATX_BTIME, found) != 0:
        return None  # a sandbox may forbid the system call
    (mask,) = struct.unpack_from("=I", found)
    seconds, nanoseconds = struct.unpack_from("=qI", found, _BTIME_AT)
    return f"{seconds}.{nanoseconds:09}" if mask & _STATX_BTIME else None
