"""Stacked layers: which octets pass through which layer, and in which order."""

from __future__ import annotations

import contextlib
import ssl

import pytest

from mektup.server.layers.server_tls import ServerTls
from mektup.server.layers.stack import Stack
from mektup.server.layers.tls import TlsLayer


class Wrapping:
    """A toy layer: puts each message into its own kind of brackets; a single bracket ends the connection."""

    def __init__(self, brackets: bytes) -> None:
        self._left, self._right = brackets[:1], brackets[1:]
        self._owed = b""
        self.ended = False
        self.has_more = False
        self.rested = False

    def receive(self, octets: bytes) -> bytes:
        if not octets:
            return b""
        if octets == self._right:
            self.ended = True
            return b""
        self._owed = self.send(b"seen")
        return octets.removeprefix(self._left).removesuffix(self._right)

    def to_send(self) -> bytes:
        owed, self._owed = self._owed, b""
        return owed

    def send(self, octets: bytes) -> bytes:
        return self._left + octets + self._right

    def rest(self) -> None:
        self.rested = True

    def close(self) -> bytes:
        return self._right


def test_octets_pass_from_the_outermost_layer_to_the_innermost_and_back() -> None:
    stack = Stack(Wrapping(b"()"), Wrapping(b"[]"))
    assert stack.receive(b"([hello])") == b"hello"
    assert stack.send(b"hello") == b"([hello])"


def test_output_of_an_inner_layer_passes_the_outer_ones() -> None:
    stack = Stack(Wrapping(b"()"), Wrapping(b"[]"))
    stack.receive(b"([hello])")
    assert stack.to_send() == b"([seen])(seen)"
    assert stack.to_send() == b""


def test_the_innermost_layer_closes_first() -> None:
    assert Stack(Wrapping(b"()"), Wrapping(b"[]")).close() == b"(])" + b")"


@pytest.mark.parametrize("end", [b")", b"(])"])
def test_the_end_of_any_layer_is_the_end(end: bytes) -> None:
    stack = Stack(Wrapping(b"()"), Wrapping(b"[]"))
    assert not stack.ended
    assert stack.receive(end) == b""
    assert stack.ended


@pytest.mark.parametrize("number", [0, 1])
def test_any_layer_may_hold_something_back(number: int) -> None:
    layers = Wrapping(b"()"), Wrapping(b"[]")
    stack = Stack(*layers)
    assert not stack.has_more
    layers[number].has_more = True
    assert stack.has_more


def test_all_layers_rest() -> None:
    layers = Wrapping(b"()"), Wrapping(b"[]")
    Stack(*layers).rest()
    assert all(layer.rested for layer in layers)


def test_without_layers_octets_go_straight() -> None:
    stack = Stack()
    assert (stack.receive(b"x"), stack.send(b"y"), stack.to_send(), stack.close()) == (b"x", b"y", b"", b"")
    assert not stack.ended


@pytest.mark.parametrize("piece", [1, 65536])
def test_tls_within_another_layer(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext, piece: int) -> None:
    """A handshake in both directions; all its octets pass the outer layer."""
    tls = TlsLayer(ServerTls(server_tls))
    server = Stack(Wrapping(b"()"), tls)
    from_server, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_tls.wrap_bio(from_server, to_server, server_hostname="localhost")
    for _ in range(4):
        with contextlib.suppress(ssl.SSLWantReadError):
            client.do_handshake()
        wire = to_server.read()
        for start in range(0, len(wire), piece):
            server.receive(b"(" + wire[start : start + piece] + b")")
            from_server.write(_unwrapped(server.to_send()))
    assert tls.established
    client.write(b"hello")
    assert server.receive(b"(" + to_server.read() + b")") == b"hello"
    from_server.write(_unwrapped(server.send(b"world")))
    assert client.read(100) == b"world"


def _unwrapped(octets: bytes) -> bytes:
    """The text without the brackets, and without what the outer layer sent after them."""
    return octets.removesuffix(b"(seen)").removeprefix(b"(").removesuffix(b")")
