"""A disk that fails when a test says so. It is a VFS of SQLite, used by every connection that is opened meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import apsw

BASE = apsw.vfs_names()[0]
"""The VFS of the system."""

Raise = Callable[[], Exception]


def full() -> Exception:
    """The disk is full."""
    return apsw.FullError("no room, says the test")


def failed() -> Exception:
    """An input or output error."""
    return apsw.IOError("the disk fails, says the test")


def cannot_open() -> Exception:
    """A file that cannot be opened."""
    return apsw.CantOpenError("not opened, says the test")


def no_memory() -> Exception:
    """An allocation that failed."""
    return apsw.NoMemError("out of memory, says the test")


class FaultyDisk:
    """Counts writes and syncs of database files; the chosen one fails, and all after it until ``works``."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._error: Raise = full
        self._unreadable: Raise | None = None
        self._while: Callable[[], bool] = lambda: False
        self.room_for_wals: int | None = None
        """The highest size of a WAL in octets; None for no limit."""
        self.failures = 0
        self._reads_left: int | None = None
        self._opens_left: int | None = None

    def fails_to_read_at(self, number: int) -> None:
        """The read with this *number*, counted from 1, fails, and all reads after it."""
        self._reads_left, self.failures = number, 0

    def fails_to_open_at(self, number: int) -> None:
        """The opening with this *number*, counted from 1, fails, and all after it."""
        self._opens_left, self.failures = number, 0

    def fails_at(self, number: int, error: Raise) -> None:
        """The write or sync with this *number*, counted from 1, fails, and all after it."""
        self._left, self._error, self.failures = number, error, 0

    def works(self) -> None:
        """From now on nothing fails."""
        self._left = self._unreadable = self.room_for_wals = self._reads_left = self._opens_left = None
        self._while = lambda: False

    def fails_while(self, condition: Callable[[], bool]) -> None:
        """The disk is full as long as *condition* holds."""
        self._while = condition

    def cannot_be_read(self, error: Raise) -> None:
        """From now on reads fail, too."""
        self._unreadable = error

    def read(self) -> None:
        """Called for each read."""
        if self._reads_left is not None:
            self._reads_left -= 1
            if self._reads_left <= 0:
                self.failures += 1
                raise failed()
        if self._unreadable is not None:
            raise self._unreadable()

    def open(self) -> None:
        """Called when a file is opened."""
        if self._opens_left is not None:
            self._opens_left -= 1
            if self._opens_left <= 0:
                self.failures += 1
                raise cannot_open()

    def grow(self, name: str, octets: int) -> None:
        """Called when a file grows to so many octets."""
        if self.room_for_wals is not None and name.endswith("-wal") and octets > self.room_for_wals:
            raise full()

    def touch(self) -> None:
        """Called for each write or sync."""
        if self._while():
            raise full()
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self.failures += 1
            raise self._error()


class _File(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else name or ""
        super().__init__(BASE, name, flags)  # type: ignore[arg-type]

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.touch()
        self._disk.grow(self._name, offset + len(data))
        super().xWrite(data, offset)

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.read()
        return super().xRead(amount, offset)

    def xSync(self, flags: int) -> None:
        self._disk.touch()
        super().xSync(flags)

    def xTruncate(self, newsize: int) -> None:
        self._disk.touch()
        super().xTruncate(newsize)


class _Vfs(apsw.VFS):
    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        super().__init__("faulty", BASE, makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        self._disk.open()
        return _File(self._disk, name, flags)


@contextmanager
def faulty_disk() -> Iterator[FaultyDisk]:
    """The disk; at first nothing fails."""
    disk = FaultyDisk()
    vfs = _Vfs(disk)
    try:
        yield disk
    finally:
        vfs.unregister()
