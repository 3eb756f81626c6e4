"""Reserved disk space for a full disk: a file that is given up piece by piece, and restored when there is space.

On a full disk, clients must still be able to read mail and to delete some. SQLite needs space for both: for the WAL of
a deletion, and for the WAL-index of every open account. So the data directory has a file of some megabytes with
allocated blocks. Reads and changes that free space may use pieces of it. Changes that need space are refused until the
file is whole again, so they never use space that was given up for something else. All processes on a data directory
share the file, and see by its size whether it is whole.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from time import monotonic

from mektup.store import files, system
from mektup.terms.errors import Refused

RESERVE_BYTES = 8 * 1024 * 1024

SHARE = 4
"""The reserve takes at most one part in so many of a small file system."""

OPENING_BYTES = 64 * 1024
"""The octets given up to open an account: its WAL-index takes half of them."""

FREEING_BYTES = 1024 * 1024
"""The octets given up at a time for a change that frees space."""

PROBE_BYTES = 256 * 1024
"""The disk counts as full unless so many octets are free beside the reserve."""

SEEN_SECONDS = 0.01
"""How long the reserve counts as whole after a check, although another process may give some of it up meanwhile: a
delivery takes as long between the check and its commit."""


class Room(Enum):
    """The effect of a change on the space on the disk."""

    USUAL = auto()
    """It needs little space."""
    GROWS = auto()
    """It adds mail, and is refused while the reserve is not whole."""
    FREES = auto()
    """It frees space, now or by a later change, and may use the reserve."""


@dataclass(frozen=True, slots=True)
class DiskRoom:
    """Space in octets."""

    free: int
    """On the disk, for this user."""
    left: int
    """Of the reserve."""
    whole: int
    """The whole reserve."""


class Reserve:
    """The reserve of one data directory; without a directory, nothing is ever refused or given up."""

    def __init__(self, data: Path | None) -> None:
        self._path = None if data is None else data / "reserve"
        self._name = str(self._path)
        self._octets = 0 if data is None else _octets_for(data)
        self._whole_until = 0.0
        """The time until which no check is needed, by the monotonic clock."""

    def __str__(self) -> str:
        return str(self._path)

    @property
    def is_whole(self) -> bool:
        """Whether all of the reserve exists, or did a moment ago. Costs very little."""
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
        """Whether the disk looks full: a piece of the reserve is gone, or almost nothing is free beside it."""
        if self._path is None:
            return False
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError:
            return False
        return free < PROBE_BYTES or not self.is_whole

    @property
    def is_read_only(self) -> bool:
        """Whether the disk is mounted read-only, as the system does after an error of the disk."""
        return self._path is not None and system.is_read_only(self._path.parent)

    def figures(self) -> DiskRoom | None:
        """The space that there is now; None in memory, or where the system does not tell."""
        if self._path is None:
            return None
        try:
            free = shutil.disk_usage(self._path.parent).free
        except OSError:
            return None
        with contextlib.suppress(OSError):
            return DiskRoom(free, os.stat(self._name).st_size, self._octets)
        return DiskRoom(free, 0, self._octets)

    def give_up(self, octets: int) -> bool:
        """Frees *octets* of the reserve, or the rest. False where nothing is left, or only inodes are short."""
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
        """Restores the reserve; returns whether it is whole. Blocks while the system allocates the space."""
        try:
            self.need()
        except (OSError, Refused):
            return False
        return True

    def need(self) -> None:
        """Restores the reserve. Raises OSError with the system's reason, or Refused: then mail has no space either."""
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
        """Whether the disk has space again: for the reserve, and for some more octets."""
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
    """Allocates disk blocks for the first *octets* octets of *file*. Raises OSError."""
    system.allocate(file, octets)
