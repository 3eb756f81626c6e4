"""Compares a response with the expected one, and finds where they first differ.

``$name`` stands for a word or a quoted string: its first match binds it, and later ones must be equal. ``$...`` is
the rest, literals included. Everything else must be equal octet for octet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.support.transcript import Piece

_NAME = re.compile(rb"\$(\.\.\.|[a-z][a-z0-9]*)")
_WORD = re.compile(rb'"[^"]*"|[^][ ()"\r\n]+')


@dataclass(frozen=True, slots=True)
class Matched:
    """They are equal; *bound* are the names that got a value."""

    bound: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Differs:
    """They differ; *at* is the first different octet, counted from 0; *expected* is the whole expected response."""

    at: int
    expected: bytes


def match(pieces: tuple[Piece, ...], came: bytes, bound: Mapping[str, bytes]) -> Matched | Differs:
    """Compares a response, without its last CRLF, with the expected one."""
    new: dict[str, bytes] = {}
    shown = _flat(pieces)
    at = 0
    for kind, value in _tokens(pieces):
        if kind == "rest":
            return Matched(new)
        known = value if kind == "octets" else bound.get(value.decode(), new.get(value.decode()))
        if known is None:
            word = _WORD.match(came, at)
            if word is None:
                return Differs(at, shown)
            new[value.decode()] = known = word[0]
        if not came.startswith(known, at):
            return Differs(at + _common(came[at:], known), shown)
        at += len(known)
    return Matched(new) if at == len(came) else Differs(at, shown)


def fill(text: bytes, bound: Mapping[str, bytes]) -> bytes:
    """*text* with the values of the bound names; other words with ``$`` (``$Junk``, ``Pa$$123``) stay as they are."""
    return _NAME.sub(lambda found: bound.get(found[1].decode(), found[0]), text)


def _tokens(pieces: tuple[Piece, ...]) -> Iterator[tuple[str, bytes]]:
    for piece in pieces:
        start = 0
        for found in _NAME.finditer(piece.text):
            if found.start() > start:
                yield "octets", piece.text[start : found.start()]
            if found[1] == b"...":
                yield "rest", b""
                return
            yield "name", found[1]
            start = found.end()
        yield "octets", piece.text[start:] + announced(piece)


def announced(piece: Piece) -> bytes:
    """The literal of *piece* as a server sends it, with its ``{n}``."""
    return b"" if piece.literal is None else b"{%d}\r\n%b" % (len(piece.literal), piece.literal)


def _flat(pieces: tuple[Piece, ...]) -> bytes:
    return b"".join(piece.text + announced(piece) for piece in pieces)


def _common(one: bytes, other: bytes) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
