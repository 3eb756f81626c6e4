"""The octets between DATA and the final dot: finds the end of the message, and removes stuffed dots.

Only CRLF "." CRLF ends a message, never a dot next to a bare LF or CR. A server that is more liberal may disagree with
the server before it about where a message ends. Then the body of one message can smuggle in another message, with a
forged envelope ("SMTP smuggling"; RFC 5321 §2.3.8, §4.1.1.4).

A bare LF inside the message is another matter. The spool turns it into CRLF. A client that sends bare LFs (Python's
smtplib, given octets) stuffs dots after these, too. So after a bare LF, two dots become one. A single dot, which such a
client never sends, is kept.
"""

from __future__ import annotations

import re

_END = b"\r\n.\r\n"
_BEGINNINGS = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r", b"\n.", b"\n")
"""Beginnings of an end, or of a line with a stuffed dot; the longest first."""
_STUFFED = re.compile(rb"(\r\n)\.|((?<!\r)\n)\.(?=\.)")


class Unstuffer:
    """Takes the octets after DATA in pieces of any size; returns the octets of the message (RFC 5321 §4.5.2)."""

    __slots__ = ("_held", "_to_drop")

    def __init__(self) -> None:
        # The message starts after the CRLF of the command DATA, so a dot as its first octet begins a line.
        self._held = b"\r\n"
        self._to_drop = 2

    def take(self, octets: bytes) -> tuple[bytes, bytes | None]:
        """The octets of the message that are certain so far, and what came after its end; None if it has not ended."""
        held = self._held + octets
        end = held.find(_END)
        if end >= 0:
            return self._given(held[: end + 2]), held[end + len(_END) :]
        # Hold back octets whose meaning depends on what follows.
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
