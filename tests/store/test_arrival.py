"""Everything that is rendered when a message arrives."""

from __future__ import annotations

import mmap
from base64 import encodebytes
from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.layout import unpack
from mektup.store.arrival import prepare
from mektup.terms.limits import Limits
from tests.peer import corpus

RAW = (
    b"Date: Mon, 24 Nov 2025 10:59:58 +0100\r\n"
    b"From: =?utf-8?q?Ay=C5=9Fe?= Demir <Ayse@Example.org>\r\n"
    b"To: friends: Bo <BO@example.org>;, linda@example.org\r\n"
    b"Cc: List <list@example.org>\r\n"
    b"Bcc: hidden@example.org\r\n"
    b"Subject: Re: [list] =?utf-8?q?Ak=C5=9Fam?= (fwd)\r\n"
    b'Message-ID: <"one"@example.org>\r\n'
    b"In-Reply-To: <zero@example.org>\r\n"
    b"References: <a@example.org>\r\n <zero@example.org>\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"\r\n"
    b"Sekizde  yemek.\r\n"
)


def test_sizes_and_digest() -> None:
    arrival = prepare(RAW)
    assert arrival.raw == RAW
    assert arrival.size == len(RAW)
    assert RAW[arrival.header_size :] == b"Sekizde  yemek.\r\n"
    assert arrival.digest == blake2b(RAW, digest_size=20).digest()


def test_wire_forms() -> None:
    arrival = prepare(RAW)
    assert arrival.envelope.startswith(b'("Mon, 24 Nov 2025 10:59:58 +0100" "Re: [list] =?utf-8?q?Ak=C5=9Fam?= (fwd)" ')
    assert arrival.body == b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 17 1)'
    assert arrival.bodystructure == b'("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 17 1 NIL NIL NIL NIL)'
    assert unpack(arrival.layout).whole((1,)) == (arrival.header_size, arrival.size)


def test_values_for_search_sort_and_thread() -> None:
    arrival = prepare(RAW)
    assert (arrival.sent, arrival.sent_zone) == (1763978398, 60)
    assert arrival.subject == "re: [list] akşam (fwd)"
    assert arrival.from_ == "ayşe demir <ayse@example.org>"
    assert arrival.to == "friends: bo <bo@example.org>;, linda@example.org"
    assert arrival.cc == "list <list@example.org>"
    assert arrival.bcc == "hidden@example.org"
    assert (arrival.base_subject, arrival.is_reply) == ("akşam", True)
    assert (arrival.from_key, arrival.to_key, arrival.cc_key) == ("ayse", "friends", "list")
    assert (arrival.display_from, arrival.display_to) == ("ayşe demir", "friends")
    assert arrival.message_id == "one@example.org"
    assert arrival.references == ("a@example.org", "zero@example.org")
    assert arrival.preview == "Sekizde yemek."


def test_a_message_of_nothing() -> None:
    arrival = prepare(b"")
    assert (arrival.size, arrival.header_size, arrival.sent) == (0, 0, None)
    assert arrival.envelope == b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    assert arrival.body == b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0)'
    texts = (
        arrival.subject,
        arrival.from_,
        arrival.base_subject,
        arrival.from_key,
        arrival.display_to,
        arrival.preview,
    )
    assert set(texts) == {""}
    assert arrival.references == ()


@pytest.mark.parametrize(
    ("header", "references"),
    [
        (b"In-Reply-To: <a@b> <c@d>\r\n", ("a@b",)),
        (b"References: none\r\nIn-Reply-To: Message of Monday <a@b>\r\n", ("a@b",)),
        (b"References: <x@y>\r\nIn-Reply-To: <a@b>\r\n", ("x@y",)),
        (b"In-Reply-To: nothing\r\n", ()),
    ],
)
def test_references_are_those_of_rfc_5256(header: bytes, references: tuple[str, ...]) -> None:
    assert prepare(header + b"\r\n").references == references


def test_a_message_that_names_itself_twice_has_the_first_name() -> None:
    assert prepare(b"Message-ID: <a@b> <c@d>\r\n\r\n").message_id == "a@b"
    assert prepare(b"Message-ID: no id\r\n\r\n").message_id == ""


