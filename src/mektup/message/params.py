"""Content-Type, Content-Disposition and their like: a value, then parameters (RFC 2045 §5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mektup.message.comments import without_comments
from mektup.message.headers import unfold

Params = tuple[tuple[bytes, bytes], ...]
"""Names and values as they are written, unquoted; pieces of RFC 2231 §3 are put together, but not decoded."""


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type, in the case of letters that it came in."""

    type: bytes
    subtype: bytes
    params: Params = ()

    @property
    def essence(self) -> bytes:
        """``text/plain``, in lower case."""
        return b"%b/%b" % (self.type.lower(), self.subtype.lower())

    def param(self, name: bytes) -> bytes | None:
        """The value of the parameter *name* (lower case), None where there is none."""
        for param, value in self.params:
            if param.lower() == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Disposition:
    """Content-Disposition (RFC 2183)."""

    kind: bytes
    params: Params = ()


TEXT_PLAIN = ContentType(b"text", b"plain")
MESSAGE_RFC822 = ContentType(b"message", b"rfc822")
OPAQUE = ContentType(b"application", b"octet-stream")
"""What is not looked into."""

# token of RFC 2045 §5.1: any character but space, controls and tspecials; 8-bit ones come in practice.
_TOKEN = rb"[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]+"
_TYPE = re.compile(rb"[ \t]*(%b)[ \t]*/[ \t]*(%b)" % (_TOKEN, _TOKEN))
_VALUE = re.compile(rb"[ \t]*(%b)" % _TOKEN)
# Clients leave out quotes that RFC 2045 asks for (``boundary=a=b``, ``name=my file.txt``), so more than that is read.
_PARAM = re.compile(rb';[ \t]*(%b)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^;"]*))' % _TOKEN, re.DOTALL)
_CACHED_BYTES = 50
_FILE_NAMES = frozenset({b"name", b"filename"})
_PIECE = re.compile(rb"([^*]+)\*(?:([0-9]{1,4})(\*?))?")
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def parse_content_type(value: bytes) -> ContentType | None:
    """The media type of a Content-Type *value*, folded or not; None where it is none that RFC 2045 §5.1 would know."""
    # Most mail says one of a few things; what is long, such as a boundary, is said once.
    return _cached_content_type(value) if len(value) <= _CACHED_BYTES else _read_content_type(value)


def _read_content_type(value: bytes) -> ContentType | None:
    value = _plain(value)
    match = _TYPE.match(value)
    if match is None:
        return None
    return ContentType(match[1], match[2], _params(value[match.end() :]))


_cached_content_type = lru_cache(maxsize=512)(_read_content_type)


def parse_disposition(value: bytes) -> Disposition | None:
    """The disposition of a Content-Disposition *value*; None where there is none in it."""
    value = _plain(value)
    match = _VALUE.match(value)
    if match is None:
        return None
    return Disposition(match[1], _params(value[match.end() :]))


def parse_token(value: bytes) -> bytes | None:
    """The one token that is all of *value*, comments apart; None where it is something else."""
    value = _plain(value)
    match = _VALUE.fullmatch(value.rstrip(b" \t"))
    return match[1] if match else None


def parse_languages(value: bytes) -> tuple[bytes, ...]:
    """The tags of a Content-Language *value* (RFC 3282 §2)."""
    found = (_VALUE.match(tag) for tag in _plain(value).split(b","))
    return tuple(match[1] for match in found if match)


def _plain(value: bytes) -> bytes:
    """Unfolded, without comments."""
    value = unfold(value)
    return without_comments(value) if b"(" in value else value


def _params(rest: bytes) -> Params:
    if not rest:
        return ()
    # Some software forgets the first semicolon.
    params = [
        (name, _QUOTED_PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted or _bare(name, bare))
        for name, quoted, bare in _PARAM.findall(b";" + rest)
    ]
    if any(b"*" in name for name, _ in params):
        return _joined(params)
    return tuple(params)


def _bare(name: bytes, value: bytes) -> bytes:
    """A value without quotes: it ends at white space, but for a file's name, which may hold some."""
    value = value.strip(b" \t")
    if b" " not in value and b"\t" not in value:
        return value
    return value if name.lower() in _FILE_NAMES and b"=" not in value else value.split(None, 1)[0]


def _joined(params: list[tuple[bytes, bytes]]) -> Params:
    """With the pieces of RFC 2231 §3 put together, behind the parameters that came whole."""
    whole: list[tuple[bytes, bytes]] = []
    pieces: dict[bytes, list[tuple[int, bool, bytes, bytes]]] = {}
    for name, value in params:
        match = _PIECE.fullmatch(name)
        if match is None:
            whole.append((name, value))
            continue
        extended = match[2] is None or match[3] == b"*"
        pieces.setdefault(match[1].lower(), []).append((int(match[2] or 0), extended, name, value))
    for key in sorted(pieces):
        parts = sorted(pieces[key])
        if [number for number, *_ in parts] == list(range(len(parts))):
            whole.append(_join(parts))
        else:  # some piece is missing, or there twice
            whole.extend((name, value) for _, _, name, value in parts)
    return tuple(whole)


def _join(parts: list[tuple[int, bool, bytes, bytes]]) -> tuple[bytes, bytes]:
    name = parts[0][2].partition(b"*")[0]
    if not any(extended for _, extended, _, _ in parts):
        return name, b"".join(value for *_, value in parts)
    # RFC 2231 §4.1: pieces with and without percent encoding may be mixed; the whole then has it.
    joined = b"".join(value if extended else value.replace(b"%", b"%25") for _, extended, _, value in parts)
    return name + b"*", joined if parts[0][1] else b"''" + joined
