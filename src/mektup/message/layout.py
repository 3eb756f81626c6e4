"""The positions of a message's parts, in a compact form. Computed at delivery, read by FETCH."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from mektup.message.scan import Part
from mektup.message.scan import Path as Path

Span = tuple[int, int]
"""A range of the message's octets: start, and stop, which is excluded."""


class PartPlace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One part: the positions of its MIME header, its content and, for an embedded message, of that message's body."""

    path: Path
    header_start: int
    content_start: int
    stop: int
    encoding: str
    """Content-Transfer-Encoding in lower case; ``7bit`` if there is none."""
    is_multipart: bool
    body_start: int | None
    """For message/rfc822 (and global): the start of the embedded message's body; its header is before it."""
    decoded_stop: int | None = None
    """For an encoded embedded message: its length after decoding. *body_start* is then a position in that, too."""
    around: Path | None = None
    """If this part is within an encoded message: that message. All offsets are then positions in its decoded octets."""


class _Packed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    size: int
    body_start: int
    parts: tuple[PartPlace, ...]


FEW_PARTS = 16
"""A search through up to this many parts is faster than making a dictionary."""


class Layout:
    """The parts of one message, by path. RFC 9051 §6.4.5.1 says what a path means.

    A message that is not multipart has one part, 1, which is its body.
    """

    __slots__ = ("_by_path", "body_start", "parts", "size")

    def __init__(self, size: int, body_start: int, parts: tuple[PartPlace, ...]) -> None:
        self.size = size
        """Octets of the message."""
        self.body_start = body_start
        """The position after the message's own header, its empty line included."""
        self.parts = parts
        self._by_path: dict[Path, PartPlace] | None = None

    def part(self, path: Path) -> PartPlace | None:
        """The part at *path*; None if there is none, or *path* is empty."""
        if len(self.parts) > FEW_PARTS:
            if self._by_path is None:
                self._by_path = {place.path: place for place in reversed(self.parts)}
            return self._by_path.get(path)
        for place in self.parts:
            if place.path == path:
                return place
        return None

    def whole(self, path: Path) -> Span | None:
        """``BODY[path]``: a part's content, or all of the message for the empty path."""
        if not path:
            return 0, self.size
        place = self.part(path)
        return (place.content_start, place.stop) if place is not None else None

    def header(self, path: Path) -> Span | None:
        """``BODY[path.HEADER]``: the header of the message, or of the one embedded at *path*; with its empty line."""
        if not path:
            return 0, self.body_start
        place = self.part(path)
        if place is None or place.body_start is None:
            return None
        return place.content_start if place.decoded_stop is None else 0, place.body_start

    def text(self, path: Path) -> Span | None:
        """``BODY[path.TEXT]``: the text after that header."""
        if not path:
            return self.body_start, self.size
        place = self.part(path)
        if place is None or place.body_start is None:
            return None
        return place.body_start, place.stop if place.decoded_stop is None else place.decoded_stop

    def encoded_around(self, path: Path, *, inside: bool) -> tuple[PartPlace, ...]:
        """The encoded messages that must be decoded to read the part at *path*, outermost first; usually none.

        *inside*: whether the header or text of the message in that part is read.
        """
        place = self.part(path) if path else None
        is_one = inside and place is not None and place.decoded_stop is not None
        if place is None or (place.around is None and not is_one):
            return ()
        found = [place] if is_one else []
        while place is not None and place.around is not None:
            place = self.part(place.around)
            if place is not None:
                found.append(place)
        return tuple(reversed(found))

    def mime(self, path: Path) -> Span | None:
        """``BODY[path.MIME]``: the part's own header, with its empty line. For part 1 of a message that is not
        multipart, the message's header."""
        place = self.part(path)
        return (place.header_start, place.content_start) if place is not None else None


def pack(parts: Sequence[Part]) -> bytes:
    """The packed layout of a message with these parts, as ``scan`` returns them."""
    message = parts[0]
    places = tuple(_place(part) for part in parts if part.is_numbered)
    return _encode(_Packed(message.stop, message.content_start, places))


def _place(part: Part) -> PartPlace:
    encoding = part.encoding
    return PartPlace(
        part.path,
        part.header_start,
        part.content_start,
        part.stop,
        encoding.decode("latin-1").lower() if encoding else "7bit",
        part.is_multipart,
        part.children[0].content_start if part.is_message else None,
        part.children[0].stop if part.is_encoded else None,
        part.around.path if part.around is not None else None,
    )


def unpack(packed: bytes) -> Layout:
    """The layout from which ``pack`` made *packed*."""
    found = _decode(packed)
    return Layout(found.size, found.body_start, found.parts)


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Packed).decode
