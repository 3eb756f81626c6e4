"""Previews (RFC 8970): what the reader of a message sees first."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mektup.message.markup import opening_text
from mektup.message.preview import PREVIEW_CHARACTERS, cut, preview
from mektup.message.scan import scan

UTF8 = "text/plain; charset=utf-8"


def part(text: str | bytes, kind: str = UTF8, *, encoding: str = "8bit", more: str = "") -> bytes:
    """A part, or a message."""
    octets = text.encode() if isinstance(text, str) else text
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n{more}\r\n".encode() + octets


def several(kind: str, *parts: bytes) -> bytes:
    return f"Content-Type: multipart/{kind}; boundary=b\r\n\r\n".encode() + b"".join(
        b"--b\r\n" + each + b"\r\n" for each in (*parts, b"")
    )


def of(message: bytes) -> str:
    found = preview(message, scan(message))
    assert len(found) <= PREVIEW_CHARACTERS
    return found


def html(markup: str) -> str:
    return of(part(markup, "text/html; charset=utf-8"))


@pytest.mark.parametrize(
    ("charset", "octets"),
    [
        ("iso-8859-9", b"\xddyi ak\xfeamlar, \xe7i\xf0dem"),
        ("windows-1254", b"\xddyi ak\xfeamlar, \xe7i\xf0dem"),
        ("utf-8", "İyi akşamlar, çiğdem".encode()),
        ("utf-8", "I\u0307yi aks\u0327amlar, c\u0327ig\u0306dem".encode()),
    ],
)
def test_turkish_in_every_charset_and_encoding_is_composed(charset: str, octets: bytes) -> None:
    kind = f"text/plain; charset={charset}"
    quoted = b"".join(b"=%02X" % each for each in octets)
    for message in (
        part(octets, kind),
        part(base64.encodebytes(octets), kind, encoding="base64"),
        part(quoted[:30] + b"=\n" + quoted[30:], kind, encoding="quoted-printable"),
    ):
        assert of(message) == "İyi akşamlar, çiğdem"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,\n\n\tworld", "Hello, world"),
        # new text comes before quoted text, wherever it is
        ("> When?\n\nAt eight.", "At eight. When?"),
        (
            "At eight.\n\nOn Mon, 7 Feb 2022, Ali <ali@example.org> wrote:\n> When?",
            "At eight. On Mon, 7 Feb 2022, Ali <ali@example.org> wrote: When?",
        ),
        (
            "On Mon, 7 Feb 2022, Ali\n<ali@example.org> wrote:\n\n> When?\n>> Dinner\n\nAt eight.",
            "At eight. On Mon, 7 Feb 2022, Ali <ali@example.org> wrote: When? Dinner",
        ),
        ("Ali yazdı:\n> Kaçta?\nSekizde.", "Sekizde. Ali yazdı: Kaçta?"),
        (
            "7 Şub 2022 Pzt 10:00 tarihinde Ali <ali@example.org>\nşunu yazdı:\n\n> Kaçta?\n\nSekizde.",
            "Sekizde. 7 Şub 2022 Pzt 10:00 tarihinde Ali <ali@example.org> şunu yazdı: Kaçta?",
        ),
        # no attribution
        ("I have two questions:\n> really?\nyes", "I have two questions: yes really?"),
        ("> only\n> quoted", "only quoted"),
        ("Hello\n-- \nAli\nExample Ltd.", "Hello Ali Example Ltd."),
        ("> When?\n-- \nAli\n", "When? Ali"),
        ("====\nNews\n----------\nof the day\n***\n1", "News of the day 1"),
        (
            "Read it <https://example.org/a?b=c> now [https://example.org] ( https://example.org/x ) [image: logo] !",
            "Read it now !",
        ),
        ("See https://example.org/a", "See https://example.org/a"),
        ("\ufeff\u200b \u200c \u034fHello\u00ad\u200d \u200cworld", "Hello world"),
        ("👩\u200d💻 and می\u200cخواهم", "👩\u200d💻 and می\u200cخواهم"),
        ("a\x01b\x00c\x7f", "abc"),
        (
            "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nHello\n-----BEGIN PGP SIGNATURE-----\nabc",
            "Hello",
        ),
        ("-----BEGIN PGP MESSAGE-----\n\nhQEMA", ""),
        ("", ""),
        (" \n\n\t", ""),
    ],
)
def test_plain_text(text: str, expected: str) -> None:
    assert of(part(text)) == expected


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("one \ntwo \nthree\n", "text/plain; format=flowed", "one two three"),
        ("日本 \n語\n", f"{UTF8}; format=flowed; delsp=yes", "日本語"),
        ("日本 \n語\n", f"{UTF8}; format=fixed; delsp=yes", "日本 語"),
        (" >stuffed\n> quoted \n> more\nnew \ntext", "text/plain; format=flowed", "new text stuffed quoted more"),
        ("text\n-- \nAli", "text/plain; format=flowed; delsp=yes", "text Ali"),
    ],
)
def test_format_flowed(text: str, kind: str, expected: str) -> None:
    assert of(part(text, kind)) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<p>Hello</p><p>world</p>", "Hello world"),
        ("<!DOCTYPE html><html><head><title>No</title><style>p {}</style></head><body>Hello<br>world", "Hello world"),
        ("a<!-- no -->b<![if !mso]>c<![endif]><script>d()</script>e&nbsp;&amp;&#8203;f", "abce &f"),
        ("<!--[if mso]>no<![endif]--><!--[if !mso]><!-->yes<!--<![endif]-->", "yes"),
        ("one\ntwo <b>thr</b>ee", "one two three"),
        # the hidden first line of newsletters, and what follows it
        (
            "<div style='display:none; max-height:0'>Our news &zwnj;&nbsp;&zwnj;&nbsp;&#847;</div><p>Dear Ali",
            "Dear Ali",
        ),
        ('<span style="display : NONE !important">no<b>no</b></span>yes', "yes"),
        ('<div hidden>no</div><div aria-hidden="true">yes</div><p style="overflow: hidden">too', "yes too"),
        ("<div style='display:none'>Our news</div><img src=x>", "Our news"),
        ("<td style='font-size:0px'><div style='font-size:13px'>yes</div></td>", "yes"),
        ("&zwnj;&nbsp;&zwnj;&nbsp;\u034f&shy;", ""),
        # quoted text
        (
            "New<div class='gmail_quote'><div class='gmail_attr'>On 7.2. Ali wrote:</div><blockquote>Old</blockquote>",
            "New On 7.2. Ali wrote: Old",
        ),
        ("<blockquote type=cite><p>Old<p>text</blockquote><div>New</div>", "New Old text"),
        (
            "<div class='moz-cite-prefix'>Am 7.2.2022 schrieb Ali:</div><blockquote>Old</blockquote><p>New</p>",
            "New Am 7.2.2022 schrieb Ali: Old",
        ),
        ("&gt; quoted<br>new", "new quoted"),
        ("1 < 2 and <notatag", "1 < 2 and <notatag"),
        ("</div></div>x</p></blockquote>", "x"),
    ],
)
def test_html(markup: str, expected: str) -> None:
    assert html(markup) == expected


def test_which_part() -> None:
    plain, markup = part("plain"), part("<p>markup", "text/html")
    empty, calendar = part(" \n\n"), part("BEGIN:VCALENDAR", "text/calendar")
    attached = part("attached", more='Content-Disposition: attachment; filename="a.txt"\r\n')
    forwarded = b"Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\nforwarded"
    assert of(several("alternative", markup, plain)) == "plain"
    assert of(several("alternative", plain, markup)) == "plain"
    assert of(several("alternative", empty, markup)) == "markup"
    assert of(several("alternative", calendar, markup)) == "markup"
    assert of(several("mixed", markup, plain)) == "markup"
    assert of(several("mixed", attached, markup)) == "markup"
    assert of(several("mixed", attached)) == ""
    assert of(several("mixed", calendar)) == ""
    assert of(several("mixed", empty, forwarded)) == "forwarded"
    assert of(several("encrypted; protocol=x", plain)) == ""
    assert of(part(b"MIAG", "application/pkcs7-mime; smime-type=enveloped-data", encoding="base64")) == ""


def test_new_text_after_a_long_quote_is_found() -> None:
    assert of(part("> quoted line\n" * 500 + "\nNew text.\n")).startswith("New text. quoted line quoted")
    assert html("<blockquote>" + "<p>old</p>" * 5000 + "</blockquote>New").startswith("New old old")


def test_much_markup_before_the_text() -> None:
    assert html("<style>" + "p { color: red }\n" * 5000 + "</style><p>Hello") == "Hello"


def test_a_preview_ends_between_characters() -> None:
    assert of(part("x" * 199 + "👩\u200d💻 y")) == "x" * 199
    assert of(part("x" * 198 + "👍🏽!")) == "x" * 198 + "👍🏽"
    assert of(part("x" * 199 + "👍🏽!")) == "x" * 199
    assert of(part("x" * 199 + "q\u0308\u0301z")) == "x" * 199
    assert cut("\u0308" * 500) == "\u0308" * 200
    assert cut("é" * 201) == "é" * 200


@pytest.mark.parametrize(
    "piece",
    ["<a '", "<", "<!--", "<b>", "</b>", '<p style="', "<!", "&", "<style>", "\u0308", "<blockquote>a", "<i></b>"],
)
def test_hostile_html_is_read_in_linear_time(piece: str) -> None:
    html("<b>" * 300 + piece * (300_000 // len(piece)))


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<div hidden>",
                "</div>",
                "<blockquote>",
                "</blockquote>",
                "a ",
                "&lt;",
                "<style>",
                "</style>",
                "<!--",
                "-->",
                "<",
                ">",
                "\n",
                '"',
                "=",
                "\u200c",
            ]
        ),
        max_size=40,
    )
)
def test_any_html_gives_some_text(pieces: Sequence[str]) -> None:
    markup = "".join(pieces)
    assert html(markup).isprintable() or "\u200c" in markup
    assert len(opening_text(markup, 10)) <= 2 * len(markup) + 10


@given(st.text(), st.sampled_from(["text/plain; format=flowed; charset=utf-8", UTF8, "text/html; charset=utf-8"]))
def test_any_text_gives_a_line(text: str, kind: str) -> None:
    found = of(part(text, kind))
    assert found == found.strip()
    assert found.isprintable() or any(not each.isprintable() for each in text)
    assert "\n" not in found
