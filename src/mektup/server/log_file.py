"""A log file that may be renamed or removed while it is written, as logrotate does: no signal is needed."""

from __future__ import annotations

import os
from pathlib import Path

from mektup.store import system


class LogFile:
    """The file of one path. Several processes may write to it, each with a LogFile of its own."""

    def __init__(self, path: Path) -> None:
        """Opens nothing yet."""
        self._path = str(path)
        self._descriptor = -1

    def descriptor(self) -> int:
        """A descriptor of the file that has the path now; makes the file if there is none. Raises OSError."""
        if self._descriptor >= 0:
            now = os.fstat(self._descriptor)
            try:
                there = os.stat(self._path)
            except FileNotFoundError:
                pass
            else:
                if (there.st_dev, there.st_ino) == (now.st_dev, now.st_ino):
                    return self._descriptor
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | system.CLOSE_ON_EXEC, 0o600)
        self.close()
        self._descriptor = opened
        return opened

    def close(self) -> None:
        """Closes the descriptor; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
