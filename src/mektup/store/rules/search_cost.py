"""What a search costs, and which days its dates stand for."""

from __future__ import annotations

from datetime import date
from typing import Final

from mektup.terms import search as terms
from mektup.terms.search import SearchKey
from mektup.terms.search_walk import Algebra, walk

DAY_SECONDS: Final = 86400


def is_long(key: SearchKey) -> bool:
    """Whether an answer may need more than the messages' own rows, so that a thread should look for it."""
    cheap = (
        terms.All
        | terms.HasFlag
        | terms.InUids
        | terms.Arrived
        | terms.Older
        | terms.Younger
        | terms.Larger
        | terms.Smaller
        | terms.ChangedSince
    )
    return walk(key, Algebra(lambda leaf: not isinstance(leaf, cheap), bool, any, any))


def first_second(day: date) -> int:
    """Where *day* begins, in seconds since 1970 of the zone that a message's date came with.

    RFC 9051 §6.4.4: dates are compared disregarding time and timezone.
    """
    return (day - date(1970, 1, 1)).days * DAY_SECONDS
