"""Slows down who guesses, and bans nobody.

After each failure the next attempt from the same network for the same name waits twice as long, up to a bound; a
success forgets it. A user who mistyped waits half a second. Loopback is treated alike but gently: webmail and tests
come from there, for all users.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import blake2b

from mektup.terms.errors import Code, Refused

FIRST_SECONDS = 0.5
GENTLE = 8
"""By how much loopback waits less."""
FORGET_SECONDS = 15 * 60.0
MOST_REMEMBERED = 10_000
MOST_WAITING = 8
"""Attempts that may wait at once for one name from one network; they are checked together when the wait is over."""

_Key = tuple[str, bytes]


@dataclass(slots=True)
class _Failures:
    count: int
    last: float
    waiting: int = 0


class Throttle:
    """The failures of this process's peers, the most recent MOST_REMEMBERED names and networks of them."""

    def __init__(
        self,
        longest_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._longest = longest_seconds
        self._clock = clock
        self._sleep = sleep
        self._failures: dict[_Key, _Failures] = {}

    async def pause(self, address: str, name: str) -> None:
        """Waits as long as the failures so far ask for, which is usually not at all.

        Raises Refused(UNAVAILABLE) when too many attempts wait already.
        """
        failures = self._failures.get(_key(address, name))
        if failures is None:
            return
        seconds = failures.last + self._delay(address, failures.count) - self._clock()
        if seconds <= 0:
            return
        if failures.waiting >= MOST_WAITING:
            raise Refused(Code.UNAVAILABLE, f"Too many failed logins from here, try again in {seconds:.0f} seconds")
        failures.waiting += 1
        try:
            await self._sleep(seconds)
        finally:
            failures.waiting -= 1

    def failed(self, address: str, name: str) -> None:
        """A password or proof was wrong."""
        key, now = _key(address, name), self._clock()
        failures = self._failures.pop(key, None)
        if failures is None or failures.last + FORGET_SECONDS < now:
            failures = _Failures(0, now)
        failures.count += 1
        failures.last = now
        self._failures[key] = failures
        # A dict keeps its order, and each failure goes to the end, so the first is the one longest ago.
        if len(self._failures) > MOST_REMEMBERED:
            del self._failures[next(iter(self._failures))]

    def succeeded(self, address: str, name: str) -> None:
        """The failures before it were slips."""
        self._failures.pop(_key(address, name), None)

    def _delay(self, address: str, count: int) -> float:
        seconds = min(self._longest, FIRST_SECONDS * 2.0 ** min(count - 1, 16))
        return seconds / GENTLE if _network(address) in ("loopback", "unix") else seconds


def _key(address: str, name: str) -> _Key:
    return _network(address), blake2b(name.encode(), digest_size=16).digest()


def _network(address: str) -> str:
    """An IPv4 address itself, an IPv6 address's /64, which is what one customer has; ``loopback`` for all of that."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        parsed = parsed.ipv4_mapped or parsed
    if parsed.is_loopback:
        return "loopback"
    if isinstance(parsed, ipaddress.IPv6Address):
        return parsed.exploded[:19]
    return str(parsed)
