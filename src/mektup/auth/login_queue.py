"""Whose password is checked next.

A check takes a tenth of a second, so whoever sends many passwords makes others wait. Therefore turns go round: first
over what is known of the names (they have logged in from there, they have failed to, or neither), so that a crowd of
strangers does not keep out who comes every day. Of each it goes round over the neighbourhoods from which somebody waits
(an IPv4 /24, an IPv6 /48), within one over its networks (an address, a /64), and within one over the names. However
many attempts one network has waiting, another's first waits for one turn of each neighbourhood.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from mektup.auth.throttle import Standing
from mektup.terms.errors import Code, Refused
from mektup.terms.networks import neighbourhood_of, network_of

T = TypeVar("T")


class Rotation(Generic[T]):
    """Things that wait, each at a path of equal length; they are taken in turn over the first steps, then the next."""

    def __init__(self, steps: int) -> None:
        """Paths have *steps* steps."""
        self._steps = steps
        self._branches: dict[str, Rotation[T]] = {}
        self._things: deque[T] = deque()

    def __bool__(self) -> bool:
        return bool(self._branches or self._things)

    def add(self, path: Iterable[str], thing: T) -> None:
        """*thing* waits behind all others of its path."""
        level = self
        for step in path:
            branch = level._branches.get(step)
            if branch is None:
                branch = level._branches[step] = Rotation(level._steps - 1)
            level = branch
        assert not level._steps
        level._things.append(thing)

    def take(self) -> T:
        """The next; raises KeyError where nothing waits."""
        if not self._steps:
            if not self._things:
                raise KeyError
            return self._things.popleft()
        if not self._branches:
            raise KeyError
        step = next(iter(self._branches))
        branch = self._branches.pop(step)
        thing = branch.take()
        if branch:
            # behind all who wait now
            self._branches[step] = branch
        return thing


class LoginQueue:
    """Lets so many checks of passwords run at once, and those that wait in turn."""

    def __init__(self, at_once: int, most_of_network: int) -> None:
        """*most_of_network* attempts of one network may wait, of each standing."""
        self.most_of_network = most_of_network
        self._free = at_once
        self._waiting: Rotation[asyncio.Future[None]] = Rotation(4)
        self._counts: dict[tuple[str, Standing], int] = {}

    @asynccontextmanager
    async def turn(self, address: str, name: str, standing: Standing = Standing.UNKNOWN) -> AsyncIterator[None]:
        """The time in which one attempt from *address* for *name* may compute.

        Raises Refused(UNAVAILABLE) when too many of the same network wait already.
        """
        if self._free:
            self._free -= 1
        else:
            await self._wait(address, name, standing)
        try:
            yield
        finally:
            self._give_on()

    async def _wait(self, address: str, name: str, standing: Standing) -> None:
        network = network_of(address)
        # apart, so that a crowd behind an office's address does not keep out who comes from there every day
        place = network, standing
        count = self._counts.get(place, 0)
        if count >= self.most_of_network:
            raise Refused(Code.UNAVAILABLE, "Too many logins from your address wait already, try again later")
        self._counts[place] = count + 1
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add((standing.value, neighbourhood_of(address), network, name), waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # the turn came in the same moment
                self._give_on()
            raise
        finally:
            if self._counts[place] > 1:
                self._counts[place] -= 1
            else:
                del self._counts[place]

    def _give_on(self) -> None:
        while self._waiting:
            waiter = self._waiting.take()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._free += 1
