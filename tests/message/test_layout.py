"""The positions of parts, packed and unpacked: sections of RFC 9051 §6.4.5.1."""

from __future__ import annotations

import pytest

from mektup.message.layout import Layout, Span, pack, unpack
from mektup.message.scan import scan

PLAIN = b"Subject: x\r\n\r\nbody"

MIXED = (
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\nX: y\r\n\r\n"
    b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nA: b\r\n\r\n1.1\r\n--b--\r\n"
    b"--a\r\nContent-Transfer-Encoding: BASE64\r\n\r\nMg==\r\n"
    b"--a\r\nContent-Type: message/rfc822\r\n\r\nSubject: z\r\n\r\n3.1\r\n"
    b"--a--\r\n"
)
INNER = b"Subject: inner\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


def layout_of(raw: bytes) -> Layout:
    return unpack(pack(scan(raw)))


@pytest.mark.parametrize(
    ("section", "octets"),
    [
        ("", PLAIN),
        ("HEADER", b"Subject: x\r\n\r\n"),
        ("TEXT", b"body"),
        ("1", b"body"),
        ("1.MIME", b"Subject: x\r\n\r\n"),
        ("1.HEADER", None),
        ("1.TEXT", None),
        ("1.1", None),
        ("2", None),
        ("2.MIME", None),
    ],
)
def test_a_message_that_is_not_multipart_has_one_part(section: str, octets: bytes | None) -> None:
    check(PLAIN, section, octets)


@pytest.mark.parametrize(
    ("section", "octets"),
    [
        ("", MIXED),
        ("HEADER", b"Content-Type: multipart/mixed; boundary=a\r\n\r\n"),
        ("TEXT", MIXED[45:]),
        ("1", INNER + b"--b\r\nA: b\r\n\r\n1.1\r\n--b--"),
        ("1.MIME", b"Content-Type: message/rfc822\r\nX: y\r\n\r\n"),
        ("1.HEADER", INNER),
        ("1.TEXT", b"--b\r\nA: b\r\n\r\n1.1\r\n--b--"),
        ("1.1", b"1.1"),
        ("1.1.MIME", b"A: b\r\n\r\n"),
        ("1.1.1", None),
        ("2", b"Mg=="),
        ("2.MIME", b"Content-Transfer-Encoding: BASE64\r\n\r\n"),
        ("2.HEADER", None),
        ("3", b"Subject: z\r\n\r\n3.1"),
        ("3.HEADER", b"Subject: z\r\n\r\n"),
        ("3.TEXT", b"3.1"),
        ("3.1", b"3.1"),
        ("3.1.MIME", b"Subject: z\r\n\r\n"),
        ("4", None),
    ],
)
def test_sections_of_parts_and_of_messages_in_messages(section: str, octets: bytes | None) -> None:
    check(MIXED, section, octets)


def check(raw: bytes, section: str, octets: bytes | None) -> None:
    layout = layout_of(raw)
    numbers = [word for word in section.split(".") if word.isdigit()]
    path = tuple(map(int, numbers))
    ask = {"HEADER": layout.header, "TEXT": layout.text, "MIME": layout.mime}.get(section.split(".")[-1], layout.whole)
    span: Span | None = ask(path)
    assert (None if span is None else raw[span[0] : span[1]]) == octets


def test_places_have_the_values_that_binary_needs() -> None:
    layout = layout_of(MIXED)
    second = layout.part((2,))
    assert second is not None
    assert second.encoding == "base64"
    assert not second.is_multipart
    first = layout.part((1,))
    assert first is not None
    assert first.encoding == "7bit"
    assert layout.part(()) is None


def test_a_multipart_within_a_multipart_is_a_part() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"
    layout = layout_of(b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n" + inner + b"--a--\r\n")
    place = layout.part((1,))
    assert place is not None
    assert place.is_multipart
    assert place.body_start is None
    assert layout.header((1,)) is None


def test_a_layout_is_small() -> None:
    assert len(pack(scan(PLAIN))) < 30
