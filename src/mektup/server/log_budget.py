"""Limits how much log one client may cause.

Any client that connects causes log lines: refused logins, ended sessions, our own errors. Each user, and each network
of clients that did not log in, has an allowance of octets. All clients that did not log in share one more allowance,
because they may come from many networks. Lines above an allowance are left out and counted, and once a second one line
tells the numbers by event.

A delivery that was acknowledged always has its line: lines of LMTP are not limited, because the operator decides which
clients may deliver. But a stranger may send to any number of wrong addresses. So the lines of refused deliveries have
an allowance of their own, for each address that delivers. A user's own APPENDs count as other lines of that user.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mektup.terms.networks import network_of

BYTES_PER_SECOND = 4 * 1024
BURST_BYTES = 64 * 1024
"""The most octets that each may cause at once after a silence."""

STRANGERS_BYTES_PER_SECOND = 32 * 1024
STRANGERS_BURST_BYTES = 1024 * 1024
"""The same for all clients that did not log in together."""

MOST_REMEMBERED = 10_000
"""The most users and networks remembered; the one whose last line is oldest is forgotten first."""

TELL_SECONDS = 1.0

NOT_PROVED = frozenset({"auth_failed", "login_refused"})
"""Events whose ``user`` is only a name that a client sent, without a successful login."""


USERS = "user "
DELIVERERS = "deliverer "

KNOWN = (USERS, DELIVERERS)
"""The beginnings of those who do not share the allowance of strangers."""


@dataclass(slots=True)
class _Allowance:
    octets: float
    at: float


@dataclass(slots=True)
class LogBudget:
    """The allowances of one process."""

    clock: Callable[[], float] = time.monotonic
    left_out: int = 0
    """The number of lines left out so far."""
    _each: dict[str, _Allowance] = field(default_factory=dict)
    _strangers: _Allowance | None = None
    _untold: dict[str, int] = field(default_factory=dict)
    _told_at: float = 0.0

    def admits(self, event: Mapping[str, Any]) -> bool:
        """Whether the line of *event* may be written; counts it if not."""
        who = _who(event)
        if who is None:
            return True
        now = self.clock()
        allowed = self._filled(who, now).octets > 0
        if allowed and not who.startswith(KNOWN):
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
        if self._strangers is not None and not who.startswith(KNOWN):
            self._strangers.octets -= octets

    def take_untold(self) -> dict[str, int]:
        """Lines left out since this last returned some, counted by event; empty within TELL_SECONDS of that."""
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
        # a dict keeps its order, so the first entry is the oldest
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
    """The user or network whose allowance pays for *event*; None if no client caused it, and for LMTP."""
    address = event.get("address")
    if address is None:
        return None
    if event.get("protocol") == "lmtp":
        return f"{DELIVERERS}{address}" if event.get("event") == "delivery_refused" else None
    user = event.get("user")
    if user is not None and event.get("event") not in NOT_PROVED:
        return f"{USERS}{user}"
    return network_of(str(address))
