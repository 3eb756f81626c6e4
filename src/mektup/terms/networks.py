"""The network and the neighbourhood of an IP address, for everything that counts or limits clients."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

LOOPBACK = "loopback"
UNIX = "unix"

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_REMEMBERED = 4096


@lru_cache(_REMEMBERED)
def network_of(address: str) -> str:
    """The block that one customer has: an IPv4 address, or an IPv6 /64. Any other text is returned as it is (``unix``).

    IPv4 within IPv6 (RFC 4291 §2.5.5.2, RFC 6052 §2.1) is IPv4. A link-local address is returned alone, because one
    /64 holds many hosts.
    """
    parsed = _parsed(address)
    if parsed is None:
        return address
    if isinstance(parsed, ipaddress.IPv4Address) or parsed.is_link_local or parsed.is_loopback:
        return str(parsed)
    return _prefix(parsed, 64)


@lru_cache(_REMEMBERED)
def neighbourhood_of(address: str) -> str:
    """The block of a site or a small provider: an IPv4 /24 or an IPv6 /48; ``loopback`` for all loopback addresses."""
    parsed = _parsed(address)
    if parsed is None or parsed.is_link_local:
        return network_of(address)
    if parsed.is_loopback:
        return LOOPBACK
    return _prefix(parsed, 24 if isinstance(parsed, ipaddress.IPv4Address) else 48)


def _prefix(parsed: ipaddress.IPv4Address | ipaddress.IPv6Address, length: int) -> str:
    return str(ipaddress.ip_network((parsed, length), strict=False))


def _parsed(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return parsed.ipv4_mapped
        if parsed in _NAT64:
            return ipaddress.IPv4Address(int(parsed) & 0xFFFFFFFF)
    return parsed
