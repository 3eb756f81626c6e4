"""Clients before login cannot take all connections: the busiest network gives way; LMTP and logged-in clients stay."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from mektup.server.addresses import Service
from mektup.server.door import GRACE_SECONDS, Door, Verdict
from mektup.server.texts import FULL, FULL_FOR_NETWORK
from mektup.terms.limits import Limits
from mektup.terms.networks import network_of

LIMITS = Limits(
    connections=100,
    connections_before_login=20,
    connections_per_address_before_login=8,
    connections_kept_for_lmtp=5,
)


class House:
    """A door, with numbers as connections."""

    def __init__(self, limits: Limits = LIMITS) -> None:
        self.door: Door[int] = Door()
        self.limits = limits
        self.now = 0.0
        self.inside: dict[int, Service] = {}
        self._numbers = itertools.count()

    def come(self, address: str, service: Service = Service.IMAP) -> int | Verdict[int]:
        """The accepted connection, or the reason of the refusal."""
        verdict = self.door.ask(network_of(address), service, self.limits, self.now)
        if verdict.gives_way is not None:
            self.go(verdict.gives_way)
        if verdict.objection is not None:
            return verdict
        guest = next(self._numbers)
        self.door.enter(guest, network_of(address), service, self.now)
        self.inside[guest] = service
        return guest

    def go(self, guest: int) -> None:
        self.door.leave(guest, self.inside.pop(guest))

    def log_in(self, address: str) -> None:
        guest = self.come(address)
        assert isinstance(guest, int), guest
        self.door.logged_in(guest)


def test_a_64_of_ipv6_is_one_network() -> None:
    house = House()
    for number in range(8):
        assert isinstance(house.come(f"2001:db8::{number:x}"), int)
    assert house.come("2001:db8::ffff:1:2:3") == Verdict(FULL_FOR_NETWORK)
    assert isinstance(house.come("2001:db8:0:1::1"), int)


def test_ipv4_within_ipv6_is_the_same_network() -> None:
    house = House()
    for _ in range(4):
        house.come("192.0.2.1")
        house.come("::ffff:192.0.2.1")
    assert house.come("192.0.2.1") == Verdict(FULL_FOR_NETWORK)


def test_the_oldest_of_the_busiest_network_gives_way() -> None:
    house = House()
    few = [house.come("192.0.2.1") for _ in range(4)]
    many = [house.come("192.0.2.2") for _ in range(8)]
    some = [house.come("192.0.2.3") for _ in range(8)]
    assert house.door.strangers == 20
    house.go(some[0])  # type: ignore[arg-type]
    assert isinstance(house.come("198.51.100.1"), int)
    assert isinstance(house.come("198.51.100.2"), int)
    assert many[0] not in house.inside
    assert house.door.strangers == 20
    assert set(few) <= set(house.inside)


def test_the_busiest_network_makes_no_room_for_itself() -> None:
    house = House(Limits(connections=2))
    house.come("192.0.2.1")
    house.come("192.0.2.1")
    assert house.come("192.0.2.1") == Verdict(FULL)


def test_a_lone_connection_has_some_seconds_and_then_gives_way() -> None:
    house = House()
    guests = [house.come(f"192.0.2.{number}") for number in range(20)]
    assert house.come("198.51.100.1") == Verdict(FULL)
    house.now += GRACE_SECONDS
    assert isinstance(house.come("198.51.100.1"), int)
    assert guests[0] not in house.inside


def test_connections_before_login_leave_places_for_lmtp_and_logins() -> None:
    house = House()
    for number in range(30):
        for _ in range(8):
            house.come(f"192.0.2.{number}")
    assert house.door.strangers == 20
    house.now += GRACE_SECONDS
    for number in range(75):
        house.log_in(f"198.51.100.{number}")
    assert isinstance(house.come("203.0.113.1"), int)
    assert house.door.open == 95
    # logged-in connections do not take the places of LMTP
    for _ in range(5):
        assert isinstance(house.come("127.0.0.1", Service.LMTP), int)
    assert house.come("127.0.0.1", Service.LMTP) == Verdict(FULL)
    # and connections before login still give way to others
    house.log_in("198.51.100.200")
    assert (house.door.open, house.door.strangers) == (100, 19)


STEPS = st.lists(
    st.tuples(st.sampled_from(["come", "log in", "go", "wait"]), st.integers(0, 12), st.booleans()), max_size=200
)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_no_network_pushes_out_one_that_has_fewer(steps: list[tuple[str, int, bool]]) -> None:
    house = House(
        Limits(
            connections=30,
            connections_before_login=10,
            connections_per_address_before_login=6,
            connections_kept_for_lmtp=1,
        )
    )
    strangers: dict[int, str] = {}
    for step, number, lmtp in steps:
        if step == "wait":
            house.now += number
        elif step == "come":
            address = f"192.0.2.{number}"
            before = Counter(strangers.values())
            inside = set(house.inside)
            guest = house.come(address, Service.LMTP if lmtp else Service.IMAP)
            for gone in inside - set(house.inside):
                # it was of the network with the most connections, and that had more than the new one's network
                assert before[strangers[gone]] == max(before.values()) > before[address]
                del strangers[gone]
            if isinstance(guest, int) and not lmtp:
                strangers[guest] = address
        elif house.inside:
            guest = sorted(house.inside)[number % len(house.inside)]
            strangers.pop(guest, None)
            if step == "go":
                house.go(guest)
            else:
                house.door.logged_in(guest)
        counts = Counter(strangers.values())
        assert house.door.strangers == len(strangers) <= 10
        assert house.door.open == len(house.inside) <= 30
        assert max(counts.values(), default=0) <= 6
        assert house.door._most == max(counts.values(), default=0)


def test_a_guest_that_logs_out_is_a_stranger_again() -> None:
    house = House()
    guest = house.come("192.0.2.1")
    assert isinstance(guest, int)
    house.door.logged_in(guest)
    assert house.door.strangers == 0
    house.door.logged_out(guest, network_of("192.0.2.1"), house.now)
    assert (house.door.strangers, house.door.open) == (1, 1)
    house.go(guest)
    assert (house.door.strangers, house.door.open) == (0, 0)
