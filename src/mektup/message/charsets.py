"""Decodes octets to text, whatever charset a message claims; never raises.

Python's own lookup imports modules by name and remembers every name that it did not find, so mail could fill its
memory. Some of its codecs (``idna``, ``unicode_escape``) are no charsets. So names are looked up in our own table.
"""

from __future__ import annotations

import codecs
import encodings.aliases
import re
import sys
from collections.abc import Iterator
from functools import lru_cache

_NAME_BYTES = 40
_DECODED_AT_ONCE = 16 * 1024
_DECODED_WHOLE = ("iso2022",)
"""Python's incremental decoders of these raise an error for invalid input that the others replace."""
_WIDE = {"utf_16": 2, "utf_16_le": 2, "utf_16_be": 2, "utf_32": 4, "utf_32_le": 4, "utf_32_be": 4}
"""Octets of a unit. The incremental decoders of these raise such errors, too, so we cut the octets between units."""
_BYTE_ORDERS = {
    codecs.BOM_UTF16_LE: "utf_16_le",
    codecs.BOM_UTF16_BE: "utf_16_be",
    codecs.BOM_UTF32_LE: "utf_32_le",
    codecs.BOM_UTF32_BE: "utf_32_be",
}
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_CHARSETS = frozenset(
    {
        "base64_codec",
        "bz2_codec",
        "hex_codec",
        "idna",
        "mbcs",
        "oem",
        "punycode",
        "quopri_codec",
        "raw_unicode_escape",
        "rot_13",
        "undefined",
        "unicode_escape",
        "uu_codec",
        "zlib_codec",
    }
)

_SUPERSETS = {
    # Clients of that country label text with the left one, but write it in the right one.
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
    "ascii": "utf_8",
}

_MAIL_NAMES = {
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "ks_c_5601": "cp949",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
    "windows_874": "cp874",
    "windows_936": "gb18030",
    "windows_949": "cp949",
    "windows_31j": "cp932",
    "x_gbk": "gb18030",
    "x_mac_roman": "mac_roman",
    "x_sjis": "cp932",
    "x_unicode_2_0_utf_7": "utf_7",
}


def _table() -> dict[str, str]:
    """Maps normalised names to Python's names of codecs."""
    table = {name: codec for name, codec in encodings.aliases.aliases.items() if codec not in _NOT_CHARSETS}
    table |= {codec: codec for codec in table.values()}
    table |= {codec: codec for codec in ("cp874", "cp1006", "cp720", "koi8_t", "koi8_u", "mac_arabic", "mac_farsi")}
    table |= {f"iso_8859_{part}": f"iso8859_{part}" for part in (*range(1, 12), *range(13, 17))}
    table |= _MAIL_NAMES
    return {name: _SUPERSETS.get(codec, codec) for name, codec in table.items()}


_CODECS = _table()


def codec_of(charset: bytes) -> str | None:
    """Python's codec name for a charset as a message names it; None if there is none."""
    return _codec_of(charset) if len(charset) <= _NAME_BYTES else None


@lru_cache(maxsize=256)
def _codec_of(charset: bytes) -> str | None:
    return _CODECS.get(charset.decode("latin-1").strip(" \t'\"").lower().replace("-", "_").replace(" ", "_"))


def decode(octets: bytes, charset: bytes, *, is_cut: bool = False) -> str:
    """The text of *octets*; octets that are invalid in *charset* become U+FFFD.

    UTF-8, US-ASCII and unknown charsets are decoded by ``guess``, with *is_cut*.
    """
    codec = codec_of(charset)
    if codec is None or codec == "utf_8":
        return guess(octets, is_cut=is_cut)
    if len(octets) <= _DECODED_AT_ONCE or codec.startswith(_DECODED_WHOLE):
        return _without_surrogates(octets.decode(codec, "replace"), codec)
    return "".join([_without_surrogates(piece, codec) for piece in _decoded_in_pieces(octets, codec)])


def _without_surrogates(text: str, codec: str) -> str:
    # RFC 2152 has no lone surrogates. Python's decoder lets them pass, but no other part of Python accepts them.
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text) if codec == "utf_7" else text


def _decoded_in_pieces(octets: bytes, codec: str) -> Iterator[str]:
    """The same text in pieces: a decoder holds Python's lock, and each invalid octet takes 0.1 µs."""
    if codec in _WIDE:
        yield from _decoded_by_units(octets, codec)
        return
    decoder = codecs.getincrementaldecoder(codec)("replace")
    for at in range(0, len(octets), _DECODED_AT_ONCE):
        yield decoder.decode(octets[at : at + _DECODED_AT_ONCE])
    yield decoder.decode(b"", final=True)


def _decoded_by_units(octets: bytes, codec: str) -> Iterator[str]:
    """The text of UTF-16 or UTF-32, in pieces of whole characters."""
    start, width = 0, _WIDE[codec]
    if codec in ("utf_16", "utf_32"):
        order = _BYTE_ORDERS.get(octets[:width])
        if order is not None and len(octets) >= width:
            codec, start = order, width
        else:
            # Python's decoder takes octets without a byte order mark in the order of the machine, too
            codec = f"{codec}_{sys.byteorder[0]}e"
    high = 1 if codec == "utf_16_le" else 0
    at_once = max(width, _DECODED_AT_ONCE // width * width)
    while start < len(octets):
        stop = start + at_once
        if len(octets) - stop < 2 * width:
            stop = len(octets)  # what is incomplete belongs to the character before
        elif width == 2 and _are_halves(octets[stop - 2 + high], octets[stop + high]):
            stop += 2
        yield octets[start:stop].decode(codec, "replace")
        start = stop


def _are_halves(first: int, second: int) -> bool:
    """Whether two units of UTF-16, of which these are the high octets, are one character."""
    return 0xD8 <= first <= 0xDB and 0xDC <= second <= 0xDF


def guess(octets: bytes, *, is_cut: bool = False) -> str:
    """The text of octets in an unknown charset: UTF-8, and ISO 8859-1 where it is not valid UTF-8.

    So text in ISO 8859-1 is readable, and one bad octet affects only itself. *is_cut*: a limit has cut the octets, so
    half a character at their end is dropped.
    """
    try:
        return octets.decode()
    except UnicodeDecodeError:
        half = _HALF_A_CHARACTER.search(octets, max(len(octets) - 3, 0)) if is_cut else None
        return (octets[: half.start()] if half else octets).decode(errors=_ELSE_LATIN_1)


_LOOKED_AT = 64 * 1024
"""The most invalid octets that are decoded in one step."""

_ELSE_LATIN_1 = "mektup.else-latin-1"
_HALF_A_CHARACTER = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")
_BAD_RUN = re.compile(rb"(?:[\x80-\xc1\xf5-\xff]|[\xc2-\xf4](?![\x80-\xbf]))+")
"""A run of octets that begin no UTF-8 character, or begin one that is incomplete; decoded in one step."""


def _else_latin_1(error: UnicodeError) -> tuple[str, int]:
    """An error handler for Python's codecs: decodes octets that are not UTF-8 as ISO 8859-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    # One step holds Python's lock, so it is bounded.
    stop = error.start + _LOOKED_AT
    run = _BAD_RUN.match(error.object, error.start, stop)
    end = run.end() if run else error.end
    if end == stop > error.start + 1:
        end -= 1  # together with the next octets, the last one may begin a character
    return error.object[error.start : end].decode("latin-1"), end


codecs.register_error(_ELSE_LATIN_1, _else_latin_1)
