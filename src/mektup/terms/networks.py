"""The network and the neighbourhood of an IP address, and sets of networks, for all that counts or limits clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Networks:
    """A set of IP networks, as an operator lists them; ``unix`` in it stands for Unix sockets."""

    blocks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = ()
    unix: bool = False

    def __bool__(self) -> bool:
        return bool(self.blocks) or self.unix

    def has(self, address: str) -> bool:
        """Whether *address*, of a client, is in one of the networks. IPv4 within IPv6 is IPv4."""
        if not self.blocks or (parsed := _parsed(address)) is None:
            return self.unix and address == UNIX
        return any(parsed in block for block in self.blocks)


NO_NETWORKS = Networks()


def networks(texts: Iterable[str]) -> Networks:
    """Reads ``10.0.0.0/8``, ``2001:db8::/32``, an address alone, or ``unix``. Raises ValueError with the wrong text."""
    blocks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    unix = False
    for text in texts:
        if text == UNIX:
            unix = True
            continue
        if "%" in text:
            # ipaddress takes a scope, but no address that is compared here has one
            raise ValueError(text)
        try:
            blocks.append(ipaddress.ip_network(text))
        except ValueError:
            raise ValueError(text) from None
    return Networks(tuple(blocks), unix)


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
