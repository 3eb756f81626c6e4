"""Where the parts of a message are, packed small: computed at delivery, read by FETCH."""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[int, ...]
"""Part numbers, outermost first; empty for the message itself."""

Span = tuple[int, int]
"""Octets of the message from start to stop, stop excluded."""


@dataclass(frozen=True, slots=True)
class PartPlace:
    """One part: its MIME header, its content, and for an embedded message where that one's body starts."""

    path: Path
    header_start: int
    content_start: int
    stop: int
    encoding: str
    """Content-Transfer-Encoding in lower case; ``7bit`` where there is none."""
    is_multipart: bool
    body_start: int | None
    """For message/rfc822 (and global): where the body of the embedded message starts; its header is before it."""


class Layout:
    """The parts of one message, by path. RFC 9051 §6.4.5.1 says what a path means.

    A message that is not multipart has one part, 1, which is its body.
    """

    def part(self, path: Path) -> PartPlace | None:
        """The part at *path*, None where there is none (or for the empty path)."""
        raise NotImplementedError

    def whole(self, path: Path) -> Span | None:
        """``BODY[path]``: a part's content, or all of the message for the empty path."""
        raise NotImplementedError

    def header(self, path: Path) -> Span | None:
        """``BODY[path.HEADER]``: of the message, or of the message embedded at *path*; empty line included."""
        raise NotImplementedError

    def text(self, path: Path) -> Span | None:
        """``BODY[path.TEXT]``: what follows that header."""
        raise NotImplementedError

    def mime(self, path: Path) -> Span | None:
        """``BODY[path.MIME]``: the part's own header, empty line included. For part 1 of a message that is not
        multipart, the message's header."""
        raise NotImplementedError


def unpack(packed: bytes) -> Layout:
    """The layout that ``pack`` made *packed* of."""
    raise NotImplementedError
