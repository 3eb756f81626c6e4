"""Content-Type and other fields with parameters."""

from __future__ import annotations

import pytest

from mektup.message.params import (
    ContentType,
    Disposition,
    parse_content_type,
    parse_disposition,
    parse_languages,
    parse_token,
)


@pytest.mark.parametrize(
    ("value", "content_type"),
    [
        (b" text/plain\r", ContentType(b"text", b"plain")),
        (b"TEXT / Html", ContentType(b"TEXT", b"Html")),
        (
            b"text/plain; charset=utf-8; format=flowed",
            ContentType(b"text", b"plain", ((b"charset", b"utf-8"), (b"format", b"flowed"))),
        ),
        (b'a/b; c="d\\"e;f"', ContentType(b"a", b"b", ((b"c", b'd"e;f'),))),
        (b'a/b; c=""; d=', ContentType(b"a", b"b", ((b"c", b""), (b"d", b"")))),
        (b'a/b;\r\n\tc="d\r\n e"', ContentType(b"a", b"b", ((b"c", b"d e"),))),
        (b'a/b (c; "d) ; e=f (g)', ContentType(b"a", b"b", ((b"e", b"f"),))),
        (b"a/b; c (\\) (d) e) = f", ContentType(b"a", b"b", ((b"c", b"f"),))),
        (b'a/b; c="(d)"', ContentType(b"a", b"b", ((b"c", b"(d)"),))),
        # not allowed, but in real mail
        (b"a/b; boundary=--=_1/2", ContentType(b"a", b"b", ((b"boundary", b"--=_1/2"),))),
        (b"a/b; name=my file.txt; c=d", ContentType(b"a", b"b", ((b"name", b"my file.txt"), (b"c", b"d")))),
        (b"a/b; boundary=c d", ContentType(b"a", b"b", ((b"boundary", b"c"),))),
        (b"a/b; name=c d=e", ContentType(b"a", b"b", ((b"name", b"c"),))),
        (b"a/b; c=d e=f; g=h", ContentType(b"a", b"b", ((b"c", b"d"), (b"g", b"h")))),
        (b"a/b; name==?utf-8?q?c?=", ContentType(b"a", b"b", ((b"name", b"=?utf-8?q?c?="),))),
        (b"a/b c=d", ContentType(b"a", b"b", ((b"c", b"d"),))),
        (b'a/b;; c="d', ContentType(b"a", b"b", ((b"c", b"d"),))),
        (b"a/b; c; =d; e=f", ContentType(b"a", b"b", ((b"e", b"f"),))),
        (b"a/b; c=d (unclosed", ContentType(b"a", b"b", ((b"c", b"d"),))),
        (b"a/b; c=d; e=f; C=g", ContentType(b"a", b"b", ((b"c", b"d"), (b"e", b"f")))),  # the first one counts
    ],
)
def test_content_type(value: bytes, content_type: ContentType) -> None:
    assert parse_content_type(value) == content_type


@pytest.mark.parametrize(
    ("value", "params"),
    [
        (b"text", ()),
        (b"text/", ()),
        (b"", ()),
        (b"/plain", ()),
        (b"text; charset=utf-8", ((b"charset", b"utf-8"),)),
        (b"; charset=utf-8; format=flowed", ((b"charset", b"utf-8"), (b"format", b"flowed"))),
        (b' (x) ; name="a b.pdf"', ((b"name", b"a b.pdf"),)),
        (b"charset=utf-8", ((b"charset", b"utf-8"),)),
        (b"@@; name*=utf-8''%41", ((b"name*", b"utf-8''%41"),)),
    ],
)
def test_an_invalid_type_is_plain_text_and_keeps_its_parameters(
    value: bytes, params: tuple[tuple[bytes, bytes], ...]
) -> None:
    assert parse_content_type(value) == ContentType(b"text", b"plain", params)


