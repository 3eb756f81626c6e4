"""Splits bytes into lines, for the protocols in which a command is one line."""

from __future__ import annotations

from mektup.terms import texts
from mektup.terms.errors import ClientError

LONGEST_END = 3
"""The most octets that ``without_end`` removes: a line whose end did not come yet may be longer by so many."""


def without_end(line: bytes) -> bytes:
    """*line*, whose LF is already removed, without the rest of its line end: at most LONGEST_END octets.

    Liberties: a bare LF ends a line, because netcat and openssl s_client send it. CR CR LF ends a line, because
    s_client -crlf sends it for CRLF. CR NUL CR LF ends a line, because telnet sends it for a CRLF that it reads from a
    pipe (RFC 854: a CR that ends no line is sent as CR NUL).
    """
    if not line.endswith(b"\r"):
        return line
    if line.endswith(b"\r\0\r"):
        return line[:-3]
    return line[:-2] if line.endswith(b"\r\r") else line[:-1]


class LineBuffer:
    """Buffers bytes until they make a line. Holds at most the longest allowed line, and what came in the same read.

    A line ends in CRLF, or in a bare LF, which people send when they type into a raw connection.
    """

    __slots__ = ("_buffer", "_longest", "_skipping")

    def __init__(self, longest: int) -> None:
        """*longest*: the most octets of a line, without its end."""
        self._buffer = bytearray()
        self._longest = longest
        self._skipping = False

    def feed(self, octets: bytes) -> None:
        """Adds bytes as they were received."""
        self._buffer += octets

    def next_line(self) -> bytes | None:
        """The next line without its end; None when more bytes are needed.

        Raises ClientError, once, for a line that is too long; the rest of that line is skipped.
        """
        end = self._buffer.find(b"\n")
        if self._skipping and end >= 0:
            del self._buffer[: end + 1]
            self._skipping = False
            end = self._buffer.find(b"\n")
        if self._skipping:
            self._buffer.clear()
            return None
        if end < 0:
            if len(self._buffer) > self._longest + LONGEST_END:
                self._buffer.clear()
                self._skipping = True
                raise ClientError(texts.LINE_TOO_LONG.of(octets=self._longest))
            return None
        line = without_end(bytes(self._buffer[:end]))
        del self._buffer[: end + 1]
        if len(line) > self._longest:
            raise ClientError(texts.LINE_TOO_LONG.of(octets=self._longest))
        return line

    def take_all(self) -> bytes:
        """All bytes that ``next_line`` has not returned yet; removes them from the buffer."""
        octets = bytes(self._buffer)
        self._buffer.clear()
        return octets

    @property
    def has_buffered(self) -> bool:
        """Whether there are bytes that ``next_line`` has not returned yet."""
        return bool(self._buffer)
