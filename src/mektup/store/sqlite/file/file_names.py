"""Checks whether an open database, its WAL and its WAL-index still have their names.

If one of these files is removed or replaced while it is open, processes go on writing to a file that nobody will find
again. SQLite cannot prevent that (https://sqlite.org/howtocorrupt.html, section 4), so the names are checked before
anything is acknowledged.

Three names would need three checks for each delivery. But a change of a name changes the ctime of its directory, which
nobody can set back. So once all names were found, one check of the directory shows that they still exist.

Where only the WAL's name is gone, nothing is lost yet: the WAL is moved into the file, and all files are closed and
opened again. Nobody may open the file in between, because a new WAL beside the old WAL-index would damage it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import threading
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import apsw

from mektup.store import system

_BESIDE: Final = ("", "-wal", "-shm")

_DMS_BYTE: Final = 128
"""The octet of the WAL-index on which every connection holds a shared lock (SQLite's "dead man switch")."""

SETTLED_SECONDS: Final = 0.05
"""After this time, a new change of a directory certainly changes its ctime: file systems count in steps of at most ten
milliseconds, which are those of the kernel's clock."""

COARSE_SETTLED_SECONDS: Final = 2.5
"""The same where the ctime has no fraction of a second: old file systems count in steps of one or two seconds."""


class Names:
    """The names of one database's files, since it was opened."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """Without *path* there are no files. *clock* is the system's clock, from which files get their times."""
        self._clock = clock
        self._directory = None if path is None else str(path.parent)
        self._seen: tuple[int, int, int] | None = None
        """Device, inode and ctime of the directory when all names were last found; None where not known."""
        self._paths = [] if path is None else [f"{path}{beside}" for beside in _BESIDE]
        self._known: list[int | None] = [None] * len(self._paths)
        self._connections: set[weakref.ref[apsw.Connection]] = set()
        self._lock = threading.Lock()

    def opened(self, connection: apsw.Connection) -> None:
        """Adds an open *connection*; from any thread."""
        with self._lock:
            self._connections = {each for each in self._connections if _is_open(each())}
            self._connections.add(weakref.ref(connection))

    def _is_any_open(self) -> bool:
        with self._lock:
            return any(_is_open(each()) for each in self._connections)

    def learn(self) -> None:
        """Takes the existing files as those of the open database. Call it after opening and before writing."""
        self._seen = None
        self._known = [known or _inode(path) for known, path in zip(self._known, self._paths, strict=True)]

    def forget(self) -> None:
        """Forgets the files, because none is open any more."""
        self._seen = None
        self._known = [None] * len(self._paths)

    @property
    def are_lost(self) -> bool:
        """Whether one of the files has lost its name. Costs some microseconds."""
        if self._directory is None:
            return False
        try:
            status = os.stat(self._directory)
            seen = status.st_dev, status.st_ino, status.st_ctime_ns
            if seen == self._seen:
                return False
            for at, known in enumerate(self._known):
                if known is not None and os.stat(self._paths[at]).st_ino != known:
                    break
            else:
                self._seen = seen if self._clock() - status.st_ctime > _settled_seconds(status) else None
                return False
        except OSError:
            pass
        if self._is_any_open():
            return True
        # the last connection was closed after an error, and SQLite itself removed the WAL and the WAL-index
        self.forget()
        return False

    @property
    def lost(self) -> str:
        """The path of the first file that has lost its name; empty where there is none."""
        there = zip(self._known, self._paths, strict=True)
        return next((path for known, path in there if known is not None and _inode(path) != known), "")

    @property
    def can_be_saved(self) -> bool:
        """Whether the database itself has its name, and nobody has begun another WAL beside it."""
        return _inode(self._paths[0]) == self._known[0] and not self.are_overlaid

    @property
    def are_overlaid(self) -> bool:
        """Whether another WAL that is not empty has the name of the open WAL."""
        if not any(self._known) or self._known[1] is None:
            return False
        return _inode(self._paths[1]) not in (None, self._known[1]) and _size(self._paths[1]) > 0

    def remover(self) -> Callable[[], None]:
        """A function to call after closing: it removes our old WAL and WAL-index beside another file with this name.

        Else SQLite would use them for that file, and mix the two.
        """
        known = self._known
        if not any(known) or _inode(self._paths[0]) in (None, known[0]):
            return lambda: None
        return partial(_remove, [(path, inode) for path, inode in zip(self._paths[1:], known[1:], strict=True)])

    def require(self) -> None:
        """Raises FileNotFoundError where the database must not be opened now."""
        if self.are_lost or (not any(self._known) and self.are_held_without_a_wal):
            raise FileNotFoundError(errno.ENOENT, "removed while in use", self._paths[1])

    @property
    def are_held_without_a_wal(self) -> bool:
        """Whether another process writes to a WAL without a name; then the file must not be opened.

        Call it only while this process has none of the files open, because it releases SQLite's locks.
        """
        if not self._paths or _inode(self._paths[2]) is None or _inode(self._paths[1]) is not None:
            return False
        try:
            file = os.open(self._paths[2], os.O_RDWR | system.CLOSE_ON_EXEC)
        except OSError:
            return False
        try:
            return system.is_locked(file, _DMS_BYTE)
        except OSError:
            return False
        finally:
            os.close(file)


def _settled_seconds(status: os.stat_result) -> float:
    return SETTLED_SECONDS if status.st_ctime_ns % 1_000_000_000 else COARSE_SETTLED_SECONDS


def _is_open(connection: apsw.Connection | None) -> bool:
    try:
        return connection is not None and bool(connection.filename)
    except apsw.ConnectionClosedError:
        return False
    except apsw.ThreadingViolationError:
        return True  # a thread uses it


def _remove(strays: list[tuple[str, int | None]]) -> None:
    for path, inode in strays:
        if inode is not None and _inode(path) == inode:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0
