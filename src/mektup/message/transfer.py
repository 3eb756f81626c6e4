"""Decodes Content-Transfer-Encoding (RFC 2045 §6), as far as the octets are valid."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator
from mmap import mmap

from mektup.message import texts
from mektup.terms.errors import Code, Refused

Octets = bytes | mmap
"""A message's bytes: in memory, or mapped from a temporary file if it is large."""

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_RUN = re.compile(rb"[^=]+")
_DECODED_AT_ONCE = 64 * 1024

IDENTITIES = frozenset({"7bit", "8bit", "binary"})


_BASE64_LINE = re.compile(rb"[ \t\r\n]*[A-Za-z0-9+/]{4,}={0,2}[ \t]*(?:\r?\n|\Z)")
_NO_ESCAPE = re.compile(rb"=(?![0-9A-Fa-f]{2}|[ \t]*\r\n)")
_CLAIM = re.compile(rb"\ncontent-transfer-encoding[ \t]*:[ \t\r\n]*(?:base64|quoted-printable)", re.IGNORECASE)
# Begins with a fixed octet, so that the search is a memchr.
_BARE_LF = re.compile(rb"\n(?<!\r\n)")
_LOOKED_AT = 16 * 1024


def is_encoded(raw: Octets, start: int, encoding: bytes) -> bool:
    """Whether the message at *start* is really in *encoding*, or only claims to be.

    The message's header shows it: in base64 no line has a colon; in quoted-printable every "=" begins an escape. If a
    header without "=" names the encoding itself, the claim is meant for that message's text.
    """
    encoding = encoding.lower()
    if encoding == b"base64":
        return _BASE64_LINE.match(raw[start : start + _LOOKED_AT]) is not None
    if encoding != b"quoted-printable":
        return False
    header = raw[start : start + _LOOKED_AT]
    header = b"\n" + header[: header.find(b"\r\n\r\n") % (len(header) + 1)]
    if b"=" in header:
        return _NO_ESCAPE.search(header) is None
    return _CLAIM.search(header) is None


def decode_part(octets: bytes, encoding: str) -> bytes:
    """The decoded *octets*; *encoding* in lower case, as in ``PartPlace.encoding``.

    Broken base64 and quoted-printable are decoded as far as possible. Raises Refused(UNKNOWN_CTE) for an encoding
    that RFC 2045 does not define (RFC 9051 §6.4.5).
    """
    if encoding in IDENTITIES:
        return octets
    if encoding == "base64":
        return decode_base64(octets)
    if encoding == "quoted-printable":
        return decode_quoted_printable(octets)
    raise Refused(Code.UNKNOWN_CTE, texts.UNKNOWN_ENCODING)


def decode_message(octets: bytes, encoding: str) -> bytes:
    """The message that *octets* encode, as in ``decode_part``; bare LFs in it become CRLF."""
    return with_crlf(decode_part(octets, encoding))


def with_crlf(octets: bytes) -> bytes:
    """*octets* with CRLF for each bare LF."""
    if _BARE_LF.search(octets) is None:
        return octets
    # If there are many, this is several times faster than replacing each one.
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def decode_quoted_printable(octets: bytes) -> bytes:
    """Decodes quoted-printable; an invalid escape stays as it is.

    RFC 2045 §6.7, rule 3: white space at the end of a line was added in transport and is deleted, also after the "="
    of a soft line break.
    """
    return b"".join(map(_decode_lines, _lines(octets)))


def _lines(octets: bytes) -> Iterator[bytes]:
    """*octets* in pieces of whole lines, because each call of a decoder holds Python's lock."""
    start = 0
    while start < len(octets):
        stop = octets.find(b"\r\n", start + _DECODED_AT_ONCE) + 2
        if stop < 2:
            stop = len(octets)
        yield octets[start:stop]
        start = stop


def _decode_lines(octets: bytes) -> bytes:
    if b" \r\n" in octets or b"\t\r\n" in octets or octets.endswith((b" ", b"\t")):
        octets = b"\r\n".join([line.rstrip(b" \t") for line in octets.split(b"\r\n")])
    return a2b_qp(octets)


def decode_base64(octets: bytes) -> bytes:
    """Decodes base64; skips characters outside of its alphabet (RFC 2045 §6.8), and an incomplete end."""
    octets = octets.translate(None, _NOT_BASE64)
    if b"=" not in octets.rstrip(b"="):
        return _decode_run(octets.rstrip(b"="))
    # Some list software joins several encoded pieces: padding ends one piece, not the whole.
    decoded = bytearray()
    for run in _RUN.finditer(octets):
        decoded += _decode_run(run[0])
    return bytes(decoded)


def _decode_run(run: bytes) -> bytes:
    if len(run) % 4 == 1:
        run = run[:-1]
    try:
        return a2b_base64(run + b"=" * (-len(run) % 4))
    except Error:  # pragma: no cover
        return b""
