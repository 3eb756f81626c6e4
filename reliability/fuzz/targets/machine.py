"""What comes from the machine, not from mail: configuration, datagrams of processes, the WAL-index, DEFLATE."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path

from mektup.server import config
from mektup.server.addresses import AddressError, endpoint
from mektup.server.config import ConfigError
from mektup.server.hostnames import objection_to_hostname
from mektup.server.layers.deflate import INFLATED_BYTES, DeflateLayer
from mektup.store.notices import unpacked
from mektup.store.sqlite.file import wal_index
from mektup.terms.networks import neighbourhood_of, network_of
from reliability.fuzz.target import Target, pieces, require, same

_FOLDER = Path(tempfile.gettempdir())


def configuration(octets: bytes) -> None:
    """A file of settings is read, or refused with words."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        file.write(octets)
        file.flush()
        try:
            found = config.load(Path(file.name))
        except ConfigError as error:
            require(str(error), "no words")
            return
    require(found.limits is not None and found.hostname, "not a configuration")


def addresses(octets: bytes) -> None:
    """An address to listen at, a hostname, and networks of addresses."""
    text = octets.decode("utf-8", "replace")
    try:
        found = endpoint(text, _FOLDER)
    except AddressError:
        pass
    else:
        require(found.port == 0 or found.meets(found), "an address does not meet itself")
    objection_to_hostname(text)
    network_of(text)
    neighbourhood_of(text)


def datagram(octets: bytes) -> None:
    """A datagram, or what another node sends, gives notices with valid numbers, or nothing."""
    for (account, mailbox), modseq in unpacked(octets):
        require(account and 0 <= mailbox < 10**19 and 0 <= modseq < 10**19, "an impossible notice")


def index(octets: bytes) -> None:
    """Two states of a WAL-index are compared, whatever is in them."""
    size = wal_index.HEADER_BYTES
    before, after = octets[:size].ljust(size, b"\0"), octets[size : 2 * size].ljust(size, b"\0")
    wal_index._is_next(before, after)
    require(not wal_index._is_next(before, before), "a state follows itself")


def deflate(octets: bytes) -> None:
    """Any octets can be inflated, never many at a time; what is deflated comes back."""
    layer = DeflateLayer()
    for piece in pieces(octets)[:200]:
        _take(layer, piece)
    theirs = zlib.compressobj(wbits=-15)
    sent = theirs.compress(octets) + theirs.flush(zlib.Z_SYNC_FLUSH)
    layer = DeflateLayer()
    same(b"".join(_take(layer, piece) for piece in pieces(sent)), octets, "inflated")
    same(
        zlib.decompressobj(-15).decompress(layer.send(octets) + layer.send(octets[:10])),
        octets + octets[:10],
        "deflated",
    )


def _take(layer: DeflateLayer, piece: bytes) -> bytes:
    taken = layer.receive(piece)
    require(len(taken) <= INFLATED_BYTES, "too many octets at a time")
    for _ in range(200):
        if not layer.has_more:
            return taken
        more = layer.receive(b"")
        require(len(more) <= INFLATED_BYTES, "too many octets at a time")
        taken += more
    return taken


_CONFIGURATION = b"""data = "mail"
workers = 2
hostname = "mx.example.org"
compression = 3
[listen]
imap = ["127.0.0.1:1143", "[::1]:143"]
imaps = [":993"]
lmtp = ["unix:lmtp.sock"]
[tls]
cert = "cert.pem"
key = "key.pem"
[auth]
plaintext = "never"
[log]
level = "debug"
format = "json"
[limits]
line_bytes = 65536
idle_seconds = 1800.0
text_index = false
[proxy_from]
imap = ["10.0.0.0/8", "::1"]
[lmtp]
detail_folders = true
"""

TARGETS = (
    Target(
        "config",
        "the configuration file",
        configuration,
        lambda: (_CONFIGURATION,),
        (
            b"[limits]\n",
            b"[listen]\n",
            b"imap = ",
            b"[",
            b"]",
            b'"',
            b"=",
            b"\n",
            b"true",
            b"1",
            b"1e999",
            b"-1",
            b"nan",
            b"inf",
            b".",
            b"9" * 30,
            b"'''",
            b'"""',
            b"{",
            b"}",
            b",",
            b"\\u0000",
            b"0x",
            b"1979-05-27",
            b"\xef\xbb\xbf",
            b"#",
            b"a.b.c = ",
        ),
        ((b"", b""), (b"a = ", b"\n"), (b"[listen]\nimap = [", b"]"), (b'hostname = "', b'"'), (b"[limits.", b"]")),
        longest=1000,
        # only the operator writes this file, and tomllib takes long for thousands of nested tables
        grows=False,
    ),
    Target(
        "listen",
        "addresses, hostnames, networks",
        addresses,
        lambda: (
            b"127.0.0.1:143",
            b"[::1]:993",
            b"unix:run/x",
            b":143",
            b"localhost:1",
            b"mx.example.org",
            b"fe80::1%eth0",
            b"::ffff:1.2.3.4",
            "şehir.example".encode(),
            b"2001:db8::/32",
        ),
        (b":", b"[", b"]", b"%", b"/", b"unix:", b"0", b"65536", b"::", b".", b"\0", b"-", b"xn--"),
        longest=300,
    ),
    Target(
        "bus",
        "notices of other processes and nodes",
        datagram,
        lambda: (b"a1 5 77", b"* 0 9223372036854775807\nb 1 2", b""),
        (b" ", b"\n", b"*", b"0", b"9" * 19, "²".encode(), "١".encode(), b"-1"),
        longest=300,
        largest=16 * 1024,
    ),
    Target(
        "walindex",
        "states of the WAL-index",
        index,
        lambda: (bytes(96), bytes(range(96))),
        (b"\1", b"\xff" * 4),
        longest=200,
        largest=1024,
    ),
    Target(
        "deflate",
        "DEFLATE, both ways",
        deflate,
        lambda: (
            zlib.compress(b"a1 NOOP\r\n" * 50, wbits=-15),
            b"a1 NOOP\r\n",
            bytes(3000),
            zlib.compress(bytes(500_000), wbits=-15),
        ),
        (b"\0\0\xff\xff", b"\x03\0", b"\1\0\0\xff\xff"),
        longest=3000,
        is_one_answer=False,
    ),
)
