"""Slows down password guessing, and bans nobody.

After each failure, the next attempt from the same network for the same name waits twice as long, up to a limit; a
success resets this. A user who mistyped waits half a second. Failures also count for the network and for its
neighbourhood, whatever the names, each with its own slope. Some failures are free, because an office behind one address
always has some. Failures of the same name count less and less, because a telephone with an old password fails all day.
A name that has logged in from a network does not wait for the failures of others there. No login is refused because of
other names' failures, and no login waits longer than the limit.

Guesses for one name from many networks have a slope, too. They delay the name only where it has not logged in from
lately, and at most a third of the limit. So a crowd of machines is slowed, and nobody can lock out a user from
elsewhere.

Loopback waits less, because webmail and tests log in from there for all users. From a *trusted* address many users log
in, too: it waits as little, and the failures of one name there do not count for others. Each process counts by itself.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from typing import Generic, TypeVar

from mektup.auth import texts
from mektup.terms.errors import Code, Refused
from mektup.terms.networks import LOOPBACK, NO_NETWORKS, UNIX, Networks, neighbourhood_of, network_of

FIRST_SECONDS = 0.5
GENTLE = 8
"""The waits of loopback and of trusted addresses are divided by this."""
FORGET_SECONDS = 15 * 60.0
MOST_REMEMBERED = 10_000
"""The size of each of the four tables. Entries with many failures are kept longest."""
MOST_WAITING = 8
"""Attempts that may wait at once for one name from one network; they are checked together when the wait is over."""

LEAK_SECONDS = 15.0
"""After this time, a network's failures count one less."""
PROVED_SECONDS = 24 * 3600.0
"""How long a name that logged in from a network does not wait for the failures of others there."""

_Pair = tuple[str, bytes]

K = TypeVar("K", bound=Hashable)
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Slope:
    """How waits grow with the failures of many names."""

    free: float
    """Failures without a wait."""
    seconds: float
    """The wait for each failure above *free*."""


NETWORK = Slope(free=10.0, seconds=0.25)
NEIGHBOURHOOD = Slope(free=50.0, seconds=0.1)
NAME = Slope(free=20.0, seconds=0.25)
NAME_SHARE = 3
"""Failures of a name in other networks make it wait for at most the longest wait divided by this."""


