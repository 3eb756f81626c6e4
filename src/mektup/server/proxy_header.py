"""The header of the PROXY protocol, versions 1 and 2, as a pure function: octets to a value.

A balancer that passes a connection on sends it before everything else, and it names the client. Both versions, with
their rules, are in ``proxy-protocol.txt`` of HAProxy. An address that we cannot use (UNKNOWN, unspecified, a Unix
socket) is no mistake: the balancer's own address then stands for the client. Extensions of version 2 (TLV) are skipped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

LINE_BYTES = 107
"""The longest header of version 1, CRLF included."""

MOST_BYTES = 16 * 1024
"""The longest header of version 2, with its extensions, that is accepted. The protocol allows 64 KiB."""

_WORD = b"PROXY "
_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
_FIXED_BYTES = 16
_VERSION = 2
_LOCAL, _PROXIED = 0, 1
_ADDRESS_BYTES = {0: 0, 1: 12, 2: 36, 3: 216}
"""Octets of both addresses and ports, by family: unspecified, IPv4, IPv6, Unix."""
_STREAM = 1

# No zero may lead a port: that would be a second spelling.
_PORT = r"(?:0|[1-9][0-9]{0,4})"
_LINE = re.compile(
    rf"PROXY TCP(?P<family>[46]) (?P<source>[0-9A-Fa-f:.]+) (?P<target>[0-9A-Fa-f:.]+) ({_PORT}) ({_PORT})", re.ASCII
)
_UNKNOWN = re.compile(rb"PROXY UNKNOWN(?: [\x20-\x7e]*)?")
_MOST_PORT = 65535


class ProxyError(Exception):
    """The octets are no header; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class ProxyHeader:
    """A complete header."""

    octets: int
    """Its length."""
    source: str | None
    """The IP address of the client; None if the header names none."""


def read_header(octets: bytes) -> ProxyHeader | None:
    """The header that *octets* begin with; None if more octets are needed, and all of these belong to the header.

    Raises ProxyError.
    """
    if _SIGNATURE.startswith(octets[: len(_SIGNATURE)]):
        return _read_binary(octets) if len(octets) >= _FIXED_BYTES else None
    if _WORD.startswith(octets[: len(_WORD)]):
        return _read_line(octets)
    raise ProxyError("the header is missing")


def _read_line(octets: bytes) -> ProxyHeader | None:
    end = octets.find(b"\n", 0, LINE_BYTES)
    if end < 0:
        if len(octets) >= LINE_BYTES:
            raise ProxyError("the line is too long")
        return None
    if octets[end - 1 : end] != b"\r":
        raise ProxyError("the line does not end in CRLF")
    line = octets[: end - 1]
    if _UNKNOWN.fullmatch(line):
        return ProxyHeader(end + 1, None)
    found = _LINE.fullmatch(line.decode("latin-1"))
    if found is None or any(int(port) > _MOST_PORT for port in found.groups()[3:]):
        raise ProxyError("the line is malformed")
    kind = IPv4Address if found["family"] == "4" else IPv6Address
    try:
        source, _ = kind(found["source"]), kind(found["target"])
    except AddressValueError:
        raise ProxyError("an address is malformed") from None
    return ProxyHeader(end + 1, str(source))


def _read_binary(octets: bytes) -> ProxyHeader | None:
    version, command = octets[12] >> 4, octets[12] & 0xF
    if version != _VERSION or command not in (_LOCAL, _PROXIED):
        raise ProxyError("the version or the command is unknown")
    family, transport = octets[13] >> 4, octets[13] & 0xF
    whole = _FIXED_BYTES + int.from_bytes(octets[14:16], "big")
    if whole > MOST_BYTES:
        raise ProxyError("the header is too long")
    if command == _PROXIED:
        # a family without a transport, or the other way round, is as wrong as a datagram
        if family not in _ADDRESS_BYTES or transport != (_STREAM if family else 0):
            raise ProxyError("the address family is unknown, or is not of a stream")
        if whole < _FIXED_BYTES + _ADDRESS_BYTES[family]:
            raise ProxyError("the addresses are cut short")
    if len(octets) < whole:
        return None
    source: str | None = None
    if command == _PROXIED and family == 1:
        source = str(IPv4Address(octets[16:20]))
    elif command == _PROXIED and family == 2:
        source = str(IPv6Address(octets[16:32]))
    return ProxyHeader(whole, source)
