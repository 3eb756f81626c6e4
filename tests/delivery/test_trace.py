"""Return-Path and Received (RFC 5321 §4.4), for any envelope and any message."""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from mektup.delivery.address import Address
from mektup.delivery.trace import ReturnPathRemover, Trace

ADA = Address("ada", "example.org")
DATE = format_datetime(datetime.fromtimestamp(1_793_869_200).astimezone()).encode()
LINDA = Address("linda", "example.org")
TRACE = Trace(
    sender=ADA,
    client=b"mail.example.org",
    address="192.0.2.1",
    hostname="mx.example.org",
    session_id="4f28801c",
    utf8=False,
    recipients=(LINDA,),
    at=1_793_869_200,
)


def test_both_fields() -> None:
    assert TRACE.fields() == (
        b"Return-Path: <ada@example.org>\r\n"
        b"Received: from mail.example.org ([192.0.2.1])\r\n"
        b"\tby mx.example.org with LMTP id 4f28801c\r\n"
        b"\tfor <linda@example.org>;\r\n"
        b"\t" + DATE + b"\r\n"
    )


@pytest.mark.parametrize(
    ("sender", "path"),
    [
        (None, b"<>"),
        (Address("postmaster", ""), b"<postmaster>"),
        (Address("a b", "x.example"), b'<"a b"@x.example>'),
        (Address('a"\\b', "x.example"), b'<"a\\"\\\\b"@x.example>'),
        (Address("a>b@c", "x.example"), b'<"a>b@c"@x.example>'),
        (Address("two..dots.", "x.example"), b'<"two..dots."@x.example>'),
        (Address("", "x.example"), b'<""@x.example>'),
        (Address("prvs=1234+x", "x.example"), b"<prvs=1234+x@x.example>"),
        (Address("çiğdem", "örnek.example"), "<çiğdem@örnek.example>".encode()),
        (Address("ada", "[IPv6:2001:db8::1]"), b"<ada@[IPv6:2001:db8::1]>"),
    ],
)
def test_the_return_path_is_the_senders_as_the_grammar_writes_it(sender: Address | None, path: bytes) -> None:
    assert replace(TRACE, sender=sender).fields().startswith(b"Return-Path: " + path + b"\r\nReceived: ")


@pytest.mark.parametrize(
    ("client", "address", "source"),
    [
        (b"mail.example.org", "2001:db8::1", b"mail.example.org ([IPv6:2001:db8::1])"),
        (b"mail.example.org", "fe80::1%eth0", b"mail.example.org ([IPv6:fe80::1])"),
        (b"mail.example.org", "unix", b"mail.example.org"),
        (b"[192.0.2.7]", "192.0.2.1", b"[192.0.2.7] ([192.0.2.1])"),
        (b"[IPv6:2001:db8::7]", "unix", b"[IPv6:2001:db8::7]"),
        (b"mail.example.org and more", "unix", b"mail.example.org"),
        (b"under_score", "unix", b"under_score"),
        (b"a(comment", "192.0.2.1", b"[192.0.2.1] ([192.0.2.1])"),
        (b"x; Thu, 5 Nov 2026", "unix", b"localhost"),
        (b"caf\xc3\xa9.example", "192.0.2.1", b"[192.0.2.1] ([192.0.2.1])"),
        (b"\xff\0", "unix", b"localhost"),
        (b"x" * 300, "unix", b"localhost"),
        (b"[]", "unix", b"localhost"),
    ],
)
def test_the_clients_name_is_written_only_if_it_is_a_domain(client: bytes, address: str, source: bytes) -> None:
    fields = replace(TRACE, client=client, address=address).fields()
    assert b"\r\nReceived: from " + source + b"\r\n\tby " in fields


def test_several_recipients_are_not_written() -> None:
    fields = replace(TRACE, recipients=(LINDA, ADA)).fields()
    assert b"linda" not in fields
    assert fields.endswith(b" id 4f28801c;\r\n\t" + DATE + b"\r\n")


def test_no_recipient_makes_a_line_that_is_too_long() -> None:
    fields = replace(TRACE, recipients=(Address("x" * 8000, "example.org"),)).fields()
    assert max(map(len, fields.split(b"\r\n"))) < 998