class Heaviest(Generic[K, E]):
    """A table of bounded size. It drops the entry of the lowest weight first; among these, the least recently used.

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
        """The entry of *key*, or None."""
        level = self._level_of.get(key)
        return None if level is None else self._levels[level][key]

    def put(self, key: K, entry: E, weight: int) -> None:
        """Stores *entry* for *key*, as the most recently used one."""
        self.drop(key)
        if len(self._level_of) >= self._most:
            lightest = next(level for level in self._levels if level)
            # a dict keeps its order, and a used key moves to the end
            self.drop(next(iter(lightest)))
        level = max(0, min(weight, self.LEVELS - 1))
        self._level_of[key] = level
        self._levels[level][key] = entry

    def drop(self, key: K) -> None:
        """Removes *key*, if it is there."""
        level = self._level_of.pop(key, None)
        if level is not None:
            del self._levels[level][key]

    def drop_stale(self, is_stale: Callable[[E], bool]) -> None:
        """Removes, for each weight, the least recently used entries while they are stale."""
        for level in self._levels:
            while level and is_stale(level[key := next(iter(level))]):
                self.drop(key)


class Standing(Enum):
    """The history of a name at a network."""

    PROVED = "proved"
    """It has logged in from there."""
    UNKNOWN = "unknown"
    FAILED = "failed"
    """It has failed lately, and not logged in from there."""


@dataclass(slots=True)
class _Failures:
    """Failures of one name from one network."""

    count: int
    last: float
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class _Score:
    """The failures of a network, or of a name in all networks, as they counted at the time *at*."""

    failures: float
    at: float

    def left(self, now: float) -> float:
        return max(0.0, self.failures - (now - self.at) / LEAK_SECONDS)


class Throttle:
    """Counts the failures of this process's peers, and computes the waits."""

    def __init__(
        self,
        longest_seconds: float,
        *,
        trusted: Networks = NO_NETWORKS,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.longest_seconds = longest_seconds
        """May be changed, as *trusted* may; counted failures stay."""
        self.trusted = trusted
        self._clock = clock
        self._sleep = sleep
        self._pairs: Heaviest[_Pair, _Failures] = Heaviest(MOST_REMEMBERED)
        self._networks: Heaviest[str, _Score] = Heaviest(MOST_REMEMBERED)
        self._names: Heaviest[bytes, _Score] = Heaviest(MOST_REMEMBERED)
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
            for network, slope in self._scopes(address):
                seconds = max(seconds, self._wait_of(address, self._networks.get(network), slope, now))
            seconds = max(seconds, self._wait_of(address, self._names.get(key[1]), NAME, now, NAME_SHARE))
        return max(0.0, seconds)

    def _wait_of(self, address: str, score: _Score | None, slope: Slope, now: float, share: int = 1) -> float:
        if score is None:
            return 0.0
        delay = min(self.longest_seconds / share, (score.left(now) - slope.free) * slope.seconds)
        return score.at + self._bounded(address, delay) - now

    def standing(self, address: str, name: str) -> Standing:
        """The history of *name* at the network of *address*."""
        key, now = _pair(address, name), self._clock()
        if self._has_proved(key, now):
            return Standing.PROVED
        return Standing.UNKNOWN if self._pairs.get(key) is None else Standing.FAILED

    def _has_proved(self, key: _Pair, now: float) -> bool:
        proved = self._proved.get(key)
        return proved is not None and proved + PROVED_SECONDS >= now

    async def pause(self, address: str, name: str) -> bool:
        """Waits as long as earlier failures require, which is usually not at all. Returns whether it waited.

        Raises Refused(UNAVAILABLE) if too many attempts for that name from there wait already.
        """
        seconds = self.wait(address, name)
        if not seconds:
            return False
        failures = self._pairs.get(_pair(address, name)) or _Failures(0, 0.0)
        if failures.waiting >= MOST_WAITING:
            raise Refused(Code.UNAVAILABLE, texts.TOO_MANY_FAILURES.of(count=round(seconds)))
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
        for network, slope in self._scopes(address):
            self._add(self._networks, network, slope, 1 / failures.count, now)
        self._add(self._names, key[1], NAME, 1 / failures.count, now)

    def _add(self, scores: Heaviest[K, _Score], key: K, slope: Slope, more: float, now: float) -> None:
        # above this, the wait is at its limit already
        most = slope.free + self.longest_seconds / slope.seconds
        score = scores.get(key)
        left = 0.0 if score is None else score.left(now)
        left = max(left, min(most, left + more))
        scores.put(key, _Score(left, now), int(left).bit_length())

    def succeeded(self, address: str, name: str) -> None:
        """A password or proof was right: forgets the failures of this name there."""
        key, now = _pair(address, name), self._clock()
        self._pairs.drop(key)
        self._proved.put(key, now, 0)

    def _bounded(self, address: str, seconds: float) -> float:
        seconds = min(self.longest_seconds, seconds)
        is_gentle = neighbourhood_of(address) in (LOOPBACK, UNIX) or self.trusted.has(address)
        return seconds / GENTLE if is_gentle else seconds

    def _scopes(self, address: str) -> tuple[tuple[str, Slope], ...]:
        """The networks for which all names' failures count together."""
        if self.trusted.has(address):
            return ()
        network, neighbourhood = _network(address), neighbourhood_of(address)
        if network == neighbourhood:
            return ((network, NETWORK),)
        return (network, NETWORK), (neighbourhood, NEIGHBOURHOOD)


def _network(address: str) -> str:
    """The network that one attacker is assumed to have; all addresses of this machine are one."""
    return LOOPBACK if neighbourhood_of(address) == LOOPBACK else network_of(address)


def _pair(address: str, name: str) -> _Pair:
    return _network(address), blake2b(name.encode(), digest_size=16).digest()
