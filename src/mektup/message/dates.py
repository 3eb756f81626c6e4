"""The Date field: RFC 5322 §3.3, its obsolete forms (§4.3), and what else software has made of it."""

from __future__ import annotations

import re
from datetime import date

_DATE_TIME = re.compile(
    rb"(?:[A-Za-z]{2,9}\.?[ ,]+)?(\d{1,2})[ -]+([A-Za-z]{3})[a-z.]*[ -]+(\d{2,4})"
    rb"(?:[ ,]+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,]\d+)?)?)? *([+-]\d{3,4}|[A-Za-z]+)?"
)
_ASCTIME = re.compile(rb"[A-Za-z]{3} +([A-Za-z]{3}) +(\d{1,2}) +(\d{1,2}):(\d{2}):(\d{2}) +(?:([A-Za-z]+) +)?(\d{4})")
_ISO = re.compile(rb"(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)? *([+-]\d{2}:?\d{2}|Z)?")

_MONTHS = {
    name: number
    for number, name in enumerate(
        (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"), 1
    )
}
_ZONES = {
    b"EST": -5 * 60,
    b"EDT": -4 * 60,
    b"CST": -6 * 60,
    b"CDT": -5 * 60,
    b"MST": -7 * 60,
    b"MDT": -6 * 60,
    b"PST": -8 * 60,
    b"PDT": -7 * 60,
    # Not of the RFC, but of European mail, and not ambiguous there.
    b"CET": 60,
    b"CEST": 2 * 60,
    b"EET": 2 * 60,
    b"EEST": 3 * 60,
    b"BST": 60,
    b"WEST": 60,
    b"JST": 9 * 60,
}
"""Minutes east. Any other name, the letters of the military among them, is taken for UTC (RFC 5322 §4.3)."""
_EPOCH = date(1970, 1, 1).toordinal()
_DATE_BYTES = 200


def parse_date(value: bytes) -> tuple[int, int] | None:
    """Seconds since 1970 UTC, and the zone in minutes east, of an unfolded Date; None where it holds no date.

    A time that is missing or cannot be is midnight, a zone that cannot be is UTC (RFC 5256 §2.2).
    """
    value = value[:_DATE_BYTES].replace(b"\t", b" ").strip()
    if match := _DATE_TIME.match(value):
        day, month, year, hour, minute, second, zone = match.groups()
    elif match := _ASCTIME.match(value):
        month, day, hour, minute, second, zone, year = match.groups()
    elif match := _ISO.match(value):
        year, month, day, hour, minute, second, zone = match.groups()
    else:
        return None
    number = _MONTHS.get(month.lower()) or (int(month) if month.isdigit() else 0)
    try:
        days = date(_year(year), number, int(day)).toordinal() - _EPOCH
    except ValueError:
        return None
    east = _zone(zone)
    return days * 86_400 + _seconds(hour, minute, second) - east * 60, east


def _year(digits: bytes) -> int:
    """RFC 5322 §4.3: two digits are of 1950 to 2049, three count from 1900."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _seconds(hour: bytes | None, minute: bytes | None, second: bytes | None) -> int:
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    return hours * 3600 + minutes * 60 + seconds if hours < 24 and minutes < 60 and seconds <= 60 else 0


def _zone(zone: bytes | None) -> int:
    if not zone:
        return 0
    if zone[:1] not in b"+-":
        return _ZONES.get(zone.upper(), 0)
    digits = zone[1:].replace(b":", b"").rjust(4, b"0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 23 or minutes > 59:
        return 0
    east = hours * 60 + minutes
    return -east if zone.startswith(b"-") else east
