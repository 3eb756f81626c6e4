"""Values to bytes: the string forms of RFC 9051 §4.3 and what is built of them."""

from __future__ import annotations


def literal(octets: bytes) -> bytes:
    """``{n}`` CRLF and the octets."""
    return b"{%d}\r\n%b" % (len(octets), octets)


def string(octets: bytes) -> bytes:
    """Quoted where that is allowed, else a literal; octets of 128 and more always make a literal."""
    raise NotImplementedError


def nstring(octets: bytes | None) -> bytes:
    """NIL or a string."""
    raise NotImplementedError


def astring(octets: bytes) -> bytes:
    """An atom where that is allowed, else a string."""
    raise NotImplementedError


def date_time(seconds: int, zone: int) -> bytes:
    """``"17-Jul-1996 02:44:25 -0700"``, quotes included, of seconds since 1970 UTC and minutes east (RFC 9051 §9)."""
    raise NotImplementedError
