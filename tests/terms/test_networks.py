"""Addresses of one network belong together, in any spelling."""

import re

import pytest

from mektup.terms.networks import neighbourhood_of, network_of, networks


@pytest.mark.parametrize(
    ("address", "network", "neighbourhood"),
    [
        ("192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
        ("64:ff9b::192.0.2.1", "192.0.2.1", "192.0.2.0/24"),
        ("2001:db8:0:1:ffff::2", "2001:db8:0:1::/64", "2001:db8::/48"),
        ("2001:DB8:0:1::", "2001:db8:0:1::/64", "2001:db8::/48"),
        ("2001:db8:1:1::1", "2001:db8:1:1::/64", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::1", "fe80::1"),
        ("127.0.0.1", "127.0.0.1", "loopback"),
        ("127.8.9.1", "127.8.9.1", "loopback"),
        ("::1", "::1", "loopback"),
        ("::ffff:127.0.0.1", "127.0.0.1", "loopback"),
        ("unix", "unix", "unix"),
        ("", "", ""),
    ],
)
def test_an_address_belongs_to_a_network(address: str, network: str, neighbourhood: str) -> None:
    assert network_of(address) == network
    assert neighbourhood_of(address) == neighbourhood


def test_a_set_of_networks() -> None:
    some = networks(["192.0.2.0/24", "2001:db8::/32", "203.0.113.7", "unix"])
    inside = ["192.0.2.9", "::ffff:192.0.2.9", "64:ff9b::192.0.2.9", "2001:db8:1::1", "203.0.113.7", "unix"]
    outside = ["192.0.3.9", "2001:db9::1", "203.0.113.8", "", "linda", "127.0.0.1"]
    assert all(map(some.has, inside))
    assert not any(map(some.has, outside))


def test_an_empty_set_has_nothing() -> None:
    assert not networks([])
    assert not networks([]).has("unix")
    assert not networks([]).has("192.0.2.9")


@pytest.mark.parametrize("text", ["192.0.2.1/24", "web.example.org", "", "192.0.2.0/33", "::1%lo", "unix:", "*"])
def test_what_is_no_network_is_named(text: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        networks(["192.0.2.0/24", text])
