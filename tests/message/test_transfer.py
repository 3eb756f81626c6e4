"""Decoding of Content-Transfer-Encoding."""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.part_decoder import DECODED_AT_ONCE, decoded_message
from mektup.message.transfer import decode_base64, decode_message, decode_part, with_crlf
from mektup.terms.errors import Code, Refused


@pytest.mark.parametrize(
    ("octets", "encoding", "decoded"),
    [
        (b"a=41", "7bit", b"a=41"),
        (b"a=41", "8bit", b"a=41"),
        (b"a=41", "binary", b"a=41"),
        (b"a=41=\r\nb=\r\n", "quoted-printable", b"aAb"),
        (b"a=ZZ=4", "quoted-printable", b"a=ZZ=4"),
        # RFC 2045 §6.7, rule 3: white space at the end of a line was added in transport
        (b"a \r\nb\t \t\r\n c\t", "quoted-printable", b"a\r\nb\r\n c"),
        (b"a=20 \r\nb=09\r\n", "quoted-printable", b"a \r\nb\t\r\n"),
        (b"long= \t\r\nword=\t\r\n.= ", "quoted-printable", b"longword."),
        (b" \r\n\t\r\n", "quoted-printable", b"\r\n\r\n"),
        (b"YWI=", "base64", b"ab"),
        (b"YW\r\nI=\r\n", "base64", b"ab"),
        (b"YWI", "base64", b"ab"),
        (b"YWJ", "base64", b"ab"),
        (b"Y", "base64", b""),
        (b"YWJjZ", "base64", b"abc"),
        (b"Y!W-J*j", "base64", b"abc"),
        (b"YQ==YQ==", "base64", b"aa"),
        (b"YQ=YQ=", "base64", b"aa"),
        (b"====", "base64", b""),
        (b"", "base64", b""),
    ],
)
def test_decoding(octets: bytes, encoding: str, decoded: bytes) -> None:
    assert decode_part(octets, encoding) == decoded


@pytest.mark.parametrize("encoding", ["x-uuencode", "", "BASE64", "base64 "])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(Refused) as refusal:
        decode_part(b"", encoding)
    assert refusal.value.code is Code.UNKNOWN_CTE


@given(st.binary(max_size=200))
def test_encoding_and_decoding_round_trip(octets: bytes) -> None:
    assert decode_part(encodebytes(octets), "base64") == octets
    assert decode_part(b2a_qp(octets, istext=False), "quoted-printable") == octets


@given(st.lists(st.sampled_from([b"=", b"Q", b"A", b"\r\n", b"\0", b"\xff"]), max_size=20).map(b"".join))
def test_any_octets_are_decoded(octets: bytes) -> None:
    assert isinstance(decode_base64(octets), bytes)
    assert isinstance(decode_part(octets, "quoted-printable"), bytes)


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_a_large_message_decoded_in_pieces_is_the_same(encoding: str) -> None:
    lines = b"".join(b"=41 line %d =\r\n of\n text \t\r\n\r\r\n" % number for number in range(30_000))
    encoded = encodebytes(lines).replace(b"\n", b"\r\n") if encoding == "base64" else lines
    assert len(encoded) > 2 * DECODED_AT_ONCE
    assert decoded_message(b"xx" + encoded + b"yy", 2, 2 + len(encoded), encoding) == decode_message(encoded, encoding)


@given(st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"x"])).map(b"".join))
def test_a_bare_lf_becomes_crlf_and_nothing_else_changes(octets: bytes) -> None:
    assert with_crlf(octets) == re.sub(rb"(?<!\r)\n", b"\r\n", octets)
