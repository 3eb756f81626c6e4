"""Slows down who guesses, and bans nobody.

After each failure the next attempt from the same network for the same name waits twice as long, up to a bound; a
success forgets it. A user who mistyped waits half a second. Failures count for the network as well, whatever the names,
and for its neighbourhood, each with a slope of its own: some are free, as an office behind one address has some, and
the same name again counts for less and less, as a telephone with an old password fails all day. A name that has logged
in from a network does not wait for what others do there. Nobody is ever refused for others' failures, nor waits longer
than the bound; and no failure counts anywhere else than where it came from, so nobody can lock a user out from afar.

Loopback is treated alike but gently: webmail and tests come from there, for all users. All of it is one process's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Generic, TypeVar

from mektup.terms.errors import Code, Refused
from mektup.terms.networks import LOOPBACK, UNIX, neighbourhood_of, network_of

FIRST_SECONDS = 0.5
GENTLE = 8
"""By how much loopback waits less."""
FORGET_SECONDS = 15 * 60.0
MOST_REMEMBERED = 10_000
"""Names and networks, and as many networks, and as many names that logged in; the often failed are kept for longest."""
MOST_WAITING = 8
"""Attempts that may wait at once for one name from one network; they are checked together when the wait is over."""

LEAK_SECONDS = 15.0
"""The time in which a network's failures become one less."""
PROVED_SECONDS = 24 * 3600.0
"""How long a name that logged in from a network does not wait for what others do there."""

_Pair = tuple[str, bytes]

K = TypeVar("K", bound=Hashable)
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Slope:
    """How waits grow with the failures of many names."""

    free: float
    """Failures without a wait."""
    seconds: float
    """For each beyond."""


NETWORK = Slope(free=10.0, seconds=0.25)
NEIGHBOURHOOD = Slope(free=50.0, seconds=0.1)


class Heaviest(Generic[K, E]):
    """A table of bounded size, out of which the lightest goes first, and among these who was not touched for longest.

    Entries have a weight from 0 to LEVELS - 1.
    """

    LEVELS = 8

    def __init__(self, most: int) -> None:
        self._most = most
        self._level_of: dict[K, int] = {}
        self._levels: tuple[dict[K, E], ...] = tuple({} for _ in range(self.LEVELS))

    def __len__(self) -> int:
        return len(self._level_of)

    def get(self, key: K) -> E | None:
        """What is remembered of *key*."""
        level = self._level_of.get(key)
        return None if level is None else self._levels[level][key]

    def put(self, key: K, entry: E, weight: int) -> None:
        """Remembers *entry* of *key*, which was touched just now."""
        self.drop(key)
        if len(self._level_of) >= self._most:
            lightest = next(level for level in self._levels if level)
            # a dict keeps its order, and what is touched goes to the end
            self.drop(next(iter(lightest)))
        level = max(0, min(weight, self.LEVELS - 1))
        self._level_of[key] = level
        self._levels[level][key] = entry

    def drop(self, key: K) -> None:
        """Forgets *key*, if it is there."""
        level = self._level_of.pop(key, None)
        if level is not None:
            del self._levels[level][key]

    def drop_stale(self, is_stale: Callable[[E], bool]) -> None:
        """Forgets of each weight those touched longest ago, for as long as they are stale."""
        for level in self._levels:
            while level and is_stale(level[key := next(iter(level))]):
                self.drop(key)


class Standing(Enum):
    """What is known of a name at a network."""

    PROVED = "proved"
    """It has logged in from there."""
    UNKNOWN = "unknown"
    FAILED = "failed"
    """It has only failed to, lately."""


@dataclass(slots=True)
class _Failures:
    """Of one name from one network."""

    count: int
    last: float
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Score:
    """Failures of a network, as many as were left of them *at* that time."""

    failures: float
    at: float

    def left(self, now: float) -> float:
        return max(0.0, self.failures - (now - self.at) / LEAK_SECONDS)


