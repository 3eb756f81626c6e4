"""The header of the PROXY protocol: what is read, what is refused, and that no octet behind it is taken."""

from __future__ import annotations

import struct
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.server.proxy_header import LINE_BYTES, MOST_BYTES, ProxyError, ProxyHeader, read_header

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
FOUR = IPv4Address("192.0.2.7").packed + IPv4Address("198.51.100.1").packed + struct.pack(">HH", 40000, 993)
SIX = IPv6Address("2001:db8::7").packed + IPv6Address("2001:db8::1").packed + struct.pack(">HH", 40000, 993)
UNIX = b"/run/client".ljust(108, b"\0") + b"/run/server".ljust(108, b"\0")
TLV = b"\x01\x00\x04imap\x20\x00\x05\x01\0\0\0\0"


def binary(version_and_command: int, family: int, body: bytes) -> bytes:
    return SIGNATURE + bytes([version_and_command, family]) + struct.pack(">H", len(body)) + body


HEADERS = [
    (b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 993\r\n", "192.0.2.7"),
    (b"PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", "255.255.255.255"),
    (b"PROXY TCP6 2001:db8::7 2001:db8::1 40000 0\r\n", "2001:db8::7"),
    (b"PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n", "::ffff:c000:207"),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f:ffff::1 whatever it says 65535\r\n", None),
    (b"PROXY UNKNOWN " + b"x" * (LINE_BYTES - 16) + b"\r\n", None),
    (binary(0x21, 0x11, FOUR), "192.0.2.7"),
    (binary(0x21, 0x11, FOUR + TLV), "192.0.2.7"),
    (binary(0x21, 0x21, SIX), "2001:db8::7"),
    (binary(0x21, 0x21, SIX + TLV * 100), "2001:db8::7"),
    (binary(0x21, 0x31, UNIX), None),
    (binary(0x21, 0x00, b""), None),
    (binary(0x21, 0x00, TLV), None),
    (binary(0x20, 0x00, b""), None),
    (binary(0x20, 0x11, FOUR), None),
    (binary(0x20, 0xFF, b"anything"), None),
    (binary(0x21, 0x11, FOUR.ljust(MOST_BYTES - 16, b"\0")), "192.0.2.7"),
]


def spoken(address: str | None) -> str | None:
    return address and str(IPv6Address(address) if ":" in address else IPv4Address(address))


@pytest.mark.parametrize(("octets", "source"), HEADERS, ids=[repr(octets[:40]) for octets, _ in HEADERS])
@pytest.mark.parametrize("behind", [b"", b"a1 NOOP\r\n", b"\x16\x03\x01", b"PROXY TCP4 203.0.113.9 1.2.3.4 1 2\r\n"])
def test_a_header_names_the_client_and_ends_where_the_session_begins(
    octets: bytes, source: str | None, behind: bytes
) -> None:
    assert read_header(octets + behind) == ProxyHeader(len(octets), spoken(source))


@pytest.mark.parametrize("octets", [octets for octets, _ in HEADERS], ids=[repr(octets[:40]) for octets, _ in HEADERS])
def test_every_beginning_of_a_header_waits_for_more(octets: bytes) -> None:
    assert all(read_header(octets[:size]) is None for size in range(len(octets)))


@pytest.mark.parametrize(
    "octets",
    [
        b"a1 NOOP\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY\r\n",
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 993\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 993 \r\n",
        b"PROXY TCP4  192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY  TCP4 192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY TCP4\t192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 993 1\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 993\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40000 0993\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 993\r\n",
        b"PROXY TCP4 192.0.2.256 198.51.100.1 40000 993\r\n",
        b"PROXY TCP4 192.0.2.07 198.51.100.1 40000 993\r\n",
        b"PROXY TCP4 192.0.2.7 example.org 40000 993\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 40000 993\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY TCP6 fe80::1%eth0 ::1 40000 993\r\n",
        b"PROXY TCP5 192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY UDP4 192.0.2.7 198.51.100.1 40000 993\r\n",
        b"PROXY UNKNOWNX\r\n",
        b"PROXY UNKNOWN \x1b[2J\r\n",
        b"PROXY TCP4 192.0.2.7\r198.51.100.1 40000 993\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 ٤ 993\r\n".encode(),
        b"PROXY TCP4 " + b"1" * LINE_BYTES,
        b"PROXY UNKNOWN " + b"x" * (LINE_BYTES - 15) + b"\r\n",
        SIGNATURE[:-1] + b"\r",
        b"\r\n\r\nSSH-2.0",
        binary(0x11, 0x11, FOUR),
        binary(0x31, 0x11, FOUR),
        binary(0x22, 0x11, FOUR),
        binary(0x2F, 0x11, FOUR),
        binary(0x21, 0x12, FOUR),
        binary(0x21, 0x10, FOUR),
        binary(0x21, 0x01, FOUR),
        binary(0x21, 0x41, FOUR),
        binary(0x21, 0xFF, FOUR),
        binary(0x21, 0x11, FOUR[:-1]),
        binary(0x21, 0x21, SIX[:-1]),
        binary(0x21, 0x31, UNIX[:-1]),
        binary(0x21, 0x11, FOUR.ljust(MOST_BYTES - 15, b"\0")),
        binary(0x20, 0x00, b"\0" * 65535),
    ],
)
def test_anything_else_is_refused(octets: bytes) -> None:
    with pytest.raises(ProxyError):
        read_header(octets)


@given(
    st.binary(max_size=200)
    | st.builds(lambda rest: b"PROXY " + rest, st.binary(max_size=150))
    | st.builds(lambda rest: SIGNATURE + rest, st.binary(max_size=250))
)
def test_octets_are_read_or_refused_or_wait_and_the_reader_never_waits_for_ever(octets: bytes) -> None:
    try:
        header = read_header(octets)
    except ProxyError:
        return
    if header is None:
        assert len(octets) < MOST_BYTES
    else:
        assert 0 < header.octets <= len(octets)
        assert read_header(octets[: header.octets]) == header


@given(st.ip_addresses(), st.ip_addresses(v=4), st.ip_addresses(v=6), st.integers(0, 65535), st.binary(max_size=300))
def test_both_versions_say_the_same(
    source: IPv4Address | IPv6Address, four: IPv4Address, six: IPv6Address, port: int, behind: bytes
) -> None:
    target = four if source.version == 4 else six
    line = f"PROXY TCP{source.version} {source} {target} {port} {port}\r\n".encode()
    family = 0x11 if source.version == 4 else 0x21
    packed = binary(0x21, family, source.packed + target.packed + struct.pack(">HH", port, port))
    for octets in (line, packed):
        assert read_header(octets + behind) == ProxyHeader(len(octets), str(source))


@given(st.sampled_from([octets for octets, _ in HEADERS]), st.data())
def test_one_wrong_octet_is_never_an_error_of_ours(octets: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(octets) - 1))
    changed = bytearray(octets)
    changed[at] = data.draw(st.integers(0, 255))
    try:
        header = read_header(bytes(changed))
    except ProxyError:
        return
    assert header is None or header.octets <= len(octets)
