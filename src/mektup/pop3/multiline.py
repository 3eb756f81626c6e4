"""A message as a multi-line response: dots stuffed, cut for TOP, in pieces of bounded size (RFC 1939 §3, §7)."""

from __future__ import annotations


class Stuffer:
    """Takes a message in pieces of any size; returns its octets on the wire.

    Holds each piece back until the next one, so that the final dot is sent together with the last line: Thunderbird has
    taken a ``.`` that came alone in a packet for a part of the message.
    """

    __slots__ = ("_held", "_tail")

    def __init__(self) -> None:
        self._held = b""
        self._tail = b"\r\n"
        """The last two octets so far; a message starts at the beginning of a line."""

    def take(self, octets: bytes) -> bytes:
        """Returns the piece before *octets*, ready to send; empty at first."""
        if not octets:
            return b""
        given, seen = self._held, self._tail + octets
        self._held = seen.replace(b"\r\n.", b"\r\n..")[len(self._tail) :]
        self._tail = seen[-2:]
        return given

    def finish(self) -> bytes:
        """The last piece and the final dot."""
        # RFC 1939 §3: the end is CRLF "." CRLF, so CRLF is added to a last line without it.
        return self._held + (b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n")


class TopCutter:
    """Takes a message in pieces of any size; returns its header, the empty line, and some lines of its body."""

    __slots__ = ("_in_body", "_lines", "_tail", "is_done")

    def __init__(self, lines: int) -> None:
        """*lines*: how many lines of the body to return."""
        self._lines = lines
        self._in_body = False
        self._tail = b"\r\n"
        """The last octets so far, which may begin the end of the header."""
        self.is_done = False
        """Whether all that was asked for has been returned."""

    def take(self, octets: bytes) -> bytes:
        """The part of *octets* that belongs to the answer."""
        if self.is_done:
            return b""
        if self._in_body:
            return octets[: self._body_stop(octets, 0)]
        seen = self._tail + octets
        end = seen.find(b"\r\n\r\n")
        if end < 0:
            self._tail = seen[-3:]
            return octets
        self._in_body = True
        start = end + 4 - len(self._tail)
        return octets[: self._body_stop(octets, start)]

    def _body_stop(self, octets: bytes, start: int) -> int:
        while self._lines:
            end = octets.find(b"\n", start)
            if end < 0:
                return len(octets)
            start = end + 1
            self._lines -= 1
        self.is_done = True
        return start
