"""The header of a message or of a part: its fields, unfolded and decoded, or a choice of them as they stand.

Knows RFC 5322 §2.2 (fields and folding) and RFC 2047 (encoded words), and nothing of what the fields mean. Every
pattern here is linear: none can begin again inside what it has passed over.
"""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Callable
from functools import lru_cache, partial

from mektup.message.charsets import decode, guess
from mektup.message.transfer import decode_base64
from mektup.terms.limits import DEFAULT_LIMITS

Fields = dict[bytes, list[bytes]]
"""Names in lower case; values as they stand behind the colon, still folded, in the order of the header."""

# Begins with a newline, for which a search is a memchr; so a newline is put before a header.
_FIELD = re.compile(rb"\n([^:\s]+)[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_ENCODED_WORD = re.compile(rb"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_LINE = re.compile(rb"\n(([^:\s][^:\n]*)[^\n]*(?:\n[ \t][^\n]*)*)")
# Patterns of names that clients choose are kept only while they are small.
_CACHED_NAME_BYTES = 100
_PATTERN_BYTES = 1000
_NUL = b"\0"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()


def index_fields(header: bytes, most: int = DEFAULT_LIMITS.header_field_bytes) -> Fields:
    """The fields of *header* by name, of each value at most *most* octets.

    Lines that are no field (no colon, a space in the name) are passed over.
    A NUL, which no IMAP string can hold, becomes U+FFFD (RFC 9051 §9, CHAR8).
    """
    if _NUL in header:
        header = header.replace(_NUL, _REPLACEMENT)
    fields: Fields = {}
    for name, value in _FIELD.findall(b"\n" + header):
        name = name.lower()
        if name in fields:
            fields[name].append(value)
        else:
            fields[name] = [value]
    if len(header) > most:
        return {name: [value[:most] for value in values] for name, values in fields.items()}
    return fields


def all_fields(header: bytes) -> list[tuple[bytes, bytes]]:
    """Name and value of every field, as they stand, in the order of the header; of lines that are no field, nothing."""
    return _FIELD.findall(b"\n" + header)


def unfold(value: bytes) -> bytes:
    """*value* on one line, without the white space around it (RFC 5322 §2.2.3)."""
    return value.translate(None, b"\r\n").strip(b" \t")


def decode_words(octets: bytes) -> str:
    """The text of an unfolded value: encoded words (RFC 2047) decoded, and 8-bit octets too.

    Tolerates what mail has in practice: encoded words inside of other words and of quotes, spaces in them, characters
    cut in two between them, charsets unknown.
    """
    if b"=?" not in octets:
        return octets.decode("ascii") if octets.isascii() else guess(octets)
    pieces: list[str] = []
    pending = b""
    pending_charset = b""
    position = 0
    for word in _ENCODED_WORD.finditer(octets):
        charset, encoding, encoded = word.groups()
        charset = charset.partition(b"*")[0].lower()  # RFC 2231 §5: a language may follow
        between = octets[position : word.start()]
        position = word.end()
        # RFC 2047 §6.2: white space between encoded words is not shown.
        adjacent = bool(pending_charset) and not between.strip()
        if not (adjacent and charset == pending_charset):
            if pending_charset:
                pieces.append(decode(pending, pending_charset))
            if not adjacent:
                pieces.append(guess(between))
            pending = b""
            pending_charset = charset
        pending += decode_base64(encoded) if encoding in b"bB" else a2b_qp(encoded, header=True)
    if pending_charset:
        pieces.append(decode(pending, pending_charset))
    pieces.append(guess(octets[position:]))
    return "".join(pieces)


def header_text(header: bytes) -> str:
    """All of a header as decoded text, unfolded, a field a line."""
    header = _FOLD.sub(b" ", header)
    if header.isascii():
        return decode_words(header)
    return "\n".join([decode_words(line) for line in header.split(b"\n")])  # each may be in a charset of its own


@lru_cache(maxsize=256)
def _one_field(name: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"\n%b[ \t]*:([^\n]*(?:\n[ \t][^\n]*)*)" % re.escape(name), re.IGNORECASE)


def field_values(header: bytes, name: bytes) -> list[bytes]:
    """The values of every field of that name, in any case of letters, folded as they stand."""
    if len(name) > _CACHED_NAME_BYTES:
        return index_fields(header).get(name.lower(), [])
    return _one_field(name.lower()).findall(b"\n" + header)


@lru_cache(maxsize=64)
def _selection(names: frozenset[bytes], exclude: bool) -> re.Pattern[bytes]:
    """Whole lines, continuations included, of the fields named, or of all others; what is before them is a newline."""
    named = rb"(?:%b)[ \t]*:" % b"|".join(re.escape(name) for name in sorted(names)) if names else rb"(?!)"
    start = rb"(?!%b)[^\r\n \t]" % named if exclude else named
    return re.compile(rb"\n(%b[^\n]*(?:\n[ \t][^\n]*)*)" % start, re.IGNORECASE)


def _find_lines(names: frozenset[bytes], exclude: bool, header: bytes) -> list[bytes]:
    """As ``_selection`` finds them, for so many names that a pattern of them is not worth making, let alone keeping."""
    lowered = {name.lower() for name in names}
    return [line for line, name in _LINE.findall(header) if (name.rstrip(b" \t").lower() in lowered) is not exclude]


def selector(names: frozenset[bytes], exclude: bool) -> Callable[[bytes], bytes]:
    """What ``select_fields`` does with these arguments, for many headers: from a header to the fields chosen of it."""
    small = sum(map(len, names)) < _PATTERN_BYTES
    find = _selection(names, exclude).findall if small else partial(_find_lines, names, exclude)

    def select(header: bytes) -> bytes:
        lines = find(b"\n" + header)
        if not lines:
            return b"\r\n"
        return b"\n".join(lines) + (b"\n\r\n" if lines[-1].endswith(b"\r") else b"\r\n\r\n")

    return select


def select_fields(header: bytes, names: frozenset[bytes], exclude: bool) -> bytes:
    """``HEADER.FIELDS`` of *header*, or with *exclude* ``HEADER.FIELDS.NOT`` (RFC 9051 §6.4.5.1).

    The fields' own octets in their own order, and the empty line that ends a header, which is there even where *header*
    has none. Names in any case of letters.
    """
    return selector(names, exclude)(header)