def test_smtputf8_has_a_protocol_name_of_its_own() -> None:
    assert b" with UTF8LMTP id " in replace(TRACE, utf8=True).fields()


def test_an_invalid_hostname_is_not_written() -> None:
    assert b"\tby localhost with " in replace(TRACE, hostname="a b\r\nX: y").fields()


@given(st.binary(max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_a_client_cannot_add_a_field(client: bytes, local: str, hostname: str) -> None:
    # the grammar of a path allows no control characters
    local = re.sub(r"[\x00-\x1f\x7f\ud800-\udfff]", "", local)
    fields = replace(TRACE, client=client, hostname=hostname, sender=Address(local, "x"), address="unix").fields()
    lines = fields.split(b"\r\n")
    assert [line.partition(b":")[0] for line in lines[:2]] == [b"Return-Path", b"Received"]
    assert all(line.startswith(b"\t") for line in lines[2:-1])
    assert b"\n" not in fields.replace(b"\r\n", b"")


def _without_return_path(raw: bytes, sizes: list[int]) -> bytes:
    remover = ReturnPathRemover()
    cuts = sorted({0, *(size for size in sizes if size < len(raw)), len(raw)})
    return b"".join([*(remover.take(raw[start:stop]) for start, stop in pairwise(cuts)), remover.rest()])


CASES = [
    (b"", b""),
    (b"Subject: x\r\n\r\nReturn-Path: text\r\n", b"Subject: x\r\n\r\nReturn-Path: text\r\n"),
    (b"\r\nReturn-Path: text\r\n", b"\r\nReturn-Path: text\r\n"),
    (b"Return-Path: <a>\r\nSubject: x\r\n\r\n", b"Subject: x\r\n\r\n"),
    (b"Subject: x\r\nreturn-PATH :<a>\r\n\tmore\r\n and more\r\nTo: y\r\n\r\nz", b"Subject: x\r\nTo: y\r\n\r\nz"),
    (b"Return-Path: <a>\r\n\r\nbody\r\n", b"\r\nbody\r\n"),
    (b"Return-Path: <a>\r\nReturn-Path: <b>\r\n", b""),
    (b"A: b\r\nReturn-Path: <a>\r\n", b"A: b\r\n"),
    (b"Return-Path: <a>\nSubject: x\n\nReturn-Path: text\n", b"Subject: x\n\nReturn-Path: text\n"),
    (b"Return-Path-Of: x\r\nX-Return-Path: y\r\n\r\n", b"Return-Path-Of: x\r\nX-Return-Path: y\r\n\r\n"),
    (b"Subject: Return-Path: x\r\n Return-Path: y\r\n\r\n", b"Subject: Return-Path: x\r\n Return-Path: y\r\n\r\n"),
    (b"A: b\n\r\nReturn-Path: text\r\n\r\n", b"A: b\n\r\nReturn-Path: text\r\n\r\n"),
    (b"no end", b"no end"),
]


@pytest.mark.parametrize(("raw", "kept"), CASES)
def test_the_senders_return_path_is_removed(raw: bytes, kept: bytes) -> None:
    assert _without_return_path(raw, []) == kept
    assert _without_return_path(raw, list(range(len(raw)))) == kept


PIECES = st.lists(
    st.sampled_from([b"Return-Path: <a>\r\n", b" more\r\n", b"Subject: x\r\n", b"\r\n", b"\n", b"text\r\n", b"Re"]),
    max_size=8,
)


@given(PIECES, st.lists(st.integers(1, 100)))
def test_the_pieces_that_a_message_comes_in_make_no_difference(pieces: list[bytes], sizes: list[int]) -> None:
    raw = b"".join(pieces)
    assert _without_return_path(raw, sizes) == _without_return_path(raw, [])


@given(st.binary(max_size=100))
def test_a_message_without_return_path_is_kept_octet_for_octet(raw: bytes) -> None:
    assert _without_return_path(raw, []) == raw


def test_a_long_header_is_passed_on_before_its_end() -> None:
    remover = ReturnPathRemover()
    line = b"x" * 1000 + b"\r\n"
    given_octets = sum(len(remover.take(line)) for _ in range(300))
    assert given_octets > 0
    assert given_octets + len(remover.rest()) == 300 * len(line)
