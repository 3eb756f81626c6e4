"""The octets between DATA and the line with a dot: where they end, and which dots are not the sender's.

Only CRLF "." CRLF ends a message, never a dot beside a bare LF or CR. A server that is generous here disagrees with
the one before it about where a message ends, and then the body of one can smuggle in another, with an envelope of its
author's choosing ("SMTP smuggling"; RFC 5321 §4.1.1.4 says so, too). A bare LF in the message is another matter: it
stands in the data, no line ends there as far as dots go, and the spool turns it into CRLF.
"""

from __future__ import annotations

_END = b"\r\n.\r\n"


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
        # An end may have begun, up to all but its last octet; hold that back.
        keep = next((count for count in range(len(_END) - 1, 0, -1) if held.endswith(_END[:count])), 0)
        certain = len(held) - keep
        self._held = held[certain:]
        return self._given(held[:certain]), None

    def _given(self, octets: bytes) -> bytes:
        if not octets:
            return octets
        given = octets.replace(b"\r\n.", b"\r\n")[self._to_drop :]
        self._to_drop = 0
        return given
