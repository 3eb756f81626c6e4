"""The line that begins a message in an mbox: what looks like one, and its date.

No standard says what it looks like (RFC 4155 is only one of many forms). So it must have a date, or be as short as
some programs write it; and then it must come after an empty line, or before a header.
"""

from __future__ import annotations

import re
from calendar import timegm
from datetime import datetime
from typing import Final, NamedTuple

MARK: Final = b"From "

LONGEST: Final = 1000
"""The most octets of such a line."""

_MONTHS: Final = {
    name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_TIME: Final = re.compile(rb"(\d{1,2}):(\d\d)(?::(\d\d))?")
_YEAR: Final = re.compile(rb"(?:19|20|21)\d\d")
_DAY: Final = re.compile(rb"\d{1,2}")
_ZONE: Final = re.compile(rb"([+-])(\d\d):?(\d\d)")
_HEADER: Final = re.compile(rb">?[!-9;-~]+[ \t]*:|>From ")
_SENDER_ALONE: Final = re.compile(rb"From (?:-|[^\s@]+@[^\s@]+)\s*")


class Dated(NamedTuple):
    """The date of such a line."""

    seconds: int
    """Since 1970 UTC; a line without a zone is taken as UTC."""
    zone: int
    """Minutes east of UTC."""


def date_of(line: bytes) -> Dated | None:
    """The date in *line*, in the forms of asctime or of RFC 5322; None where it has none."""
    month = day = year = 0
    clock: tuple[int, int, int] | None = None
    zone = 0
    for word in line[len(MARK) :].split()[-9:]:
        if month == 0 and (found := _MONTHS.get(word[:3].lower())) and word.rstrip(b",").isalpha():
            month = found
        elif clock is None and (match := _TIME.fullmatch(word)):
            clock = int(match[1]), int(match[2]), int(match[3] or 0)
        elif year == 0 and _YEAR.fullmatch(word):
            year = int(word)
        elif day == 0 and _DAY.fullmatch(word.rstrip(b",")):
            day = int(word.rstrip(b","))
        elif match := _ZONE.fullmatch(word):
            zone = int(match[1] + b"1") * (int(match[2]) * 60 + int(match[3]))
    if not (month and day and year and clock) or abs(zone) >= 24 * 60:
        return None
    try:
        local = timegm(datetime(year, month, day, clock[0], clock[1], min(clock[2], 59)).timetuple())
    except ValueError:
        return None
    return Dated(local - zone * 60, zone)


def begins_message(line: bytes, following: bytes, *, after_empty_line: bool) -> bool:
    """Whether *line*, which begins with "From ", begins a message, and is no text of the one before.

    *following* is the next line. A text such as "From here on ..." has no date. A writer that forgot the empty line
    is believed where a header follows.
    """
    headed = _HEADER.match(following) is not None
    if date_of(line) is not None:
        return after_empty_line or headed
    return after_empty_line and headed and _SENDER_ALONE.fullmatch(line) is not None
