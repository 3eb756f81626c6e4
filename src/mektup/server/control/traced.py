"""A connection whose session is followed.

Following costs nothing where nobody follows: a followed connection gets another class, in which ``write`` tells of what
it sends. Both classes have the same attributes, so the connection stays the same object.
"""

from __future__ import annotations

from mektup.server.connection import Connection


class TracedConnection(Connection):
    """A Connection that tells ``answered`` what it sends."""

    __slots__ = ()

    def write(self, octets: bytes) -> None:
        """As Connection.write."""
        super().write(octets)
        if self.answered is not None:
            self.answered(octets)
