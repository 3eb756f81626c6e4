"""Parameters that come in pieces, or in a charset of their own: RFC 2231 §3 and §4.

Any parameter may be so. What a reader of MIME needs to know (boundary, charset, format ...) is ASCII, and so it is
shown as what it stands for, by its plain name: "boundary*0*=us-ascii''%3D_; boundary*1*=b1" is a boundary "=_b1". What
people read, a file's name or other text, is put together and keeps its charset beside it ("filename*"), for the clients
that decode it.
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
"""The parameters, in lower case, that are the name of a file."""

_PIECE = re.compile(rb"([^*]+)\*(?:([0-9]{1,4})(\*?))?")
_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")
_PRINTABLE = re.compile(rb"[\x20-\x7e]+")


_WHOLE = -1
"""The number of a piece that is all of the value: it has none."""


class _Piece(NamedTuple):
    number: int
    is_extended: bool
    """Whether it is percent-encoded."""
    name: bytes
    """As it is written."""
    value: bytes


def joined(params: Sequence[tuple[bytes, bytes]]) -> Params:
    """*params* with pieces put together, behind those that came whole.

    A parameter that comes whole and in this form, too, is there once, in this form: the other is for old readers. So
    are the pieces of one that is there in one piece ("filename*=").
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
        else:  # some piece is missing, or there twice
            put_together.extend((part.name, part.value) for part in parts)
    plain = {name.lower() for name, _ in put_together}
    return (*((name, value) for name, value in whole if name.lower() not in plain), *put_together)


_number = attrgetter("number")


def _one(key: bytes, parts: Sequence[_Piece]) -> tuple[bytes, bytes]:
    """The parameter of these pieces; *key* is its name in lower case."""
    name = parts[0].name.partition(b"*")[0]
    if not any(part.is_extended for part in parts):
        return name, b"".join(part.value for part in parts)
    # RFC 2231 §4.1: pieces with and without percent encoding may be mixed; the whole then has it.
    value = b"".join(part.value if part.is_extended else part.value.replace(b"%", b"%25") for part in parts)
    if not parts[0].is_extended:
        value = b"''" + value
    if key not in FILE_NAMES:
        plain = _decoded(value).encode()
        if _PRINTABLE.fullmatch(plain):
            return name, plain
    return name + b"*", value


def _decoded(value: bytes) -> str:
    """What *value*, ``charset'language'text``, stands for."""
    charset, _, text = value.partition(b"'")
    _, quote, text = text.partition(b"'")
    if not quote:  # neither charset nor language is there
        charset, text = b"", value
    return decode(_PERCENT.sub(lambda match: bytes.fromhex(match[1].decode()), text), charset)


def param_texts(params: Params) -> list[str]:
    """What *params* stand for: the values, decoded where they have a charset of their own."""
    return [_decoded(value) if name.endswith(b"*") else decode_words(value) for name, value in params]
