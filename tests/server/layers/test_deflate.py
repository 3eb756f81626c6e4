"""DEFLATE without a socket: a client of the standard library at the other end, and what a hostile one can send."""

from __future__ import annotations

import os
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.server.layers.deflate import INFLATED_BYTES, DeflateLayer

MIB = 1024 * 1024


def deflated(octets: bytes, *, flush: int = zlib.Z_SYNC_FLUSH) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(octets) + compressor.flush(flush)


def received(layer: DeflateLayer, wire: bytes, *, piece: int = 65536) -> bytes:
    """All that the layer gives for *wire*, in pieces of the bounded size."""
    given = b""
    for start in range(0, len(wire), piece):
        octets = layer.receive(wire[start : start + piece])
        assert len(octets) <= INFLATED_BYTES
        given += octets
        while layer.has_more:
            octets = layer.receive(b"")
            assert len(octets) <= INFLATED_BYTES
            given += octets
    return given


@pytest.mark.parametrize("piece", [1, 7, 65536])
def test_commands_are_received_in_any_pieces(piece: int) -> None:
    layer = DeflateLayer()
    assert received(layer, deflated(b"a1 NOOP\r\na2 NOOP\r\n"), piece=piece) == b"a1 NOOP\r\na2 NOOP\r\n"
    assert not layer.ended
    assert layer.to_send() == b""


def test_each_answer_can_be_read_at_once_and_later_ones_refer_to_it() -> None:
    layer, client = DeflateLayer(), zlib.decompressobj(-15)
    first, again = layer.send(b"* LIST () NIL INBOX\r\n"), layer.send(b"* LIST () NIL INBOX\r\n")
    assert client.decompress(first) == client.decompress(again) == b"* LIST () NIL INBOX\r\n"
    assert len(again) < len(first)


def test_a_layer_that_rested_goes_on_in_the_same_stream() -> None:
    layer, client = DeflateLayer(), zlib.decompressobj(-15)
    layer.rest()
    for number in range(5):
        octets = b"* %d EXISTS\r\n" % number * 100
        assert client.decompress(layer.send(octets)) == octets
        layer.rest()


@given(st.lists(st.binary(max_size=100_000), max_size=5), st.integers(1, 4096))
def test_both_directions_with_any_octets(pieces: list[bytes], piece: int) -> None:
    layer, client = DeflateLayer(), zlib.decompressobj(-15)
    compressor = zlib.compressobj(1, zlib.DEFLATED, -15)
    for octets in pieces:
        wire = compressor.compress(octets) + compressor.flush(zlib.Z_SYNC_FLUSH)
        assert received(layer, wire, piece=piece) == octets
        assert client.decompress(layer.send(octets)) == octets


def test_a_client_may_refer_to_its_last_32_kib() -> None:
    layer = DeflateLayer()
    octets = os.urandom(32 * 1024 - 300)
    wire = deflated(octets + octets)
    assert len(wire) < 1.1 * len(octets)
    assert received(layer, wire) == octets + octets


def test_a_bomb_is_inflated_a_piece_at_a_time() -> None:
    layer = DeflateLayer()
    bomb = deflated(b"\0" * (64 * MIB))
    assert len(bomb) < 100_000
    assert len(layer.receive(bomb)) == INFLATED_BYTES
    assert layer.has_more
    # what waits is compressed
    assert sys.getsizeof(layer._held) < 2 * len(bomb)
    total = INFLATED_BYTES
    while layer.has_more:
        total += len(layer.receive(b""))
    assert total == 64 * MIB
    assert layer.receive(deflated(b"a1 NOOP\r\n")) == b"a1 NOOP\r\n"


def test_after_the_close_nothing_is_inflated() -> None:
    layer = DeflateLayer()
    bomb = deflated(b"\0" * MIB)
    layer.receive(bomb)
    assert layer.close() == b""
    assert not layer.has_more
    assert layer.receive(bomb) == b""
    assert layer._held == b""


def test_input_that_is_not_compressed_is_not_received() -> None:
    layer = DeflateLayer()
    assert layer.receive(b"a2 NOOP\r\n") == b""
    assert layer.ended
    assert layer.receive(deflated(b"a3 NOOP\r\n")) == b""


def test_the_end_of_the_stream_is_the_end() -> None:
    layer = DeflateLayer()
    wire = deflated(b"a1 LOGOUT\r\n", flush=zlib.Z_FINISH)
    assert received(layer, wire + b"more") == b"a1 LOGOUT\r\n"
    assert layer.ended
    assert layer.receive(b"more") == b""


def test_a_zlib_header_is_an_error() -> None:
    layer = DeflateLayer()
    received(layer, zlib.compress(b"a1 NOOP\r\n" * 100))
    assert layer.ended
