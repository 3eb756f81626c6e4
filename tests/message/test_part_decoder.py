"""Parts and headers in pieces give the same result as in one piece."""

from __future__ import annotations

from binascii import b2a_base64
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.headers import FieldChooser, select_fields
from mektup.message.part_decoder import LONG_LINE, MessageDecoder, decoder
from mektup.message.transfer import decode_message, decode_part
from mektup.terms.errors import Refused

BASE64 = st.lists(st.sampled_from([b"QUJD", b"QQ==", b"Q", b"=", b"\r\n", b"!", b"QUI=", b"ab"])).map(b"".join)
QUOTED = st.lists(st.sampled_from([b"=41", b"=\r\n", b"a", b" ", b"\r\n", b"\t", b"=", b"4", b"= \r\n"])).map(b"".join)
LINES = st.lists(
    st.sampled_from([b"A: x\r\n", b"B: y\r\n", b" goes on\r\n", b"\tso\r\n", b"no field\r\n", b"a : z\r\n", b": q\r\n"])
)
HEADER = st.tuples(LINES, st.sampled_from([b"", b"\r\n", b"A: no line break"])).map(
    lambda each: b"".join([*each[0], each[1]])
)
CUTS = st.lists(st.integers(0, 60)).map(sorted)


def pieces(octets: bytes, cuts: list[int]) -> list[bytes]:
    return [octets[start:stop] for start, stop in pairwise([0, *cuts, len(octets) + 60])]


@given(st.tuples(st.just("base64"), BASE64) | st.tuples(st.just("quoted-printable"), QUOTED), CUTS)
def test_a_part_in_any_pieces_is_decoded_the_same(part: tuple[str, bytes], cuts: list[int]) -> None:
    encoding, octets = part
    decoding = decoder(encoding)
    told = [decoding.take(piece) for piece in pieces(octets, cuts)]
    assert b"".join([*told, decoding.finish()]) == decode_part(octets, encoding)


@given(HEADER, CUTS, st.frozensets(st.sampled_from([b"A", b"b", b"c"]), min_size=1), st.booleans())
def test_a_header_in_any_pieces_gives_the_same_fields(
    header: bytes, cuts: list[int], names: frozenset[bytes], exclude: bool
) -> None:
    chooser = FieldChooser(names, exclude)
    told = [chooser.take(piece) for piece in pieces(header, cuts)]
    assert b"".join([*told, chooser.finish()]) == select_fields(header, names, exclude)


def test_a_very_long_line_is_decoded_before_its_end() -> None:
    decoding = decoder("quoted-printable")
    held = longest = 0
    octets = b"=41=42c" * LONG_LINE
    told = []
    for start in range(0, len(octets), 5000):
        piece = octets[start : start + 5000]
        told.append(decoding.take(piece))
        held += len(piece)
        if told[-1]:
            longest, held = max(longest, held), 0
    assert longest < 2 * LONG_LINE
    assert b"".join([*told, decoding.finish()]) == b"ABc" * LONG_LINE


def test_an_unknown_encoding_is_refused_at_once() -> None:
    with pytest.raises(Refused):
        decoder("x-uuencode")


@given(st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b"\r"])).map(b"".join), CUTS)
def test_lines_of_an_encoded_message_in_any_pieces_end_in_crlf(message: bytes, cuts: list[int]) -> None:
    octets = b2a_base64(message)
    decoding = MessageDecoder("base64")
    told = [decoding.take(piece) for piece in pieces(octets, cuts)]
    assert b"".join([*told, decoding.finish()]) == decode_message(octets, "base64")
