"""What a process did to the files below one directory, in order.

A file or directory is an ``Inode`` here, a number that is never used twice: names come and go, and a name's removal is
only on disk after its directory was synced.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NewType

Inode = NewType("Inode", int)

ROOT = Inode(0)
"""The directory with all files of a recording; its own name is taken to be on disk."""


@dataclass(frozen=True, slots=True)
class Write:
    """Octets written to a file."""

    inode: Inode
    offset: int
    octets: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """A file was truncated, or allocated, to *size* octets."""

    inode: Inode
    size: int


@dataclass(frozen=True, slots=True)
class Rename:
    """Some names of a directory changed in one step: created, replaced, or (None) removed."""

    directory: Inode
    names: Mapping[str, Inode | None]


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync of a file or directory has ended: what was done to it before the event number *begun* is on disk.

    If it *failed*, the system treats that as written although it may not be on disk, now or after a later sync.
    """

    inode: Inode
    begun: int
    failed: bool = False


Event = Write | Resize | Rename | Sync


@dataclass(slots=True)
class Recording:
    """The events so far. Append to it with ``lock`` held."""

    events: list[Event] = field(default_factory=list)
    directories: set[Inode] = field(default_factory=lambda: {ROOT})
    lock: threading.RLock = field(default_factory=threading.RLock)
    _last: int = ROOT

    def new_inode(self, *, is_directory: bool = False) -> Inode:
        """The number of a new file or directory."""
        self._last += 1
        inode = Inode(self._last)
        if is_directory:
            self.directories.add(inode)
        return inode

    def begin_after(self, inodes: Iterable[Inode]) -> None:
        """Says that *inodes* are in use."""
        self._last = max((self._last, *inodes))

    def __getstate__(self) -> tuple[list[Event], set[Inode], int]:
        return self.events, self.directories, self._last

    def __setstate__(self, state: tuple[list[Event], set[Inode], int]) -> None:
        self.events, self.directories, self._last = state
        self.lock = threading.RLock()

    def add(self, event: Event) -> None:
        """Appends *event*."""
        self.events.append(event)

    @property
    def now(self) -> int:
        """The number of events so far, which is the number of the next one."""
        return len(self.events)
