"""Room that is kept for the day when the disk is full: a file, given up piece by piece, made again when there is room.

On a full disk mail must still be read, and somebody must be able to delete some. SQLite needs room for both: for the
WAL that a deletion is written to, and for the WAL-index that every open account has beside it. So a file of some
megabytes lies in the data directory, with blocks of its own. What frees room, or only reads, may have pieces of it;
what grows is refused until the file is whole again, and so never eats what was given up for something else. All
processes on a data directory share the file, and see by its size whether it is whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from enum import Enum, auto
from pathlib import Path
from time import monotonic

from mektup.store import files, system
from mektup.terms.errors import Refused

RESERVE_BYTES = 8 * 1024 * 1024

SHARE = 4
"""Of a small file system, it is one part in so many at most."""

OPENING_BYTES = 64 * 1024
"""What is given up for an account that is opened: its WAL-index takes half of it."""

FREEING_BYTES = 1024 * 1024
"""What is given up at a time for a change that frees room."""

PROBE_BYTES = 256 * 1024
"""So much more than the reserve must be free for the disk not to be full."""

SEEN_SECONDS = 0.01
"""How long it counts as whole once that was seen, though another process may give some of it up meanwhile: a message
that comes in passes as much time between the look and its commit."""


class Room(Enum):
    """What a change does to the room on the disk."""

    USUAL = auto()
    """Little."""
    GROWS = auto()
    """It brings mail, and must wait while the reserve is not whole."""
    FREES = auto()
    """It makes room, now or as a step on the way, and may use the reserve."""


class Reserve:
    """The file of one data directory; for None there is none, and nothing is ever refused or given up."""

    def __init__(self, data: Path | None) -> None:
        self._path = None if data is None else data / "reserve"
        self._name = str(self._path)
        self._octets = 0 if data is None else _octets_for(data)
        self._whole_until = 0.0
        """Until when it need not be looked at again, by the monotonic clock."""

    def __str__(self) -> str:
        return str(self._path)

    @property
    def is_whole(self) -> bool:
        """Whether all of it is there, or was a moment ago. Costs next to nothing."""
        now = monotonic()
        if self._path is None or now < self._whole_until:
            return True
        try:
            is_whole = os.stat(self._name).st_size >= self._octets
        except OSError:
            return False
        if is_whole:
            self._whole_until = now + SEEN_SECONDS
        return is_whole

    @property
    def is_short(self) -> bool:
        """Whether the disk looks full: a piece of the reserve is gone, or there is next to nothing beside it."""
        if self._path is None:
            return False
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError:
            return False
        return free < PROBE_BYTES or not self.is_whole

    def give_up(self, octets: int) -> bool:
        """Frees so many *octets* of it, or what is left; whether there was something, and octets are what is short."""
        if self._path is None or not system.has_file_numbers(self._path.parent):
            return False
        self._whole_until = 0.0
        try:
            left = os.stat(self._path).st_size
            if left:
                os.truncate(self._path, max(0, left - octets))
        except OSError:
            return False
        return left > 0

    def refill(self) -> bool:
        """Makes it whole; whether it is now. Blocks for as long as the system takes to find the room."""
        try:
            self.need()
        except (OSError, Refused):
            return False
        return True

    def need(self) -> None:
        """Makes it whole. Raises OSError with the system's reason, Refused: then there is no room for mail either."""
        if self._path is None:
            return
        file = _open(self._path)
        try:
            before = os.fstat(file).st_size
            try:
                _allocate(file, self._octets)
            except OSError as error:
                os.ftruncate(file, before)
                raise OSError(error.errno, os.strerror(error.errno or 0), self._name) from error
        finally:
            os.close(file)

    def has_room(self) -> bool:
        """Whether the disk has room again: for the reserve, and for something more."""
        if self._path is None:
            return True
        if not self.refill():
            return False
        probe = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            file = os.open(probe, os.O_RDWR | os.O_CREAT | system.CLOSE_ON_EXEC, 0o600)
        except OSError:
            return False
        try:
            os.unlink(probe)
            _allocate(file, PROBE_BYTES)
        except OSError:
            return False
        finally:
            os.close(file)
        return True


def _octets_for(directory: Path) -> int:
    try:
        total = shutil.disk_usage(directory).total
    except OSError:
        return RESERVE_BYTES
    return min(RESERVE_BYTES, total // SHARE)


def _open(path: Path) -> int:
    with contextlib.suppress(FileExistsError):
        if not path.exists():
            return files.make_empty(path)
    return os.open(path, os.O_WRONLY | system.CLOSE_ON_EXEC)


def _allocate(file: int, octets: int) -> None:
    """Gives *file* blocks of its own for so many octets. Raises OSError."""
    system.allocate(file, octets)
