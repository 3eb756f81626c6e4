"""The Date field: RFC 5322 §3.3, its obsolete forms (RFC 5322 §4, §4.3), and the forms that other software writes."""

from __future__ import annotations

import re
from datetime import date

from mektup.message.charsets import guess
from mektup.message.comments import without_comments
from mektup.message.months import month_number

_USUAL = re.compile(
    rb"(?:[A-Za-z]{3}, )?(\d{1,2}) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) ([+-])(\d{4})(?: \([A-Za-z]*\))?"
)

# The other patterns match text in which each run of white space is one space, and no space is beside a colon.
_TIME = r"([0-9]{1,2})[:.]([0-9]{1,2})(?:[:.]([0-9]{1,2})(?:[.,][0-9]+)?)?(?: ?([AaPp])\.?[Mm]\b\.?)?"
_ZONE = r" ?((?:[A-Za-z]+ ?)?[+-][0-9]{1,2}:?[0-9]{2}|(?:[A-Za-z]+ ?)?[+-][0-9]{1,2}\b|[A-Za-z]+)?"
_WORD = r"([^\W\d_]{3,12})"
_BEFORE = r"(?:[^0-9]{0,40}[^0-9\w-])?"
"""The day of the week, in any language, or other text before a date."""

_DAY_FIRST = re.compile(
    rf"{_BEFORE}([0-9]{{1,2}})(?:\.|st|nd|rd|th|er)?[ -]+(?:de )?{_WORD}\.?,?[ -]+(?:de )?([0-9]{{2,4}})\b"
    rf"(?:(?:[ ,]| at )+{_TIME})?{_ZONE}"
)
_MONTH_FIRST = re.compile(
    rf"{_BEFORE}{_WORD}\.? ([0-9]{{1,2}})(?:st|nd|rd|th)?,? ([0-9]{{4}})\b(?:(?:[ ,]| at )+{_TIME})?{_ZONE}"
)
_ASCTIME = re.compile(
    rf"{_BEFORE}{_WORD}\.? ([0-9]{{1,2}}),? {_TIME}(?: ([A-Za-z]+|[+-][0-9]{{4}}))? ([0-9]{{4}})\b{_ZONE}"
)
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?()" + _ZONE,
    re.ASCII | re.IGNORECASE,
)

_ZONES = {
    "EST": -5 * 60,
    "EDT": -4 * 60,
    "CST": -6 * 60,
    "CDT": -5 * 60,
    "MST": -7 * 60,
    "MDT": -6 * 60,
    "PST": -8 * 60,
    "PDT": -7 * 60,
    # Not in the RFC, but used in European mail, and not ambiguous there.
    "CET": 60,
    "CEST": 2 * 60,
    "EET": 2 * 60,
    "EEST": 3 * 60,
    "BST": 60,
    "WEST": 60,
    "JST": 9 * 60,
}
"""Minutes east. Any other name, including the military letters, means UTC (RFC 5322 §4.3)."""
_EPOCH = date(1970, 1, 1).toordinal()
_DATE_BYTES = 200
"""How many octets of a date are read, without comments."""
_COMMENTED_BYTES = 2000
"""How many octets of a date are read, with comments."""
_AROUND_COLON = re.compile(r" ?: ?")
_NUMERIC_ZONE = re.compile(r"([+-])([0-9]{1,2}?):?([0-9]{2})?\Z")


def parse_date(value: bytes) -> tuple[int, int] | None:
    """Seconds since 1970 UTC, and the zone in minutes east, of an unfolded Date; None if it contains no date.

    A missing or impossible time is midnight; an impossible zone is UTC (RFC 5256 §2.2). Names of months may be in
    other languages, if the name means only one month.
    """
    if usual := _USUAL.fullmatch(value):
        # Most mail uses this form, and each delivery parses a date.
        return _usual(*usual.groups())
    text = _plain(value)
    half = None
    if match := _DAY_FIRST.match(text):
        day, month, year, *clock, half, zone = match.groups()
    elif match := _MONTH_FIRST.match(text):
        month, day, year, *clock, half, zone = match.groups()
    elif match := _ASCTIME.match(text):
        month, day, *clock, half, before, year, zone = match.groups()
        zone = zone or before
    elif match := _ISO.match(text):
        year, month, day, *clock, _, zone = match.groups()
    else:
        return None
    hour, minute, second = (int(digits or 0) for digits in clock)
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half in "Pp" else 0)
    # not isdigit(): it accepts a superscript two, which int() refuses
    number = int(month) if month.isdecimal() else month_number(month)
    return _moment(int(day), number, _year(year), _seconds(hour, minute, second), _zone(zone) if zone else 0)


def _usual(
    day: bytes, month: bytes, year: bytes, hour: bytes, minute: bytes, second: bytes, sign: bytes, zone: bytes
) -> tuple[int, int] | None:
    seconds = _seconds(int(hour), int(minute), int(second))
    east = _east(sign == b"-", *divmod(int(zone), 100))
    return _moment(int(day), month_number(month.decode()), int(year), seconds, east)


def _plain(value: bytes) -> str:
    """The date without comments (RFC 5322 §4.3 allows them anywhere), runs of white space, and spaces at colons."""
    value = value[:_COMMENTED_BYTES]
    if b"(" in value:
        value = without_comments(value, b" ")
    text = " ".join(guess(value[:_DATE_BYTES]).split())
    return _AROUND_COLON.sub(":", text) if ": " in text or " :" in text else text


def _moment(day: int, month: int | None, year: int, seconds: int, east: int) -> tuple[int, int] | None:
    try:
        days = date(year, month or 0, day).toordinal() - _EPOCH
    except ValueError:
        return None
    return days * 86_400 + seconds - east * 60, east


def _year(digits: str) -> int:
    """RFC 5322 §4.3: two digits mean 1950 to 2049; three digits are added to 1900."""
    year = int(digits)
    if len(digits) == 2:
        return year + (2000 if year < 50 else 1900)
    return year + 1900 if len(digits) == 3 else year


def _seconds(hour: int, minute: int, second: int) -> int:
    """Seconds since midnight. A leap second belongs to the day that it ends, for SENTON (RFC 9051 §6.4.4)."""
    return hour * 3600 + minute * 60 + min(second, 59) if hour < 24 and minute < 60 and second <= 60 else 0


def _zone(zone: str) -> int:
    """Minutes east: ``+0300``, ``+03:00``, ``+3``, with or without a name before it (``GMT+0300``), or a name."""
    match = _NUMERIC_ZONE.search(zone)
    if match is None:
        return _ZONES.get(zone.strip().upper(), 0)
    sign, hours, minutes = match.groups()
    return _east(sign == "-", int(hours), int(minutes or 0))


def _east(is_west: bool, hours: int, minutes: int) -> int:
    """Minutes east; 0 for an impossible zone."""
    if hours > 23 or minutes > 59:
        return 0
    return -(hours * 60 + minutes) if is_west else hours * 60 + minutes
