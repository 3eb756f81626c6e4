"""Values to bytes: the string forms of RFC 9051 §4.3, date-time, and lists of numbers."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

from mektup.terms.sets import NumberSet
from mektup.wire.grammar import ATOM

_PLAIN: Final = re.compile(rb'[^"\\\r\n\x00\x80-\xff]*')
"""Octets that can be quoted unchanged."""
_QUOTABLE: Final = re.compile(rb"[^\r\n\x00\x80-\xff]*")
"""Octets that can be quoted after their quoted-specials are escaped."""
_QUOTED_SPECIAL: Final = re.compile(rb'["\\]')

_EPOCH: Final = datetime(1970, 1, 1)
_FIRST_SECOND: Final = int((datetime(1, 1, 1) - _EPOCH).total_seconds())
_LAST_SECOND: Final = int((datetime(9999, 12, 31, 23, 59, 59) - _EPOCH).total_seconds())
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def without_nul(octets: bytes) -> bytes:
    """*octets* in a form that a literal may contain: 0x80 in place of each NUL, so that the size is the same.

    RFC 9051 §4.3.1: a string with NUL is binary, and only BINARY may return one; §9 CHAR8 is %x01-FF. Without a NUL,
    which is usual, nothing is copied.
    """
    return octets.replace(b"\0", b"\x80")


def literal(octets: bytes) -> bytes:
    """``{n}`` CRLF and the octets, with each NUL replaced by :func:`without_nul`."""
    return b"{%d}\r\n%b" % (len(octets), without_nul(octets))


def literal8(octets: bytes) -> bytes:
    """``~{n}`` CRLF and the octets unchanged (RFC 9051 §9 literal8)."""
    return b"~{%d}\r\n%b" % (len(octets), octets)


def quoted(octets: bytes) -> bytes:
    """*octets* in quotes, with quoted-specials escaped; they must contain no CR, LF or NUL."""
    return b'"%b"' % _QUOTED_SPECIAL.sub(rb"\\\g<0>", octets)


def string(octets: bytes) -> bytes:
    """Quoted where that is allowed, else a literal; octets of 128 and more always make a literal."""
    if _PLAIN.fullmatch(octets):
        return b'"%b"' % octets
    if _QUOTABLE.fullmatch(octets):
        return quoted(octets)
    return literal(octets)


def nstring(octets: bytes | None) -> bytes:
    """NIL or a string."""
    return b"NIL" if octets is None else string(octets)


def is_atom(octets: bytes) -> bool:
    """Whether *octets* can be written without quotes as an astring.

    False for NIL, which some clients would read as no string, and for octets with "]": an astring may contain it, but
    it ends a response code.
    """
    return ATOM.fullmatch(octets) is not None and octets.upper() != b"NIL"


def astring(octets: bytes) -> bytes:
    """An atom where that is allowed, else a string."""
    return octets if is_atom(octets) else string(octets)


def date_time(seconds: int, zone: int) -> bytes:
    """``"17-Jul-1996 02:44:25 -0700"`` with quotes, from seconds since 1970 UTC and minutes east (RFC 9051 §9).

    A day of one digit has a space before it (date-day-fixed).

    The grammar has only the years 1 to 9999; times outside become the nearest possible time of their zone.
    """
    moment = _EPOCH + timedelta(seconds=min(max(seconds + zone * 60, _FIRST_SECOND), _LAST_SECOND))
    hours, minutes = divmod(abs(zone), 60)
    return b'"%2d-%b-%04d %02d:%02d:%02d %b%02d%02d"' % (
        moment.day,
        _MONTHS[moment.month - 1].encode(),
        moment.year,
        moment.hour,
        moment.minute,
        moment.second,
        b"-" if zone < 0 else b"+",
        hours,
        minutes,
    )


_BLOCK: Final = 1000
_MANY_RUNS: Final = 64


@lru_cache(256)
def _block(number: int) -> bytes:
    """A block of consecutive numbers as text; answers to SEARCH contain the same blocks often."""
    return b" ".join(map(b"%d".__mod__, range(number * _BLOCK, (number + 1) * _BLOCK)))


@lru_cache(16)
def spelled_out(numbers: NumberSet[Any]) -> bytes:
    """All numbers with a space between them, as in an answer to SEARCH (RFC 3501 §7.2.5).

    Clients repeat the same search, so the last few answers are cached.
    """
    if len(numbers.runs) > _MANY_RUNS:
        return b" ".join(map(b"%d".__mod__, numbers))
    pieces: list[bytes] = []
    for start, last in numbers.runs:
        first = start
        while first <= last:
            block, within = divmod(first, _BLOCK)
            stop = min(last, (block + 1) * _BLOCK - 1)
            if within == 0 and stop - first == _BLOCK - 1:
                pieces.append(_block(block))
            else:
                pieces += map(b"%d".__mod__, range(first, stop + 1))
            first = stop + 1
    return b" ".join(pieces)
