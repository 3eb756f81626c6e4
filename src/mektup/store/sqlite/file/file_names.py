"""Whether a file that is open, and what SQLite keeps beside it, still have their names.

Whoever removes or replaces one of them while it is in use changes nothing for those who have it open: they write on, to
what nobody will find again. SQLite cannot help it (https://sqlite.org/howtocorrupt.html, section 4), so before anything
is acknowledged the names are looked at.

Three names would be three looks for each delivery. But a name cannot come or go, or lead elsewhere, without a new ctime
of its directory, which nobody can set back. So once all were found, one look at the directory says that they still are.

Where only the WAL's name is gone, nothing is lost yet: what is in it is moved into the file, and all is closed and
opened again. Nobody may open the file in between: a new WAL beside the old WAL-index would damage it.
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
"""Of the WAL-index: every connection holds a shared lock on it (SQLite's "dead man switch")."""

SETTLED_SECONDS: Final = 2.5
"""The age of a directory's ctime from which on another change gives it another one: file systems count in steps of
some milliseconds, and old ones in steps of two seconds."""


class Names:
    """Of one database's files, since it was opened."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        """For None there are none. *clock* is the system's, by which files get their times."""
        self._clock = clock
        self._directory = None if path is None else str(path.parent)
        self._seen: tuple[int, int, int] | None = None
        """Device, inode and ctime of the directory when all names were found in it; None where that is not known."""
        self._paths = [] if path is None else [f"{path}{beside}" for beside in _BESIDE]
        self._known: list[int | None] = [None] * len(self._paths)
        self._connections: set[weakref.ref[apsw.Connection]] = set()
        self._lock = threading.Lock()

    def opened(self, connection: apsw.Connection) -> None:
        """*connection* is open; from any thread."""
        with self._lock:
            self._connections = {each for each in self._connections if _is_open(each())}
            self._connections.add(weakref.ref(connection))

    def _is_any_open(self) -> bool:
        with self._lock:
            return any(_is_open(each()) for each in self._connections)

    def learn(self) -> None:
        """Those that are there belong to what is open. For once it is, and before it is written to."""
        self._seen = None
        self._known = [known or _inode(path) for known, path in zip(self._known, self._paths, strict=True)]

    def forget(self) -> None:
        """Nothing is open any more."""
        self._seen = None
        self._known = [None] * len(self._paths)

    @property
    def are_lost(self) -> bool:
        """Whether one of the files is not where it was. Costs some microseconds."""
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
                self._seen = seen if self._clock() - status.st_ctime > SETTLED_SECONDS else None
                return False
        except OSError:
            pass
        if self._is_any_open():
            return True
        # The last connection was closed after an error, and SQLite itself removed what was beside the file.
        self.forget()
        return False

    @property
    def lost(self) -> str:
        """The path of the first that is not where it was; empty where all are."""
        there = zip(self._known, self._paths, strict=True)
        return next((path for known, path in there if known is not None and _inode(path) != known), "")

    @property
    def can_be_saved(self) -> bool:
        """Whether the file itself is where it was, and nobody has begun another WAL beside it."""
        return _inode(self._paths[0]) == self._known[0] and not self.are_overlaid

    @property
    def are_overlaid(self) -> bool:
        """Whether another WAL has the name of the one that is open, and something is in it."""
        if not any(self._known) or self._known[1] is None:
            return False
        return _inode(self._paths[1]) not in (None, self._known[1]) and _size(self._paths[1]) > 0

    def remover(self) -> Callable[[], None]:
        """To be called once all is closed: removes what is left beside another file of this name.

        SQLite would take it for that file's, and mix the two.
        """
        known = self._known
        if not any(known) or _inode(self._paths[0]) in (None, known[0]):
            return lambda: None
        return partial(_remove, [(path, inode) for path, inode in zip(self._paths[1:], known[1:], strict=True)])

    def require(self) -> None:
        """Raises FileNotFoundError where the database must not be opened now, see above."""
        if self.are_lost or (not any(self._known) and self.are_held_without_a_wal):
            raise FileNotFoundError(errno.ENOENT, "removed while in use", self._paths[1])

    @property
    def are_held_without_a_wal(self) -> bool:
        """Whether another process writes to a WAL whose name is gone: then the file must not be opened.

        To be asked only while this process has nothing of it open: it takes SQLite's locks from the process.
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


def _is_open(connection: apsw.Connection | None) -> bool:
    try:
        return connection is not None and bool(connection.filename)
    except apsw.ConnectionClosedError:
        return False
    except apsw.ThreadingViolationError:
        return True  # a thread is at work on it


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
