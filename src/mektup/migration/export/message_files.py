"""Writes each message into a file of its own: first under another name, so that no half of a message looks whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from mektup.migration.export.folders import new_file
from mektup.migration.export.octets import Lines


class MessageFile:
    """Writes one message after the other."""

    def __init__(self, temporary: Path, *, keeps_crlf: bool) -> None:
        """*temporary*: the path of the message that is being written. With *keeps_crlf*, lines end as they do here."""
        self._temporary = temporary
        self._lines = None if keeps_crlf else Lines(quoted=False)
        self._file: BinaryIO | None = None

    def begin(self) -> None:
        """Raises OSError and Refused, as the other methods."""
        self.cancel()
        self._file = new_file(self._temporary)

    def write(self, octets: bytes) -> None:
        """Writes the next octets."""
        assert self._file is not None
        self._file.write(octets if self._lines is None else self._lines.feed(octets))

    def size(self) -> int:
        """Writes what is left, and returns the size of the file in octets."""
        assert self._file is not None
        if self._lines is not None:
            self._file.write(self._lines.finish())
        return self._file.tell()

    def end(self, path: Path, internaldate: int) -> None:
        """Gives the message its place, and the file its date, in seconds since 1970 UTC."""
        assert self._file is not None
        with self._file as file:
            file.flush()
            os.utime(file.fileno(), (internaldate, internaldate))
        self._file = None
        os.rename(self._temporary, path)

    def cancel(self) -> None:
        """Removes what was written of a message; does nothing where none is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None
            if self._lines is not None:
                self._lines.finish()
            self._temporary.unlink(missing_ok=True)
