"""Where a file lies: whether it is the one that it says it is, or a copy.

An older copy of an account may be put back. So the inode of the file and the moment that it was made are written in it.
A copy has another inode, and one that happens to have got the same has another birth. Neither changes with the name,
the owner, the mode, or a restart of the machine.
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
    """Inode and birth of the file, where the system knows it: other octets for a copy, the same for a renamed file.

    It is not opened: to close a descriptor of it would take SQLite's locks from this process. Raises OSError.
    """
    status = os.stat(path)
    birth = getattr(status, "st_birthtime", None) or _birth(path)
    return f"{status.st_ino}" if birth is None else f"{status.st_ino} {birth}"


def _birth(path: Path) -> str | None:
    if _statx is None:
        return None
    found = ctypes.create_string_buffer(_STATX_BYTES)
    if _statx(_AT_FDCWD, os.fsencode(path), 0, _STATX_INO | _STATX_BTIME, found) != 0:
        return None  # a sandbox may not let it through
    (mask,) = struct.unpack_from("=I", found)
    seconds, nanoseconds = struct.unpack_from("=qI", found, _BTIME_AT)
    return f"{seconds}.{nanoseconds:09}" if mask & _STATX_BTIME else None
