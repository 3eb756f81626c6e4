"""The octets of a message as a file has them: with LF at the ends of lines, and with "From " lines quoted."""

from __future__ import annotations

import re
from typing import Final

_LINE_END: Final = re.compile(rb"(?<!\r)\r\n")
_FROM: Final = re.compile(rb"(?m)^(>*From )")

_LONGEST_LINE: Final = 1024 * 1024


def with_lf(octets: bytes) -> bytes:
    """*octets*, whole lines, with LF for each CRLF.

    A CR before a CRLF would make one with the LF, so there the CRLF stays: then reading gives the same octets again.
    """
    return _LINE_END.sub(b"\n", octets)


class Lines:
    """Makes pieces that end with a line of pieces of any size, so that nothing that is looked for is split."""

    def __init__(self, *, quoted: bool) -> None:
        """With *quoted*, each line that begins with "From ", or with ">" before it, gets one more ">" (mboxrd)."""
        self._quoted = quoted
        self._left = b""
        self._within_line = False
        """Whether the last piece ended in the middle of a very long line."""

    def feed(self, octets: bytes) -> bytes:
        """The lines that are complete now, as the file has them."""
        self._left += octets
        end = self._left.rfind(b"\n") + 1
        if end == 0 and len(self._left) < _LONGEST_LINE:
            return b""
        if end == 0:
            end = len(self._left) - 2  # a CR CR LF must not be split
        piece, self._left = self._left[:end], self._left[end:]
        return self._made(piece)

    def finish(self) -> bytes:
        """The rest; ready for the next message."""
        piece, self._left = self._left, b""
        made = self._made(piece)
        self._within_line = False
        return made

    def _made(self, piece: bytes) -> bytes:
        first = b""
        if self._within_line:
            first, newline, piece = piece.partition(b"\n")
            first += newline
        if piece:
            self._within_line = not piece.endswith(b"\n")
        elif first:
            self._within_line = not first.endswith(b"\n")
        if self._quoted:
            piece = _FROM.sub(rb">\1", piece)
        return with_lf(first) + with_lf(piece)
