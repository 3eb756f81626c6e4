"""When the commits of a file became visible: others can read a change before it is on disk."""

from __future__ import annotations

import os
from pathlib import Path

from reliability.disk.layer import Layer

_COUNTER = slice(8, 12)
"""In the header of the WAL-index: every commit increments it."""


class Commits:
    """Follows one file at a time, by the header of its WAL-index, which is read after each event."""

    def __init__(self, layer: Layer) -> None:
        self._layer = layer
        self._path = ""
        self._last = b""
        self._seen: list[int] = []
        self._files: dict[int, int] = {}
        """Descriptors by inode; they stay open, because closing one would release SQLite's locks."""
        layer.after = self._look

    def follow(self, database: Path) -> None:
        """Follows *database* from now on."""
        with self._layer.recording.lock:
            self._path = f"{database}-shm"
            self._seen = []
            self._last = b""
            self._last = self._counter()

    def seen(self) -> list[int]:
        """The number of the event from which each commit since ``follow`` was visible; ends following."""
        with self._layer.recording.lock:
            self._look()
            self._path = ""
            return self._seen

    def _look(self) -> None:
        if not self._path:
            return
        now = self._counter()
        if now != self._last:
            if self._last:  # else the file was just opened
                self._seen.append(self._layer.recording.now)
            self._last = now

    def _counter(self) -> bytes:
        try:
            inode = os.stat(self._path).st_ino
            file = self._files.get(inode)
            if file is None:
                file = self._files[inode] = os.open(self._path, os.O_RDONLY)
        except OSError:
            return self._last
        return os.pread(file, 48, 0)[_COUNTER] or self._last

    def close(self) -> None:
        """Closes the descriptors, after all connections."""
        for file in self._files.values():
            os.close(file)
        self._files.clear()
