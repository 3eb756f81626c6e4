"""The order in which passwords are checked.

A check takes a tenth of a second, so a peer that sends many passwords delays others. Therefore turns rotate on four
levels. The first level is the standing of the name: it has logged in from there, it has failed to, or neither; so a
crowd of strangers does not keep out daily users. Below it are the neighbourhoods (an IPv4 /24, an IPv6 /48), then the
networks (an address, a /64), then the names. However many attempts of one network wait, the first attempt of another
network waits for one turn of each neighbourhood. At a trusted address, from which many users log in, each name is a
network of its own.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

from mektup.auth import texts
from mektup.auth.throttle import Standing
from mektup.terms.errors import Code, Refused
from mektup.terms.networks import NO_NETWORKS, Networks, neighbourhood_of, network_of

T = TypeVar("T")


class Rotation(Generic[T]):
    """Queues things at paths of equal length; takes turns between the first steps, then between the next ones."""

    def __init__(self, steps: int) -> None:
        """Each path has *steps* steps."""
        self._steps = steps
        self._branches: dict[str, Rotation[T]] = {}
        self._things: deque[T] = deque()

    def __bool__(self) -> bool:
        return bool(self._branches or self._things)

    def add(self, path: Iterable[str], thing: T) -> None:
        """Adds *thing* after all others of its path."""
        level = self
        for step in path:
            branch = level._branches.get(step)
            if branch is None:
                branch = level._branches[step] = Rotation(level._steps - 1)
            level = branch
        assert not level._steps
        level._things.append(thing)

    def take(self) -> T:
        """Removes and returns the next thing. Raises KeyError if nothing waits."""
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
            # after all that wait now
            self._branches[step] = branch
        return thing


class LoginQueue:
    """Lets a fixed number of password checks run at once; the others wait for their turn."""

    def __init__(self, at_once: int, most_of_network: int, trusted: Networks = NO_NETWORKS) -> None:
        """*most_of_network*: how many attempts of one network may wait, for each standing."""
        self.most_of_network = most_of_network
        self.trusted = trusted
        self._free = at_once
        self._waiting: Rotation[asyncio.Future[None]] = Rotation(4)
        self._counts: dict[tuple[str, Standing], int] = {}

    @asynccontextmanager
    async def turn(self, address: str, name: str, standing: Standing = Standing.UNKNOWN) -> AsyncIterator[None]:
        """Waits for the turn of an attempt from *address* for *name*, and holds it during the ``with`` block.

        Raises Refused(UNAVAILABLE) if too many attempts of the same network wait already.
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
        network, neighbourhood = network_of(address), neighbourhood_of(address)
        if self.trusted.has(address):
            network = neighbourhood = f"{network} {name}"
        # Counted by standing, so that strangers behind an office's address do not keep out its daily users.
        place = network, standing
        count = self._counts.get(place, 0)
        if count >= self.most_of_network:
            raise Refused(Code.UNAVAILABLE, texts.TOO_MANY_LOGINS)
        self._counts[place] = count + 1
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.add((standing.value, neighbourhood, network, name), waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():
                # The turn was given in the same moment.
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