@pytest.mark.parametrize(
    ("from_", "display"),
    [
        (b"Ann <a@b>", "ann"),
        (b'"" <A@B>', "a@b"),
        (b"=?utf-8?q?_?= <a@b>", "a@b"),
        (b"a@b", "a@b"),
        (b"Friends:;", "friends"),
        (b"", ""),
    ],
)
def test_display_of_an_address(from_: bytes, display: str) -> None:
    """RFC 5957 §3."""
    assert prepare(b"From: " + from_ + b"\r\n\r\n").display_from == display


def test_fields_that_are_there_twice_are_both_searched() -> None:
    assert prepare(b"To: a@b\r\nTo: c@d\r\n\r\n").to == "a@b\nc@d"


def test_a_mapped_file_is_prepared_as_octets_are() -> None:
    with mmap.mmap(-1, len(RAW)) as mapped:
        mapped[:] = RAW
        from_map, from_octets = prepare(mapped), prepare(RAW)
        for name in from_octets.__slots__:
            if name != "raw":
                assert getattr(from_map, name) == getattr(from_octets, name), name


@given(st.binary(max_size=400))
def test_any_octets_are_prepared(raw: bytes) -> None:
    arrival = prepare(raw)
    assert arrival.size == len(raw)
    assert 0 <= arrival.header_size <= len(raw)


NAMES = (b"From", b"To", b"Subject", b"Date", b"References", b"Message-ID", b"Content-Type", b"Content-Disposition")
PIECES = (
    *(b"a", b"@", b"b.c", b"<", b">", b'"', b"(", b")", b",", b";", b":", b"=", b"*0*", b"/", b"multipart/mixed"),
    *(b" ", b"\r\n\t", b"\0", b"\xff", b"\xc5\x9f", b"=?utf-8?q?", b"?=", b"boundary", b"24 Nov 2025", b"\\", b"[fwd:"),
)
VALUES = st.lists(st.sampled_from(PIECES), max_size=15).map(b"".join)


@given(st.lists(st.tuples(st.sampled_from(NAMES), VALUES), max_size=8), st.binary(max_size=40))
def test_any_header_is_prepared(fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    header = b"".join(name + b":" + value + b"\r\n" for name, value in fields)
    arrival = prepare(header + b"\r\n" + body)
    assert b"\0" not in arrival.envelope + arrival.body + arrival.bodystructure


def test_real_mail_is_prepared() -> None:
    messages = corpus.messages()
    if not messages:
        pytest.skip("no corpus of messages: set MEKTUP_CORPUS, or put it at ../shared/corpus")
    with_text = sum(bool(prepare(raw).preview) for raw in messages.values())
    assert with_text > len(messages) / 2


def test_every_limit_of_a_message_holds() -> None:
    inner = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (depth, depth) for depth in range(5)
    )
    deep = prepare(inner + b"\r\nx", Limits(mime_depth=3))
    assert deep.bodystructure.count(b'"mixed"') == 2
    many = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 9
    assert len(unpack(prepare(many, Limits(mime_parts=4)).layout).parts) == 3
    encoded = b"Content-Type: message/global\r\nContent-Transfer-Encoding: base64\r\n\r\n" + encodebytes(many)
    assert len(unpack(prepare(encoded, Limits(mime_parts=4)).layout).parts) <= 4
    header = b"X: " + b"x" * 90 + b"\r\nSubject: a\r\nTo: b@c, d@e, f@g\r\nReferences: <a@b> <c@d> <e@f>\r\n\r\n"
    assert prepare(header, Limits(header_bytes=90)).subject == ""
    assert prepare(header, Limits(addresses=1)).envelope.count(b'"b" "c"') == 1
    assert b'"d" "e"' not in prepare(header, Limits(addresses=1)).envelope
    assert prepare(header, Limits(references=2)).references == ("c@d", "e@f")
    assert prepare(b"Subject: " + b"s" * 90 + b"\r\n\r\n", Limits(header_field_bytes=10)).subject == "s" * 9
