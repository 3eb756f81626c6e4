"""A message as a multi-line response: dots stuffed, cut for TOP, in pieces of bounded size (RFC 1939 §3, §7)."""

from __future__ import annotations


class Stuffer:
    """Takes a message's octets in any pieces; gives what goes on the wire.

    Holds the last piece back until it is known to be the last, so that the end leaves together with the last line:
    Thunderbird has taken a lone ``.`` in a packet of its own for a part of the message.
    """

    __slots__ = ("_held", "_tail")

    def __init__(self) -> None:
        self._held = b""
        self._tail = b"\r\n"
        """The last two octets so far; a message starts at the beginning of a line."""

    def take(self, octets: bytes) -> bytes:
        """The piece before *octets*, ready to be sent; empty at first."""
        if not octets:
            return b""
        given, seen = self._held, self._tail + octets
        self._held = seen.replace(b"\r\n.", b"\r\n..")[len(self._tail) :]
        self._tail = seen[-2:]
        return given

    def finish(self) -> bytes:
        """The last piece, and the end."""
        # RFC 1939 §3: the end is CRLF "." CRLF, so a last line without CRLF is given one.
        return self._held + (b".\r\n" if self._tail == b"\r\n" else b"\r\n.\r\n")


class TopCutter:
    """Takes a message's octets in any pieces; gives its header, the empty line, and some lines of its body."""

    __slots__ = ("_in_body", "_lines", "_tail", "is_done")

    def __init__(self, lines: int) -> None:
        """*lines* of the body."""
        self._lines = lines
        self._in_body = False
        self._tail = b"\r\n"
        """The last octets so far, as many as an end of the header could begin with."""
        self.is_done = False
        """Whether there is nothing more to be given, however much comes."""

    def take(self, octets: bytes) -> bytes:
        """What of *octets* belongs to the answer."""
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
