"""Encodes the binary parts of a message in base64 (RFC 3516 §4.4, §6).

A part with ``Content-Transfer-Encoding: binary`` may have any octets. Only BINARY can send them unchanged; BODY sends a
message in lines of CRLF, without NUL. So a part that is not such text is encoded as it is stored: BODYSTRUCTURE and
BODY then describe it in the same way, and BINARY decodes it to the octets that were appended.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from collections.abc import Iterator
from typing import Final

from mektup.message.scan import Octets, Part, scan
from mektup.terms.limits import DEFAULT_LIMITS, Limits

_FIELD: Final = re.compile(
    rb"^content-transfer-encoding[ \t]*:[^\n]*\n(?:[ \t][^\n]*\n)*", re.IGNORECASE | re.MULTILINE
)
_BASE64: Final = b"Content-Transfer-Encoding: base64\r\n"
_EIGHT_BIT: Final = b"Content-Transfer-Encoding: 8bit\r\n"

_PIECE_BYTES: Final = 57 * 4096
"""A line of base64 holds 57 octets."""


def without_binary(raw: Octets, limits: Limits = DEFAULT_LIMITS) -> Iterator[bytes]:
    """The message *raw* in pieces, its binary parts encoded; unchanged where it has none."""
    position = 0
    for start, stop, octets in _changes(raw, scan(raw, limits)):
        yield from _copied(raw, position, start)
        if octets is None:
            yield from _encoded(raw, start, stop)
        else:
            yield octets
        position = stop
    yield from _copied(raw, position, len(raw))


def _changes(raw: Octets, parts: list[Part]) -> list[tuple[int, int, bytes | None]]:
    """What changes, ascending: a span, and the octets to put there; None to encode it."""
    binary = [part for part in parts if part.source is None and (part.encoding or b"").lower() == b"binary"]
    leaves = [each for each in binary if not each.children and not _is_text(raw, each.content_start, each.stop)]
    if not leaves:
        return []
    changes: list[tuple[int, int, bytes | None]] = []
    for part in binary:
        # RFC 2045 §6.4: a part that holds others can be binary, 8bit or 7bit only, and none of its parts is binary now
        field = _FIELD.search(raw[part.header_start : part.content_start])
        if field is None or not (part.children or part in leaves):
            continue
        start = part.header_start
        changes.append((start + field.start(), start + field.end(), _EIGHT_BIT if part.children else _BASE64))
        if not part.children:
            changes.append((part.content_start, part.stop, None))
    return sorted(changes, key=lambda change: change[:2])


def _is_text(raw: Octets, start: int, stop: int) -> bool:
    """Whether the octets are lines that end in CRLF, without NUL."""
    before = b""
    for piece in _copied(raw, start, stop):
        lines = piece.count(b"\r\n") + (before == b"\r" and piece.startswith(b"\n"))
        pending = piece.endswith(b"\r")
        if b"\0" in piece or piece.count(b"\n") != lines:
            return False
        if piece.count(b"\r") - pending != piece.count(b"\r\n") or (before == b"\r" and not piece.startswith(b"\n")):
            return False
        before = piece[-1:]
    return before != b"\r"


def _copied(raw: Octets, start: int, stop: int) -> Iterator[bytes]:
    for at in range(start, stop, _PIECE_BYTES):
        yield raw[at : min(at + _PIECE_BYTES, stop)]


def _encoded(raw: Octets, start: int, stop: int) -> Iterator[bytes]:
    """Lines of base64, without the CRLF after the last one."""
    first = True
    for piece in _copied(raw, start, stop):
        lines = encodebytes(piece).rstrip(b"\n").replace(b"\n", b"\r\n")
        yield lines if first else b"\r\n" + lines
        first = False
