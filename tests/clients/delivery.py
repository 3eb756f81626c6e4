"""A delivery command for clients that pass fetched messages to a program: it collects them in one file."""

from __future__ import annotations

from pathlib import Path

SEPARATOR = "\n=== end of message ===\n"


class DeliveryCommand:
    """A program at *path* that appends its standard input to a file."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "deliver"
        self._file = folder / "delivered"
        self.path.write_text(f"#!/bin/sh\ncat >> {self._file}\nprintf '{SEPARATOR}' >> {self._file}\n")
        self.path.chmod(0o755)

    @property
    def delivered(self) -> list[bytes]:
        """The messages so far, in order, from their From field on, because clients add fields above it.

        Line ends are LF, and those at the end of a message are removed, because clients differ there, too.
        """
        messages = self._file.read_bytes().replace(b"\r\n", b"\n").split(SEPARATOR.encode())
        return [raw[raw.index(b"From: Ada") :].rstrip(b"\n") for raw in messages[:-1]]


def as_handed_over(raw: bytes) -> bytes:
    """*raw* in the form that ``delivered`` returns."""
    return raw.replace(b"\r\n", b"\n").rstrip(b"\n")
