"""Whether anybody has committed since, told from the WAL-index: a question that costs less than any statement.

SQLite keeps a file beside each WAL, mapped by all who have the database open. It begins with a header that is
written anew by every commit, last of all: how many frames are in the WAL, their checksum, and a counter. While these
octets stand, no commit can have become visible to anybody, in this process or another. (The format is part of
SQLite's WAL documentation, and has been the same since 3.7.0.)

POSIX takes all of a process's locks on a file from it when any of its descriptors of that file is closed, and
SQLite's locks are on this one. So a descriptor is shared by all who look at the same file, and closed when the last
of them has closed its connections.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

HEADER_BYTES = 48


@dataclass(slots=True)
class _Shared:
    """A descriptor of this process's."""

    file: int
    users: int = 0


_shared: dict[tuple[int, int], _Shared] = {}
"""By device and inode, as a database that was closed and opened again has another file of the same name."""

_sharing = threading.Lock()
"""An application may have a store in each of several threads."""


class WalIndex:
    """The WAL-index of one database, to be opened while a connection is open, and closed after the last one is."""

    __slots__ = ("_file", "_key")

    def __init__(self, database: Path) -> None:
        """Raises OSError, where nothing was read from *database* yet."""
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
        """HEADER_BYTES octets that are others after every commit."""
        return os.pread(self._file, HEADER_BYTES, 0)

    def close(self) -> None:
        """To be called once."""
        with _sharing:
            shared = _shared[self._key]
            shared.users -= 1
            if not shared.users:
                del _shared[self._key]
                os.close(shared.file)
