"""Logs the refusals that an operator should know of, once a minute for each kind: a client may cause thousands."""

from __future__ import annotations

import time
from collections.abc import Callable

from mektup.store.faults import FaultRefused
from mektup.terms.errors import Code, Refused

LOG_SECONDS = 60.0
"""A refusal of one kind is logged once in so many seconds. The others are only counted."""

LOGGED = frozenset({Code.CORRUPTION, Code.DISKFULL, Code.INUSE, Code.LIMIT, Code.OVERQUOTA, Code.UNAVAILABLE})
"""Codes of refusals that do not depend on what the client asked for alone."""

_Kind = tuple[Code | None, bool]
"""The code, and whether it is not known if the change was made."""


class RefusalLog:
    """Decides for one process which refusals are logged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._logged: dict[_Kind, float] = {}
        self._passed_over: dict[_Kind, int] = {}

    def passed_over(self, refusal: Refused) -> int | None:
        """The number of refusals like *refusal* that were not logged since the last one; None: this one is not either.

        A fault of the machine that is certain is not logged here, because the store has reported it.
        """
        if not refusal.uncertain and (refusal.code not in LOGGED or isinstance(refusal, FaultRefused)):
            return None
        kind, now = (refusal.code, refusal.uncertain), self._clock()
        if now - self._logged.get(kind, -LOG_SECONDS) < LOG_SECONDS:
            self._passed_over[kind] = self._passed_over.get(kind, 0) + 1
            return None
        self._logged[kind] = now
        return self._passed_over.pop(kind, 0)
