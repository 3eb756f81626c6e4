"""Binary parts are encoded in base64, and nothing else changes (RFC 3516 §4.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.binary_parts import without_binary
from mektup.message.layout import pack, unpack
from mektup.message.scan import scan
from mektup.message.transfer import decode_part

BINARY = b"\x00\x01\n\r\xff\x0d\x0a--"


def recoded(raw: bytes) -> bytes:
    return b"".join(without_binary(raw))


def part(content: bytes, encoding: bytes = b"Content-Transfer-Encoding: binary\r\n", more: bytes = b"") -> bytes:
    return b"Content-Type: image/png\r\n" + encoding + more + b"\r\n" + content


def several(*parts: bytes, kind: bytes = b"mixed", more: bytes = b"") -> bytes:
    head = b"Content-Type: multipart/" + kind + b"; boundary=b\r\n" + more + b"\r\n"
    return head + b"".join(b"--b\r\n" + each + b"\r\n" for each in parts) + b"--b--\r\n"


def content(raw: bytes, *path: int) -> bytes:
    """The decoded content of a part, as BINARY sends it."""
    layout = unpack(pack(scan(raw)))
    span, place = layout.whole(path), layout.part(path)
    assert span is not None
    assert place is not None
    return decode_part(raw[slice(*span)], place.encoding)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"Subject: x\r\n\r\ntext\r\n",
        part(b"text\r\nmore\r\n"),
        part(b"text"),
        part(b""),
        part(BINARY, b"Content-Transfer-Encoding: 8bit\r\n"),
        part(BINARY, b""),
        several(part(b"text\r\n"), part(BINARY, b"")),
        b"\0",
        b"Content-Transfer-Encoding: binary\r\nContent-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\n\0",
    ],
)
def test_what_has_no_binary_part_is_unchanged(raw: bytes) -> None:
    assert recoded(raw) == raw


@pytest.mark.parametrize("octets", [b"\0", b"\n", b"\r", b"a\r", b"\nb", b"a\r\r\n", BINARY, bytes(range(256)) * 1000])
def test_a_binary_part_is_encoded(octets: bytes) -> None:
    alone = recoded(part(octets, b"content-transfer-encoding:\r\n\tBinary\r\n", b"X-Last: 1\r\n"))
    assert alone.startswith(b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\nX-Last: 1\r\n\r\n")
    assert content(alone, 1) == octets
    whole = recoded(several(part(b"one\r\n"), part(octets), several(part(octets), part(b"\r\n"))))
    assert content(whole, 2) == content(whole, 3, 1) == octets
    assert content(whole, 1) == b"one\r\n"
    assert b"\0" not in whole
    assert whole.count(b"\n") == whole.count(b"\r\n")


def test_a_part_that_holds_binary_parts_is_not_binary() -> None:
    binary = b"Content-Transfer-Encoding: binary\r\n"
    whole = recoded(several(part(BINARY), part(b"text\r\n"), more=binary))
    assert whole.count(b"Content-Transfer-Encoding: 8bit\r\n") == 1
    assert whole.count(binary) == 1
    assert content(whole, 1) == BINARY


@given(
    st.lists(
        st.sampled_from(
            [
                b"--b\r\n",
                b"--b--",
                b"Content-Transfer-Encoding: binary\r\n",
                b"\r\n",
                b"\n",
                b"\0",
                b"\r",
                b"x",
                b"Content-Type: multipart/mixed; boundary=b\r\n",
                b"Content-Type: message/rfc822\r\n",
            ]
        ),
        max_size=30,
    )
)
def test_nothing_is_lost_and_it_is_done_once(pieces: list[bytes]) -> None:
    raw = b"".join(pieces)
    once = recoded(raw)
    assert recoded(once) == once
    assert len(once) >= len(raw) or b"inary" in raw
