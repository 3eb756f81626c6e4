"""Content-Type and its like."""

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
        # not allowed, and met
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
        (b"text", None),
        (b"text/", None),
        (b"", None),
        (b"/plain", None),
    ],
)
def test_content_type(value: bytes, content_type: ContentType | None) -> None:
    assert parse_content_type(value) == content_type


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
        (b"; name*x=a", ((b"name*x", b"a"),)),
        (b"; name*99999999=a", ((b"name*99999999", b"a"),)),
    ],
)
def test_pieces_of_rfc_2231_are_joined(params: bytes, joined: tuple[tuple[bytes, bytes], ...]) -> None:
    content_type = parse_content_type(b"image/png" + params)
    assert content_type is not None
    assert content_type.params == joined


def test_a_parameter_is_found_in_any_case() -> None:
    content_type = ContentType(b"text", b"plain", ((b"Charset", b"utf-8"), (b"charset", b"ascii")))
    assert content_type.param(b"charset") == b"utf-8"
    assert content_type.param(b"format") is None
    assert ContentType(b"TEXT", b"Plain").essence == b"text/plain"


@pytest.mark.parametrize(
    ("value", "disposition"),
    [
        (b"ATTACHMENT; filename=a.txt", Disposition(b"ATTACHMENT", ((b"filename", b"a.txt"),))),
        (b"inline", Disposition(b"inline")),
        (b"; filename=a", None),
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
