"""Moments as people write them: ``2026-11-30``, ``2026-11-30T12:00``, ``2026-11-30T12:00:30+03:00``, ``3d`` ago."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

_SPANS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_AGO: Final = re.compile(r"([0-9]{1,9})([smhdw])")
_DATE: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)


def moment_of(text: str, now: float) -> int | None:
    """The moment that *text* names, in seconds since 1970; None where it names none.

    A date alone is its first second. Without a zone, the time is that of the machine's zone. *now* is for spans, which
    count backwards.
    """
    if found := _AGO.fullmatch(text):
        return max(0, int(now) - int(found[1]) * _SPANS[found[2]])
    if _DATE.fullmatch(text) is None:
        return None
    try:
        told = datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        return None
    return int((told - datetime.fromtimestamp(0, told.tzinfo)) / timedelta(seconds=1))


def date_of(text: str) -> int | None:
    """As ``moment_of``, without spans."""
    return None if _AGO.fullmatch(text) else moment_of(text, 0.0)


def moment_shown(moment: int) -> str:
    """*moment* in the machine's zone, as ``moment_of`` reads it."""
    return datetime.fromtimestamp(moment).astimezone().isoformat(timespec="seconds")
