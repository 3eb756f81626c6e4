"""Bytes in, lines out: for the protocols in which a command is a line and nothing more."""

from __future__ import annotations

from mektup.terms.errors import ClientError


def without_end(line: bytes) -> bytes:
    """*line*, from which the LF is off already, without the rest of its end.

    Liberties: a bare LF ends a line, as netcat and openssl s_client send it; so does CR CR LF, which s_client -crlf
    makes of a CRLF, and CR NUL CR LF, which telnet makes of one that it reads from a pipe (RFC 854: a CR that ends no
    line is sent as CR NUL).
    """
    if not line.endswith(b"\r"):
        return line
    return line.removesuffix(b"\r\0\r").rstrip(b"\r")


class LineBuffer:
    """Holds what came until it makes a line; never more than the longest line that may be, and what came with it.

    A line ends in CRLF, or in a bare LF, which people who type it into a raw connection send.
    """

    __slots__ = ("_buffer", "_longest", "_skipping")

    def __init__(self, longest: int) -> None:
        """*longest*: octets that a line may have without its end."""
        self._buffer = bytearray()
        self._longest = longest
        self._skipping = False

    def feed(self, octets: bytes) -> None:
        """Takes bytes as they came."""
        self._buffer += octets

    def next_line(self) -> bytes | None:
        """The next line without its end; None when more bytes are needed.

        Raises ClientError, once, for a line that is too long; the rest of it is passed over.
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
            if len(self._buffer) > self._longest + 1:
                self._buffer.clear()
                self._skipping = True
                raise ClientError(f"A line may have at most {self._longest} octets")
            return None
        line = without_end(bytes(self._buffer[:end]))
        del self._buffer[: end + 1]
        if len(line) > self._longest:
            raise ClientError(f"A line may have at most {self._longest} octets")
        return line

    def take_all(self) -> bytes:
        """What came and made no line yet, or none that was asked for; it is no longer held here."""
        octets = bytes(self._buffer)
        self._buffer.clear()
        return octets

    @property
    def has_buffered(self) -> bool:
        """Whether bytes are held that no line has covered yet."""
        return bool(self._buffer)
