"""How much of the log one client may fill.

Whoever can connect causes lines: refused logins, sessions that end, our own errors. Each user, and each network of
those who did not log in, has an allowance of octets. All who did not log in share another one, because they may come
from many networks. Lines beyond are left out and counted, and one line a second tells how many, by event.

Deliveries are not counted here: who speaks LMTP is let in by the operator, and writes a line a message in its own log.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mektup.terms.networks import network_of

BYTES_PER_SECOND = 4 * 1024
BURST_BYTES = 64 * 1024
"""What each may write at once after a silence."""

STRANGERS_BYTES_PER_SECOND = 32 * 1024
STRANGERS_BURST_BYTES = 1024 * 1024
"""The same for all together who did not log in."""

MOST_REMEMBERED = 10_000
"""Users and networks; the one that wrote longest ago is forgotten."""

TELL_SECONDS = 1.0

NOT_PROVED = frozenset({"auth_failed", "login_refused"})
"""Events whose ``user`` is a name that somebody gave, and not one who logged in."""


@dataclass(slots=True)
class _Allowance:
    octets: float
    at: float


@dataclass(slots=True)
class LogBudget:
    """The allowances of one process."""

    clock: Callable[[], float] = time.monotonic
    left_out: int = 0
    """Lines that were left out, so far."""
    _each: dict[str, _Allowance] = field(default_factory=dict)
    _strangers: _Allowance | None = None
    _untold: dict[str, int] = field(default_factory=dict)
    _told_at: float = 0.0

    def admits(self, event: Mapping[str, Any]) -> bool:
        """Whether the line of *event* may be written; counts it where it may not."""
        who = _who(event)
        if who is None:
            return True
        now = self.clock()
        allowed = self._filled(who, now).octets > 0
        if allowed and not who.startswith("user "):
            allowed = self._filled_strangers(now).octets > 0
        if not allowed:
            self.left_out += 1
            name = str(event.get("event"))
            self._untold[name] = self._untold.get(name, 0) + 1
        return allowed

    def spend(self, event: Mapping[str, Any], octets: int) -> None:
        """Counts the *octets* of an event that was admitted."""
        who = _who(event)
        if who is None:
            return
        if (each := self._each.get(who)) is not None:
            each.octets -= octets
        if self._strangers is not None and not who.startswith("user "):
            self._strangers.octets -= octets

    def take_untold(self) -> dict[str, int]:
        """How many lines of each event were left out since this was last told; empty where that was just now."""
        if not self._untold or (now := self.clock()) - self._told_at < TELL_SECONDS:
            return {}
        untold, self._untold, self._told_at = self._untold, {}, now
        return untold

    def _filled(self, who: str, now: float) -> _Allowance:
        found = self._each.pop(who, None)
        if found is None:
            found = _Allowance(BURST_BYTES, now)
        else:
            found.octets = min(BURST_BYTES, found.octets + (now - found.at) * BYTES_PER_SECOND)
            found.at = now
        # a dict keeps its order: the first is the one longest ago
        self._each[who] = found
        if len(self._each) > MOST_REMEMBERED:
            del self._each[next(iter(self._each))]
        return found

    def _filled_strangers(self, now: float) -> _Allowance:
        found = self._strangers
        if found is None:
            found = self._strangers = _Allowance(STRANGERS_BURST_BYTES, now)
        filled = found.octets + (now - found.at) * STRANGERS_BYTES_PER_SECOND
        found.octets, found.at = min(STRANGERS_BURST_BYTES, filled), now
        return found


def _who(event: Mapping[str, Any]) -> str | None:
    """Whose allowance pays for *event*; None for what no client causes, and for LMTP."""
    address = event.get("address")
    if address is None or event.get("protocol") == "lmtp":
        return None
    user = event.get("user")
    if user is not None and event.get("event") not in NOT_PROVED:
        return f"user {user}"
    return network_of(str(address))
