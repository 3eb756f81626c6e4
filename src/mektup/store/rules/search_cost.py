"""The cost of a search, and the days of its dates."""

from __future__ import annotations

from datetime import date
from typing import Final

from mektup.terms import search as terms
from mektup.terms.search import SearchKey, When
from mektup.terms.search_walk import Algebra, walk

DAY_SECONDS: Final = 86400

FOREVER: Final = 1 << 60
"""Seconds: later than every date, but SQL has integers of that size."""


def is_long(key: SearchKey) -> bool:
    """Whether a search may need more than the messages' own rows, and so should run in a thread."""
    cheap = (
        terms.All
        | terms.HasFlag
        | terms.InUids
        | terms.Arrived
        | terms.Saved
        | terms.Older
        | terms.Younger
        | terms.Larger
        | terms.Smaller
        | terms.ChangedSince
    )
    return walk(key, Algebra(lambda leaf: not isinstance(leaf, cheap), bool, any, any))


def seconds_of(when: When, day: date) -> range:
    """The dates that are *when* compared with *day*: seconds since 1970, in the zone of a message's date.

    RFC 9051 §6.4.4: dates are compared disregarding time and timezone.
    """
    start = (day - date(1970, 1, 1)).days * DAY_SECONDS
    first = -FOREVER if when is When.BEFORE else start
    return range(first, {When.BEFORE: start, When.ON: start + DAY_SECONDS, When.SINCE: FOREVER}[when])
