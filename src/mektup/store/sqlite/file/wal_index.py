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
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from mektup.store.memo import Readable
from mektup.store.sqlite.file.cursor import Cursor

T = TypeVar("T")
P = ParamSpec("P")

HEADER_BYTES = 48

_COUNTER = slice(8, 12)
"""The place of the counter in the header (``iChange`` in SQLite's source), in the machine's order of octets."""


class _Files:
    """The descriptors that this process has open on WAL-indices.

    For any thread, because an application may have a store in each of several threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._users: dict[tuple[int, int], tuple[int, int]] = {}
        """The descriptor and the number of its users, by device and inode, because a database that was reopened has
        another file with the same name."""

    def open(self, path: str) -> tuple[tuple[int, int], int]:
        """The key and the descriptor of *path*, for one user more. Raises OSError."""
        with self._lock:
            status = os.stat(path)
            key = status.st_dev, status.st_ino
            file, users = self._users.get(key) or (os.open(path, os.O_RDONLY), 0)
            self._users[key] = file, users + 1
            return key, file

    def close(self, key: tuple[int, int]) -> None:
        """Ends one use; closes the descriptor after the last one."""
        with self._lock:
            file, users = self._users.pop(key)
            if users > 1:
                self._users[key] = file, users - 1
            else:
                os.close(file)


_files = _Files()


class WalIndex:
    """The WAL-index of one database. Open it while a connection is open; close it after the last connection."""

    __slots__ = ("_file", "_key")

    def __init__(self, database: Path) -> None:
        """Raises OSError where nothing was read from *database* yet."""
        self._key, self._file = _files.open(f"{database}-shm")

    def header(self) -> bytes:
        """HEADER_BYTES octets that differ after every commit."""
        return os.pread(self._file, HEADER_BYTES, 0)

    def close(self) -> None:
        """Closes it. Call it once."""
        _files.close(self._key)


class NamesState:
    """A ``memo.Readable`` for questions about the names of mailboxes: its state stays the same when only mail comes.

    While mail comes in, there is a commit before each lookup of a mailbox. So a commit of this process may say that it
    changes no name. The counter in the header shows that nobody else committed meanwhile, because every commit of every
    process increments it.
    """

    __slots__ = ("_at", "_database", "_number")

    def __init__(self, database: Readable[Cursor]) -> None:
        self._database = database
        self._at: bytes | None = None
        """The last state of the file at which the names are known to be the same."""
        self._number = 0

    def state(self) -> bytes | None:
        """Octets that differ after every commit that may have changed a name; None where they are not known."""
        now = self._database.state()
        if now != self._at:
            self._at = now
            self._number += 1
        return None if now is None else self._number.to_bytes(8)

    def read(self, ask: Callable[Concatenate[Cursor, P], T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        """See ``Database.read``."""
        return self._database.read(ask, *args, **kwargs)

    def note_kept(self) -> None:
        """Says that the last commit of this process, which has just ended, left all names as they were."""
        if self._at is not None:
            now = self._database.state()
            if now is not None and _is_next(self._at, now):
                self._at = now


def _is_next(before: bytes, now: bytes) -> bool:
    """Whether exactly one commit lies between two states."""
    if len(now) == 8:  # in memory, see ``Database.state``
        return int.from_bytes(now) == int.from_bytes(before) + 1
    counted = int.from_bytes(now[_COUNTER], sys.byteorder) - int.from_bytes(before[_COUNTER], sys.byteorder)
    return counted == 1 and now[HEADER_BYTES:] == before[HEADER_BYTES:]
