"""Content-Type, Content-Disposition and similar: a value, then parameters (RFC 2045 §5.1, RFC 2183, RFC 2231)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from mektup.message.comments import without_comments
from mektup.message.headers import unfold
from mektup.message.rfc2231 import FILE_NAMES, Params, joined, param_texts


@dataclass(frozen=True, slots=True)
class ContentType:
    """A media type, in its original case of letters."""

    type: bytes
    subtype: bytes
    params: Params = ()

    @property
    def essence(self) -> bytes:
        """``text/plain``, in lower case."""
        return b"%b/%b" % (self.type.lower(), self.subtype.lower())

    def param(self, name: bytes) -> bytes | None:
        """The value of the parameter *name* (lower case); None if there is none."""
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
"""The type of a part that is not parsed further."""

# token of RFC 2045 §5.1: any character except space, controls and tspecials. Real mail also has 8-bit characters.
_TOKEN = rb"[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]+"
_TYPE = re.compile(rb"[ \t]*(%b)[ \t]*/[ \t]*(%b)" % (_TOKEN, _TOKEN))
_VALUE = re.compile(rb"[ \t]*(%b)" % _TOKEN)
# Liberty: clients omit quotes that RFC 2045 requires (``boundary=a=b``, ``name=my file.txt``).
_PARAM = re.compile(rb';[ \t]*(%b)[ \t]*=[ \t]*(?:"([^"\\]*(?:\\.[^"\\]*)*)"?|([^;"]*))' % _TOKEN, re.DOTALL)
_FIRST_PARAM = re.compile(rb"[ \t;]*%b[ \t]*=" % _TOKEN)
_QUOTED_VALUE = re.compile(rb'[ \t]*"[ \t]*(%b)[ \t]*"' % _TOKEN)
_ATTACHMENT = b"attachment"
CACHED_BYTES = 50
"""The longest value of Content-Type that is cached, in octets."""
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def parse_content_type(value: bytes) -> ContentType:
    """The media type of a Content-Type *value*, folded or not.

    If *value* is not valid by RFC 2045 §5.1, the type is text/plain (§5.2), with the parameters that can be read.
    """
    # Most mail has one of a few short values. Long ones, such as those with a boundary, are rarely repeated.
    return _cached_content_type(value) if len(value) <= CACHED_BYTES else _read_content_type(value)


def _read_content_type(value: bytes) -> ContentType:
    value = _plain(value)
    match = _TYPE.match(value)
    if match is not None:
        content_type = ContentType(match[1], match[2], _params(value[match.end() :]))
        if content_type.type.lower() != b"multipart" or content_type.param(b"boundary"):
            return content_type
        # RFC 2046 §5.1.1: a multipart must have a boundary parameter
        return ContentType(TEXT_PLAIN.type, TEXT_PLAIN.subtype, content_type.params)
    return ContentType(TEXT_PLAIN.type, TEXT_PLAIN.subtype, _params(_from_parameter(value)))


_cached_content_type = lru_cache(maxsize=512)(_read_content_type)


def parse_disposition(value: bytes) -> Disposition | None:
    """The disposition of a Content-Disposition *value*; None if it contains none.

    With parameters only, it is an attachment, like an unknown disposition (RFC 2183 §2.8).
    """
    value = _plain(value)
    match = _VALUE.match(value) or _QUOTED_VALUE.match(value)
    if match is not None and not _FIRST_PARAM.match(value):
        return Disposition(match[1], _params(value[match.end() :]))
    params = _params(_from_parameter(value))
    return Disposition(_ATTACHMENT, params) if params else None


def _from_parameter(value: bytes) -> bytes:
    """The parameters of a *value* whose first word is missing or invalid."""
    if _FIRST_PARAM.match(value):
        return value
    _, semicolon, rest = value.partition(b";")
    return semicolon + rest


def texts_in_pieces(value: bytes) -> list[str]:
    """The decoded parameters of a Content-Type or Content-Disposition; empty if none has the form of RFC 2231."""
    if b"*" not in value:
        return []
    return param_texts(_params(_from_parameter(_plain(value))))


def parse_token(value: bytes) -> bytes | None:
    """The token in *value*, without comments; None if *value* is anything but one token."""
    value = _plain(value)
    match = _VALUE.fullmatch(value.rstrip(b" \t"))
    return match[1] if match else None


def parse_languages(value: bytes) -> tuple[bytes, ...]:
    """The tags of a Content-Language *value* (RFC 3282 §2)."""
    found = (_VALUE.match(tag) for tag in _plain(value).split(b","))
    return tuple(match[1] for match in found if match)


def _plain(value: bytes) -> bytes:
    """*value* unfolded, without comments."""
    value = unfold(value)
    return without_comments(value) if b"(" in value else value


def _params(rest: bytes) -> Params:
    if not rest:
        return ()
    # Some software omits the first semicolon.
    params = [
        (name, _QUOTED_PAIR.sub(rb"\1", quoted) if b"\\" in quoted else quoted or _bare(name, bare))
        for name, quoted, bare in _PARAM.findall(b";" + rest)
    ]
    if any(b"*" in name for name, _ in params):
        return joined(params)
    return tuple(params) if len(params) == 1 else _each_once(params)


def _each_once(params: list[tuple[bytes, bytes]]) -> Params:
    """The first parameter of each name, which is the one that counts."""
    first: dict[bytes, tuple[bytes, bytes]] = {}
    for name, value in params:
        first.setdefault(name.lower(), (name, value))
    return tuple(first.values())


def _bare(name: bytes, value: bytes) -> bytes:
    """A value without quotes: it ends at white space, except that a file name may contain white space."""
    value = value.strip(b" \t")
    if b" " not in value and b"\t" not in value:
        return value
    return value if name.lower() in FILE_NAMES and b"=" not in value else value.split(None, 1)[0]
