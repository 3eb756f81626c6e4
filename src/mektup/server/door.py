"""Decides which connections may enter, and which one gives way when all places are taken.

A connection before login is called a stranger. Strangers have only a share of the places, and each network (an IPv4
address or an IPv6 /64) has a share of that. When the strangers' share is full, the oldest connection of the network
with the most strangers gives way to a network with fewer. Some places are reserved for mail transfer agents. All limits
hold for one process, so for each worker.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mektup.server import texts
from mektup.server.addresses import Service
from mektup.terms.limits import Limits
from mektup.terms.texts import Text

GRACE_SECONDS = 5.0
"""How long the only connection of a network may stay before login, even if others need its place."""

LARGEST_RESERVE = 20
"""At most one place in so many is reserved for mail transfer agents."""

G = TypeVar("G", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Verdict(Generic[G]):
    """Whether one more connection may enter."""

    objection: Text | None = None
    """Why it may not; None if it may."""
    gives_way: G | None = None
    """The guest that has to leave for it."""


class Door(Generic[G]):
    """The places of one process. A guest is a connection, or any hashable object in a test."""

    def __init__(self) -> None:
        self.open = 0
        """The number of guests inside."""
        self._transfer_agents = 0
        self._networks: dict[str, dict[G, float]] = {}
        """The strangers of each network, with the time when they came; the oldest first."""
        self._by_count: dict[int, dict[str, None]] = {}
        """Networks by their number of strangers; the network that has had this number for longest comes first."""
        self._most = 0
        self._network_of: dict[G, str] = {}

    @property
    def strangers(self) -> int:
        """The number of guests that have not logged in."""
        return len(self._network_of)

    def ask(self, network: str, service: Service, limits: Limits, now: float) -> Verdict[G]:
        """Whether one more connection from *network* may enter at the time *now*."""
        if service.is_for_agents:
            return Verdict(texts.FULL if self.open >= limits.connections else None)
        if len(self._networks.get(network, ())) >= limits.connections_per_address_before_login:
            return Verdict(texts.FULL_FOR_NETWORK)
        kept = min(limits.connections_kept_for_lmtp, limits.connections // LARGEST_RESERVE)
        places = limits.connections - kept
        if self.open - self._transfer_agents < places and self.open < limits.connections:
            if self.strangers < min(limits.connections_before_login, places):
                return Verdict()
        return self._make_room(network, now)

    def enter(self, guest: G, network: str, service: Service, now: float) -> None:
        """*guest* enters. It is a stranger, unless it is a mail transfer agent."""
        self.open += 1
        if service.is_for_agents:
            self._transfer_agents += 1
            return
        self.logged_out(guest, network, now)

    def logged_out(self, guest: G, network: str, now: float) -> None:
        """*guest*, who is inside and no stranger, is one from now on."""
        strangers = self._networks.setdefault(network, {})
        strangers[guest] = now
        self._network_of[guest] = network
        self._recount(network, len(strangers) - 1, len(strangers))

    def logged_in(self, guest: G) -> None:
        """*guest* is no stranger any more: it has logged in, or is gone. May be called twice."""
        network = self._network_of.pop(guest, None)
        if network is None:
            return
        strangers = self._networks[network]
        del strangers[guest]
        if not strangers:
            del self._networks[network]
        self._recount(network, len(strangers) + 1, len(strangers))

    def leave(self, guest: G, service: Service) -> None:
        """*guest* is gone; to be called once."""
        self.logged_in(guest)
        self.open -= 1
        if service.is_for_agents:
            self._transfer_agents -= 1

    def _make_room(self, network: str, now: float) -> Verdict[G]:
        own = len(self._networks.get(network, ()))
        if self._most <= own:
            return Verdict(texts.FULL)
        busiest = next(iter(self._by_count[self._most]))
        guest, came = next(iter(self._networks[busiest].items()))
        if self._most == 1 and now - came < GRACE_SECONDS:
            # each network has one stranger: one that has just come may be about to log in
            return Verdict(texts.FULL)
        return Verdict(gives_way=guest)

    def _recount(self, network: str, before: int, after: int) -> None:
        if before:
            level = self._by_count[before]
            del level[network]
            if not level:
                del self._by_count[before]
        if after:
            self._by_count.setdefault(after, {})[network] = None
        # each count changes by one, so the highest count does, too
        self._most = max(self._most, after)
        if self._most not in self._by_count:
            self._most -= 1