@pytest.mark.parametrize(
    ("params", "joined"),
    [
        (b"; name*0=a; name*1=b", ((b"name", b"ab"),)),
        (b"; name*1=b; name*0=a; c=d", ((b"c", b"d"), (b"name", b"ab"))),
        (b"; name*0*=utf-8''%41; name*1=b%c", ((b"name*", b"utf-8''%41b%25c"),)),
        (b"; name*0=a; name*1*=%41", ((b"name*", b"''a%41"),)),
        (b"; name*=utf-8''%41", ((b"name*", b"utf-8''%41"),)),
        (b"; name*0=a; name*2=c", ((b"name*0", b"a"), (b"name*2", b"c"))),
        (b"; name*0=a; name*0=b", ((b"name*0", b"a"), (b"name*0", b"b"))),
        (b"; name*0=a; name*=utf-8''%41; name*1=b", ((b"name*", b"utf-8''%41"),)),  # the pieces are for old readers
        (b"; name*1*=%42; name*=utf-8''%41", ((b"name*", b"utf-8''%41"),)),
        (b"; name*1=a; name*2=b", ((b"name", b"ab"),)),  # some count from one
        (b"; name=a; name*=utf-8''%41", ((b"name*", b"utf-8''%41"), (b"name", b"a"))[::-1]),
        (b"; name*x=a", ((b"name*x", b"a"),)),
        (b"; name*99999999=a", ((b"name*99999999", b"a"),)),
    ],
)
def test_pieces_of_rfc_2231_are_joined(params: bytes, joined: tuple[tuple[bytes, bytes], ...]) -> None:
    content_type = parse_content_type(b"image/png" + params)
    assert content_type is not None
    assert content_type.params == joined


@pytest.mark.parametrize(
    ("params", "name", "value"),
    [
        (b"; boundary*0*=us-ascii''%3D_; boundary*1*=b1", b"boundary", b"=_b1"),
        (b"; boundary*1*=b1; boundary*0*=us-ascii''%3D_", b"boundary", b"=_b1"),
        (b"; Boundary*0=a; BOUNDARY*1*=%42; boundary*2=%43", b"boundary", b"aB%43"),
        (b"; charset*=us-ascii'en'iso-8859-9", b"charset", b"iso-8859-9"),
        (b"; charset*=''utf-8", b"charset", b"utf-8"),
        (b"; charset*=utf-8", b"charset", b"utf-8"),
        (b"; charset*0=iso-; charset*1=8859-9", b"charset", b"iso-8859-9"),
        (b"; charset=us-ascii; charset*=us-ascii''iso-8859-9", b"charset", b"iso-8859-9"),
        (b"; format*=us-ascii''flowed", b"format", b"flowed"),
        (b"; charset*=utf-16''%00a", b"charset", None),
    ],
)
def test_parameters_for_mime_readers_have_their_plain_name(params: bytes, name: bytes, value: bytes | None) -> None:
    content_type = parse_content_type(b"text/plain" + params)
    assert content_type.param(name) == value
    assert [key for key, _ in content_type.params].count(name) <= 1


def test_values_that_are_not_ascii_keep_their_charset() -> None:
    value = parse_content_type(b"text/plain; title*0*=iso-8859-9''%DE; title*1=ehir; boundary*=us-ascii''a%0D%0Ab")
    assert value.params == ((b"boundary*", b"us-ascii''a%0D%0Ab"), (b"title*", b"iso-8859-9''%DEehir"))


def test_a_parameter_is_found_in_any_case_of_letters() -> None:
    content_type = ContentType(b"text", b"plain", ((b"Charset", b"utf-8"), (b"charset", b"ascii")))
    assert content_type.param(b"charset") == b"utf-8"
    assert content_type.param(b"format") is None
    assert ContentType(b"TEXT", b"Plain").essence == b"text/plain"


@pytest.mark.parametrize(
    ("value", "disposition"),
    [
        (b"ATTACHMENT; filename=a.txt", Disposition(b"ATTACHMENT", ((b"filename", b"a.txt"),))),
        (b"inline", Disposition(b"inline")),
        (b'"inline"; filename=a', Disposition(b"inline", ((b"filename", b"a"),))),
        # RFC 2183 §2.8: an unknown disposition is an attachment
        (b"; filename=a", Disposition(b"attachment", ((b"filename", b"a"),))),
        (b" (x)\r\n ;\r\n filename=a", Disposition(b"attachment", ((b"filename", b"a"),))),
        (b"filename=a; size=1", Disposition(b"attachment", ((b"filename", b"a"), (b"size", b"1")))),
        (b"@@; filename*=utf-8''%41", Disposition(b"attachment", ((b"filename*", b"utf-8''%41"),))),
        (b"attachment filename=a", Disposition(b"attachment", ((b"filename", b"a"),))),
        (b";", None),
        (b"", None),
    ],
)
def test_disposition(value: bytes, disposition: Disposition | None) -> None:
    assert parse_disposition(value) == disposition


def test_languages_and_tokens() -> None:
    assert parse_languages(b" en, tr (Turkish),,de-DE") == (b"en", b"tr", b"de-DE")
    assert parse_languages(b"") == ()
    assert parse_token(b" BASE64 (sic)\r") == b"BASE64"
    assert parse_token(b"base 64") is None
    assert parse_token(b"") is None
