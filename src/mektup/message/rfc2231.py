"""Parameters that are split into pieces, or have their own charset: RFC 2231 §3 and §4.

Any parameter may have these forms. Parameters for MIME readers (boundary, charset, format ...) are ASCII, so they are
returned decoded, by their plain names: "boundary*0*=us-ascii''%3D_; boundary*1*=b1" gives the boundary "=_b1".
Parameters for people, such as a file name, are joined and keep their charset ("filename*"), for the clients that
decode them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from operator import attrgetter
from typing import NamedTuple

from mektup.message.charsets import decode
from mektup.message.headers import decode_words

Params = tuple[tuple[bytes, bytes], ...]
"""Names and values, unquoted."""

FILE_NAMES = frozenset({b"name", b"filename"})
"""The parameters that contain a file name, in lower case."""

_PIECE = re.compile(rb"([^*]+)\*(?:([0-9]{1,4})(\*?))?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PRINTABLE = re.compile(rb"[\x20-\x7e]+")


_WHOLE = -1
"""The number of a piece without a number, which is the whole value."""


class _Piece(NamedTuple):
    number: int
    is_extended: bool
    """Whether it is percent-encoded."""
    name: bytes
    """The name as written, with its asterisks."""
    value: bytes


def joined(params: Sequence[tuple[bytes, bytes]]) -> Params:
    """*params* with their pieces joined, after the parameters in plain form.

    If a parameter has both forms, only the joined one is returned; the plain form is for old readers. In the same way,
    a value in one piece ("filename*=") replaces numbered pieces.
    """
    whole: list[tuple[bytes, bytes]] = []
    pieces: dict[bytes, list[_Piece]] = {}
    for name, value in params:
        match = _PIECE.fullmatch(name)
        if match is None:
            whole.append((name, value))
        else:
            is_extended = match[2] is None or match[3] == b"*"
            number = _WHOLE if match[2] is None else int(match[2])
            pieces.setdefault(match[1].lower(), []).append(_Piece(number, is_extended, name, value))
    put_together: list[tuple[bytes, bytes]] = []
    for key in sorted(pieces):
        parts = sorted(pieces[key], key=_number)
        first = parts[0].number
        if first == _WHOLE:
            put_together.append(_one(key, parts[:1]))
        elif first <= 1 and [part.number for part in parts] == list(range(first, first + len(parts))):
            put_together.append(_one(key, parts))
        else:  # a piece is missing, or occurs twice
            put_together.extend((part.name, part.value) for part in parts)
    plain = {name.lower() for name, _ in put_together}
    return (*((name, value) for name, value in whole if name.lower() not in plain), *put_together)


_number = attrgetter("number")


def _one(key: bytes, parts: Sequence[_Piece]) -> tuple[bytes, bytes]:
    """The parameter that consists of these pieces; *key* is its name in lower case."""
    name = parts[0].name.partition(b"*")[0]
    if not any(part.is_extended for part in parts):
        return name, b"".join(part.value for part in parts)
    # RFC 2231 §4.1: pieces with and without percent encoding may be mixed; the joined value is then encoded.
    value = b"".join(part.value if part.is_extended else part.value.replace(b"%", b"%25") for part in parts)
    if not parts[0].is_extended:
        value = b"''" + value
    if key not in FILE_NAMES:
        plain = _decoded(value).encode()
        if _PRINTABLE.fullmatch(plain):
            return name, plain
    return name + b"*", value


def _decoded(value: bytes) -> str:
    """The text of *value*, which has the form ``charset'language'text``."""
    charset, _, text = value.partition(b"'")
    _, quote, text = text.partition(b"'")
    if not quote:  # there is neither charset nor language
        charset, text = b"", value
    return decode(_PERCENT.sub(lambda match: bytes.fromhex(match[1].decode()), text), charset)


def param_texts(params: Params) -> list[str]:
    """The values of *params* as text, decoded if they have their own charset."""
    return [_decoded(value) if name.endswith(b"*") else decode_words(value) for name, value in params]
