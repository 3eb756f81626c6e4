"""TLS without a socket: the other end is the standard library's client, and the test passes the octets."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import Iterator

import pytest

from mektup.server.layers.server_tls import ServerTls
from mektup.server.layers.tls import RECORD_BYTES, TlsLayer

RECORD_OVERHEAD = 256
"""More than the header, tag and padding of a record take (RFC 8446 §5.2)."""


class Client:
    """The client's end of a TLS connection."""

    def __init__(self, context: ssl.SSLContext, server: TlsLayer, *, piece: int) -> None:
        self._server = server
        self._piece = piece
        self._from_server, self._to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._from_server, self._to_server, server_hostname="localhost")

    def shake_hands(self) -> None:
        for _ in range(4):
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            self.carry()

    def wire(self) -> bytes:
        """The encrypted output of this end."""
        return self._to_server.read()

    def carry(self) -> bytes:
        """Passes this end's output to the server, and its output back; returns what the server received."""
        wire = self.wire()
        heard = b""
        for start in range(0, len(wire), self._piece):
            heard += self._server.receive(wire[start : start + self._piece])
            self.take(self._server.to_send())
        return heard

    def take(self, *wire: bytes) -> None:
        for octets in wire:
            self._from_server.write(octets)

    def read(self) -> Iterator[bytes]:
        """What the client received; ends with an empty item if the server has closed."""
        with contextlib.suppress(ssl.SSLWantReadError):
            while octets := self.tls.read(65536):
                yield octets
            yield b""


def records_of(wire: bytes) -> Iterator[bytes]:
    """The records of TLS in *wire* (RFC 8446 §5.1: type, version, length of two octets)."""
    while wire:
        end = 5 + int.from_bytes(wire[3:5])
        yield wire[:end]
        wire = wire[end:]


@pytest.fixture
def layer(server_tls: ssl.SSLContext) -> TlsLayer:
    return TlsLayer(ServerTls(server_tls))


def connected(context: ssl.SSLContext, layer: TlsLayer, *, piece: int = 65536) -> Client:
    client = Client(context, layer, piece=piece)
    client.shake_hands()
    assert layer.established
    return client


@pytest.mark.parametrize("piece", [1, 7, 65536])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_both_are_understood_however_the_wire_is_cut(
    client_tls: ssl.SSLContext, layer: TlsLayer, piece: int, version: ssl.TLSVersion
) -> None:
    client_tls.maximum_version = version
    client = connected(client_tls, layer, piece=piece)
    client.tls.write(b"a1 NOOP\r\n")
    assert client.carry() == b"a1 NOOP\r\n"
    client.take(layer.send(b"a1 OK\r\n"))
    assert list(client.read()) == [b"a1 OK\r\n"]
    assert not layer.ended


def test_data_sent_with_the_end_of_the_handshake_is_received(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = Client(client_tls, layer, piece=65536)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.do_handshake()
    client.carry()
    client.tls.do_handshake()
    client.tls.write(b"a1 CAPABILITY\r\n")
    assert client.carry() == b"a1 CAPABILITY\r\n"


def test_long_output_is_split_into_records(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    much = bytes(range(256)) * 2000
    wire = layer.send(much)
    records = list(records_of(wire))
    assert len(records) == -(-len(much) // RECORD_BYTES)
    assert max(map(len, records)) <= RECORD_BYTES + RECORD_OVERHEAD
    client.take(wire)
    assert b"".join(client.read()) == much
    at = 0
    while at < len(much):
        at += client.tls.write(much[at:])
    assert client.carry() == much


def test_a_client_that_has_closed_its_side_can_still_receive(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    client.tls.write(b"a1 LOGOUT\r\n")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert client.carry() == b"a1 LOGOUT\r\n"
    assert layer.ended
    assert layer.failure is None
    assert layer.send(b"* BYE\r\n")


def test_close_sends_close_notify(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    client.take(layer.send(b"* BYE\r\n"), layer.close())
    assert list(client.read()) == [b"* BYE\r\n", b""]
    assert not layer.close()


def test_data_outside_of_tls_is_not_received(layer: TlsLayer) -> None:
    assert layer.receive(b"a1 LOGIN linda secret\r\n") == b""
    assert layer.ended
    assert layer.failure is not None
    assert layer.receive(b"a2 NOOP\r\n") == b""
    assert layer.send(b"* OK\r\n") == b""
    assert layer.close() == b""


def test_a_record_that_was_altered_ends_it(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    client.tls.write(b"a1 NOOP\r\n")
    wire = bytearray(client.wire())
    wire[-1] ^= 1
    assert layer.receive(bytes(wire)) == b""
    assert layer.failure is not None
    assert layer.send(b"a1 OK\r\n") == b""
    client.take(layer.to_send())
    with pytest.raises(ssl.SSLError, match=r"(?i)bad record mac"):
        list(client.read())


def test_closing_before_the_handshake_sends_nothing(layer: TlsLayer) -> None:
    assert layer.close() == b""
    assert not layer.established


@pytest.mark.parametrize(
    "said",
    [
        b"\x00\x01\x02\x03\x04\x05",
        b"\x16\x09\x09\x00\x05hello",
        # a handshake message of 16 MB is refused when it is announced, not when it has come
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\x03" * (RECORD_BYTES - 4),
    ],
    ids=["nothing", "another version", "a long hello"],
)
@pytest.mark.parametrize("piece", [1, 65536])
def test_an_invalid_handshake_ends_the_connection(layer: TlsLayer, said: bytes, piece: int) -> None:
    for start in range(0, len(said), piece):
        assert layer.receive(said[start : start + piece]) == b""
    assert layer.ended
    assert not layer.established
    assert layer.said_in_clear is None
    assert layer.send(b"* OK\r\n") == b""


def test_clear_text_after_the_handshake_is_not_received(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    assert layer.receive(b"a1 LOGIN linda secret\r\n") == b""
    assert layer.ended
    assert layer.said_in_clear is None
    client.take(layer.to_send())
    with pytest.raises(ssl.SSLError):
        list(client.read())


def test_data_sent_before_a_failure_is_received(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    client.tls.write(b"a1 NOOP\r\n")
    assert layer.receive(client.wire() + b"\xff" * 100) == b"a1 NOOP\r\n"
    assert layer.failure is not None


def test_input_after_the_end_is_ignored(client_tls: ssl.SSLContext, layer: TlsLayer) -> None:
    client = connected(client_tls, layer)
    client.tls.write(b"a1 NOOP\r\n")
    late = client.wire()
    with contextlib.suppress(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert layer.receive(late + client.wire() + late) == b"a1 NOOP\r\n"
    assert layer.ended
    assert layer.failure is None
    assert layer.receive(late) == b""
