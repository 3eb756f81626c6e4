"""Netstrings, in which Postfix's socketmap protocol speaks: a number of octets, a colon, the octets, a comma."""

from __future__ import annotations

from mektup.mta import texts
from mektup.terms.errors import ClientError

MOST_DIGITS = 9


class NetstringBuffer:
    """Buffers bytes until they make a netstring."""

    __slots__ = ("_buffer", "_longest")

    def __init__(self, longest: int) -> None:
        """*longest*: the most octets of a string."""
        self._buffer = bytearray()
        self._longest = longest

    def feed(self, octets: bytes) -> None:
        """Adds bytes as they were received."""
        self._buffer += octets

    def next(self) -> bytes | None:
        """The next string; None when more bytes are needed. Raises ClientError, after which the stream is unusable."""
        colon = self._buffer.find(b":", 0, MOST_DIGITS + 1)
        if colon < 0:
            if len(self._buffer) > MOST_DIGITS or (self._buffer and not self._buffer.isdigit()):
                raise ClientError(texts.NETSTRING_EXPECTED)
            return None
        digits = bytes(self._buffer[:colon])
        if not digits.isdigit() or int(digits) > self._longest:
            raise ClientError(texts.NETSTRING_EXPECTED)
        end = colon + 1 + int(digits)
        if len(self._buffer) <= end:
            return None
        if self._buffer[end] != ord(","):
            raise ClientError(texts.NETSTRING_EXPECTED)
        found = bytes(self._buffer[colon + 1 : end])
        del self._buffer[: end + 1]
        return found


def netstring(octets: bytes) -> bytes:
    """*octets* as a netstring."""
    return b"%d:%b," % (len(octets), octets)
