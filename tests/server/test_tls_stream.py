"""TLS without a socket: a client of the standard library at the other end, octets carried by hand."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import pytest

from mektup.server.tls_stream import RECORD_BYTES, TlsStream

RECORD_OVERHEAD = 256
"""More than the header, tag and padding of a record take (RFC 8446 §5.2)."""


class Client:
    """The client's end of a TLS connection."""

    def __init__(self, context: ssl.SSLContext, stream: TlsStream, *, piece: int) -> None:
        self._stream = stream
        self._piece = piece
        self._from_server, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.layer = context.wrap_bio(self._from_server, self._to_server, server_hostname="localhost")

    def shake_hands(self) -> None:
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.layer.do_handshake()
            self.carry()

    def carry(self) -> bytes:
        """Carries what this end has to say, and what is answered at once; returns what the server heard."""
        wire = self._to_server.read()
        heard = b""
        for start in range(0, len(wire), self._piece):
            heard += self._stream.receive(wire[start : start + self._piece])
            self.take(self._stream.to_send())
        return heard

    def take(self, *wire: bytes) -> None:
        for octets in wire:
            self._from_server.write(octets)

    def read(self) -> Iterator[bytes]:
        """What was heard; ends with an empty one where the server said that this is all."""
        with contextlib.suppress(ssl.SSLWantReadError):
            while octets := self.layer.read(65536):
                yield octets
            yield b""


@pytest.fixture
def stream(server_tls: ssl.SSLContext) -> TlsStream:
    return TlsStream(server_tls)


def connected(context: ssl.SSLContext, stream: TlsStream, *, piece: int = 65536) -> Client:
    client = Client(context, stream, piece=piece)
    client.shake_hands()
    assert stream.established
    return client


@pytest.mark.parametrize("piece", [1, 7, 65536])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_are_understood_however_the_wire_is_cut(
    client_tls: ssl.SSLContext, stream: TlsStream, piece: int, version: ssl.TLSVersion
) -> None:
    client_tls.maximum_version = version
    client = connected(client_tls, stream, piece=piece)
    client.layer.write(b"a1 NOOP\r\n")
    assert client.carry() == b"a1 NOOP\r\n"
    client.take(*stream.send(b"a1 OK\r\n"))
    assert list(client.read()) == [b"a1 OK\r\n"]
    assert not stream.ended


def test_what_comes_with_the_end_of_the_handshake_is_heard(client_tls: ssl.SSLContext, stream: TlsStream) -> None:
    client = Client(client_tls, stream, piece=65536)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.layer.do_handshake()
    client.carry()
    client.layer.do_handshake()
    client.layer.write(b"a1 CAPABILITY\r\n")
    assert client.carry() == b"a1 CAPABILITY\r\n"


def test_much_goes_in_records(client_tls: ssl.SSLContext, stream: TlsStream) -> None:
    client = connected(client_tls, stream)
    much = bytes(range(256)) * 2000
    records = stream.send(much)
    assert len(records) == -(-len(much) // RECORD_BYTES)
    assert max(map(len, records)) <= RECORD_BYTES + RECORD_OVERHEAD
    client.take(*records)
    assert b"".join(client.read()) == much
    at = 0
    while at < len(much):
        at += client.layer.write(much[at:])
    assert client.carry() == much


def test_who_has_said_all_may_still_listen(client_tls: ssl.SSLContext, stream: TlsStream) -> None:
    client = connected(client_tls, stream)
    client.layer.write(b"a1 LOGOUT\r\n")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.layer.unwrap()
    assert client.carry() == b"a1 LOGOUT\r\n"
    assert stream.ended
    assert stream.failure is None
    assert stream.send(b"* BYE\r\n")


def test_the_end_is_told(client_tls: ssl.SSLContext, stream: TlsStream) -> None:
    client = connected(client_tls, stream)
    client.take(*stream.send(b"* BYE\r\n"), stream.close())
    assert list(client.read()) == [b"* BYE\r\n", b""]
    assert not stream.close()


def test_who_speaks_no_tls_is_not_heard(stream: TlsStream) -> None:
    assert stream.receive(b"a1 LOGIN linda secret\r\n") == b""
    assert stream.ended
    assert stream.failure is not None
    assert stream.receive(b"a2 NOOP\r\n") == b""
    assert stream.send(b"* OK\r\n") == []
    assert stream.close() == b""


def test_a_record_that_was_altered_ends_it(client_tls: ssl.SSLContext, stream: TlsStream) -> None:
    client = connected(client_tls, stream)
    client.layer.write(b"a1 NOOP\r\n")
    wire = bytearray(client._to_server.read())
    wire[-1] ^= 1
    assert stream.receive(bytes(wire)) == b""
    assert stream.failure is not None
    assert stream.send(b"a1 OK\r\n") == []
    client.take(stream.to_send())
    with pytest.raises(ssl.SSLError, match=r"(?i)bad record mac"):
        list(client.read())


def test_nobody_is_greeted_before_hands_are_shaken(stream: TlsStream) -> None:
    assert stream.close() == b""
    assert not stream.established
