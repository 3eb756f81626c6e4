"""The octets between DATA and the line with a dot: where they end, and which dots are not the sender's.

Only CRLF "." CRLF ends a message, never a dot beside a bare LF or CR. A server that is generous here disagrees with
the one before it about where a message ends, and then the body of one can smuggle in another, with an envelope of its
author's choosing ("SMTP smuggling"; RFC 5321 §2.3.8, §4.1.1.4).

A bare LF in the message is another matter. The spool turns it into CRLF, and clients that send one (Python's smtplib,
given octets) have put a dot before a dot there, too. So after a bare LF two dots become one; a single one, which such
a client never sends, is kept.
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
_BEGINNINGS = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r", b"\n.", b"\n")
"""Of an end, or of a line with a dot that is not the sender's; the longest first."""
_STUFFED = re.compile(rb"(\r\n)\.|((?<!\r)\n)\.(?=\.)")


class Unstuffer:
    """Takes DATA's octets in any pieces; gives the message's, RFC 5321 §4.5.2."""

    __slots__ = ("_held", "_to_drop")

    def __init__(self) -> None:
        # The message starts after the CRLF of the command DATA, so a dot at once is a line's first.
        self._held = b"\r\n"
        self._to_drop = 2

    def take(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """The octets of the message that are certain by now; and, when it is over, what came after it, else None."""
        held = self._held + octets
        end = held.find(_END)
        if end >= 0:
            return self._given(held[: end + 2]), held[end + len(_END) :]
        # Hold back what cannot be told yet.
        keep = next((len(beginning) for beginning in _BEGINNINGS if held.endswith(beginning)), 0)
        certain = len(held) - keep
        self._held = held[certain:]
        return self._given(held[:certain]), None

    def _given(self, octets: bytes) -> bytes:
        if not octets:
            return octets
        unstuffed = _STUFFED.sub(rb"\1\2", octets) if b"\n." in octets else octets
        given = unstuffed[self._to_drop :]
        self._to_drop = 0
        return given