class Throttle:
    """The failures of this process's peers."""

    def __init__(
        self,
        longest_seconds: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.longest_seconds = longest_seconds
        """May be changed; what is remembered stays."""
        self._clock = clock
        self._sleep = sleep
        self._pairs: Heaviest[_Pair, _Failures] = Heaviest(MOST_REMEMBERED)
        self._networks: Heaviest[str, _Score] = Heaviest(MOST_REMEMBERED)
        self._proved: Heaviest[_Pair, float] = Heaviest(MOST_REMEMBERED)

    def wait(self, address: str, name: str) -> float:
        """The seconds that an attempt from *address* for *name* would have to wait now; usually 0."""
        key, now = _pair(address, name), self._clock()
        failures = self._pairs.get(key)
        seconds = 0.0
        if failures is not None:
            delay = FIRST_SECONDS * 2.0 ** min(failures.count - 1, 16)
            seconds = failures.last + self._bounded(address, delay) - now
        if not self._has_proved(key, now):
            for network, slope in _scopes(address):
                score = self._networks.get(network)
                if score is not None:
                    delay = (score.left(now) - slope.free) * slope.seconds
                    seconds = max(seconds, score.at + self._bounded(address, delay) - now)
        return max(0.0, seconds)

    def standing(self, address: str, name: str) -> Standing:
        """What is known of *name* at *address*."""
        key, now = _pair(address, name), self._clock()
        if self._has_proved(key, now):
            return Standing.PROVED
        return Standing.UNKNOWN if self._pairs.get(key) is None else Standing.FAILED

    def _has_proved(self, key: _Pair, now: float) -> bool:
        proved = self._proved.get(key)
        return proved is not None and proved + PROVED_SECONDS >= now

    async def pause(self, address: str, name: str) -> bool:
        """Waits as long as the failures so far ask for, which is usually not at all. Returns whether it did wait.

        Raises Refused(UNAVAILABLE) when too many attempts for that name from there wait already.
        """
        seconds = self.wait(address, name)
        if not seconds:
            return False
        failures = self._pairs.get(_pair(address, name)) or _Failures(0, 0.0)
        if failures.waiting >= MOST_WAITING:
            raise Refused(Code.UNAVAILABLE, f"Too many failed logins from here, try again in {seconds:.0f} seconds")
        failures.waiting += 1
        try:
            await self._sleep(seconds)
        finally:
            failures.waiting -= 1
        return True

    def failed(self, address: str, name: str) -> None:
        """A password or proof was wrong."""
        key, now = _pair(address, name), self._clock()
        failures = self._pairs.get(key)
        if failures is None or failures.last + FORGET_SECONDS < now:
            self._pairs.drop_stale(lambda failures: failures.last + FORGET_SECONDS < now)
            failures = _Failures(0, now)
        failures.count += 1
        failures.last = now
        self._pairs.put(key, failures, failures.count.bit_length())
        for network, slope in _scopes(address):
            # beyond this the wait is the longest anyway
            most = slope.free + self.longest_seconds / slope.seconds
            score = self._networks.get(network)
            left = 0.0 if score is None else score.left(now)
            left = max(left, min(most, left + 1 / failures.count))
            self._networks.put(network, _Score(left, now), int(left).bit_length())

    def succeeded(self, address: str, name: str) -> None:
        """The failures before it were slips."""
        key, now = _pair(address, name), self._clock()
        self._pairs.drop(key)
        self._proved.put(key, now, 0)

    def _bounded(self, address: str, seconds: float) -> float:
        seconds = min(self.longest_seconds, seconds)
        return seconds / GENTLE if neighbourhood_of(address) in (LOOPBACK, UNIX) else seconds


def _network(address: str) -> str:
    """What one guesser has: all addresses of this machine are one."""
    return LOOPBACK if neighbourhood_of(address) == LOOPBACK else network_of(address)


def _scopes(address: str) -> tuple[tuple[str, Slope], ...]:
    network, neighbourhood = _network(address), neighbourhood_of(address)
    if network == neighbourhood:
        return ((network, NETWORK),)
    return (network, NETWORK), (neighbourhood, NEIGHBOURHOOD)


def _pair(address: str, name: str) -> _Pair:
    return _network(address), blake2b(name.encode(), digest_size=16).digest()
