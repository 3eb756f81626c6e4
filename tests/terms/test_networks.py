"""Addresses of one network belong together, in any spelling."""

import pytest

from mektup.terms.networks import neighbourhood_of, network_of


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
