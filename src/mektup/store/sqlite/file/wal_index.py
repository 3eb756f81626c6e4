"""Reads from the WAL-index whether anybody has committed, which is cheaper than any statement.

SQLite keeps a WAL-index beside each WAL, mapped by every process that has the database open. It begins with a header
that every commit rewrites as its last step: the number of frames in the WAL, their checksum, and a counter. While the
header is the same, no commit has become visible to anybody, in any process. (The format is part of SQLite's WAL
documentation, and has been the same since 3.7.0.)

When a process closes any descriptor of a file, POSIX releases all locks of the process on that file, and SQLite's locks
are on this one. So all users of the same file share a descriptor, which is closed when the last of them has closed its
connections.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES = 48


@dataclass(slots=True)
class _Shared:
    """A shared descriptor of this process."""

    file: int
    users: int = 0


_shared: dict[tuple[int, int], _Shared] = {}
"""By device and inode, because a database that was reopened has another file with the same name."""

_sharing = threading.Lock()
"""For applications with a store in each of several threads."""


class WalIndex:
    """The WAL-index of one database. Open it while a connection is open; close it after the last connection."""

    __slots__ = ("_file", "_key")

    def __init__(self, database: Path) -> None:
        """Raises OSError where nothing was read from *database* yet."""
        path = f"{database}-shm"
        with _sharing:
            status = os.stat(path)
            self._key = status.st_dev, status.st_ino
            shared = _shared.get(self._key)
            if shared is None:
                shared = _shared[self._key] = _Shared(os.open(path, os.O_RDONLY))
            shared.users += 1
            self._file = shared.file

    def header(self) -> bytes:
        """HEADER_BYTES octets that differ after every commit."""
        return os.pread(self._file, HEADER_BYTES, 0)

    def close(self) -> None:
        """Closes it. Call it once."""
        with _sharing:
            shared = _shared[self._key]
            shared.users -= 1
            if not shared.users:
                del _shared[self._key]
                os.close(shared.file)
