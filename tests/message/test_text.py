"""The texts for SEARCH, and previews."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mektup.message.addresses import MISSING_DOMAIN, MISSING_MAILBOX, SYNTAX_ERROR
from mektup.message.envelope import read_addresses
from mektup.message.headers import field_text, index_fields
from mektup.message.markup import readable_text, shown_text
from mektup.message.preview import preview
from mektup.message.scan import scan
from mektup.message.text import field_texts, fold, fold_header, header_values, search_text
from mektup.store.arrival import prepare
from mektup.terms.limits import Limits

MIXED = (
    b"Subject: =?utf-8?q?Ak=C5=9Fam_yeme=C4=9Fi?=\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n"
    b"\r\n"
    b"preamble\r\n"
    b"--b\r\n"
    b"Content-Type: text/plain; charset=iso-8859-9\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n"
    b"\r\n"
    b"=DDyi ak=FEamlar, long=\r\n"
    b"word\r\n"
    b"--b\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: base64\r\n"
    b"\r\n"
    b"PHA+SGVsPGI+bG88L2I+ICZhbXA7IG1vcmU8L3A+\r\n"  # <p>Hel<b>lo</b> &amp; more</p>
    b"--b\r\n"
    b"Content-Type: image/png; name=holiday.png\r\n"
    b"\r\n"
    b"notsearched\r\n"
    b"--b\r\n"
    b"Content-Type: message/rfc822\r\n"
    b"\r\n"
    b"Subject: Inner\r\n"
    b"\r\n"
    b"Inside text\r\n"
    b"--b\r\n"
    b"Content-Type: message/delivery-status\r\n"
    b"\r\n"
    b"Status: 5.1.1\r\n"
    b"--b--\r\n"
)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("DINNER", "dinner"),
        ("ÄÖÜ", "äöü"),
        ("STRASSE", "Straße"),
        ("e\N{COMBINING ACUTE ACCENT}", "é"),
        ("ﬁ", "FI"),
        ("ＡＢ", "ab"),
        ("İSTANBUL", "istanbul"),
        ("ISPARTA", "ısparta"),
        ("Isparta", "isparta"),
        ("Σ", "ς"),
    ],
)
def test_texts_that_fold_to_the_same(text: str, same: str) -> None:
    assert fold(text) == fold(same)


@pytest.mark.parametrize(("text", "other"), [("u", "ü"), ("s", "ş"), ("o", "0")])
def test_letters_that_stay_different(text: str, other: str) -> None:
    assert fold(text) not in fold(other)


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    once = fold(text)
    assert fold(once) == once


@given(st.text(alphabet="aİş\N{COMBINING ACUTE ACCENT}日 ", min_size=1, max_size=20), st.integers(1, 100))
def test_long_text_is_folded_like_short_text(text: str, times: int) -> None:
    line = text + "\n"
    assert fold(line * times) == fold(line) * times


def test_a_long_text_that_grows_beyond_measure_is_cut() -> None:
    """U+FDFA is 18 characters when folded."""
    assert len(fold("\ufdfa" * 100_000)) < 2 * 100_000 + 18 * 1024


def test_headers_and_body_of_all_parts() -> None:
    headers, body = search_text(MIXED)
    for found in ("subject: akşam yemeği", "holiday.png", "subject: inner", "boundary=b"):
        assert fold(found) in headers
        assert fold(found) not in body
    for found in ("iyi akşamlar, longword", "hello & more", "inside text", "status: 5.1.1"):
        assert fold(found) in body
        assert fold(found) not in headers
    for absent in ("preamble", "notsearched", "<b>", "PHA+"):
        assert fold(absent) not in headers + body


def test_the_size_of_searched_text_is_limited() -> None:
    limits = Limits(text_bytes=1000, header_bytes=100)
    headers, body = search_text(b"Subject: " + b"h" * 500 + b"\r\n\r\n" + b"b" * 5000, limits)
    assert len(headers) == 100
    assert len(body) == 1000


@pytest.mark.parametrize(
    "head",
    [
        b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: x-unknown\r\n\r\n",
        b"Content-Type: text/plain; charset=x-unknown\r\n\r\n",
        b"\r\n",
    ],
)
def test_text_in_an_unknown_encoding_is_searched_undecoded(head: bytes) -> None:
    assert "needle" in search_text(head + b"\xff needle")[1]


def test_values_of_a_field_for_search() -> None:
    header = b"X-A: =?utf-8?q?=C4=B0?=\r\nx-a:\r\n two\r\nX-B: c\r\n\r\n"
    assert header_values(header, "x-a") == ["i", "two"]
    assert header_values(header, "x-c") == []
    assert header_values(header, "ş") == []


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a<b>b</b>c", "abc"),
        ("<p>a</p><p>b", "\na\n\nb"),
        ("a<br/>b", "a\nb"),
        ("<head><title>t</title></head>a", "a"),
        ("<style>p { }</style>a<script>if (a < b)</script>b", "ab"),
        ("<STYLE>x</style>a", "a"),
        ("a<!-- <b>x</b> -->b", "ab"),
        ("<header>a</header>", "a"),
        ("1 < 2 &lt; 3 &amp; 4 &#351;", "1 < 2 < 3 & 4 ş"),
        ("<style>never ends", "never ends"),
        ("<ſtyle>x</ſtyle>a", "<ſtyle>xa"),
        ("<tıtle>x</title>a", "xa"),
        ("a<dıv>b", "ab"),
        ("a <b", "a <b"),
        ("<<<a>", "<<"),
        ("<p title=\"a > b\">c</p><td x='>'>d", "\nc\n\nd"),
        ('<p class=">c', "\nc"),
        ("<font face='Arial>a</font> don't", "a don't"),
        ("&#99999999999999999999;", "\N{REPLACEMENT CHARACTER}"),
        ("&#" + "9" * 5000 + ";", "\N{REPLACEMENT CHARACTER}"),
        ("&#x0000000041;", "\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_html_gives_the_text_that_it_shows(markup: str, text: str) -> None:
    assert shown_text(markup) == text


@pytest.mark.parametrize(
    ("markup", "texts"),
    [
        ('a<img alt="two words">b', ["ab", "two words"]),
        ("<a HREF=http://x.example/ title = 'a &gt; b'>c</a>", ["c", "http://x.example/", "a > b"]),
        ('<a href="https://x.example/?a=1&amp;b=2">c', ["c", "https://x.example/?a=1&b=2"]),
        ('<area href="mailto:a@b"/><input\nalt="x"\n>', ["", "mailto:a@b", "x"]),
        ('<style>a[title="x"] { }</style><!-- <a href="y"> --><script>title="z"</script>b', ["b"]),
        ('<a data-href="x" halt="y" href="" alt>c', ["c"]),
        ('<img alt="two\r\n  words &amp;\tmore">', ["", "two words & more"]),
        ('<a href="data:image/png;base64,AAAA">c', ["c"]),
        ('<a href="x"><a href="x">', ["", "x"]),
        ("<head><TITLE lang=tr>Bir &amp;\r\n iki</TITLE></head>a", ["a", "Bir & iki"]),
        ('<a href  =\t"x y">c<img alt\n\n=z>', ["c", "x y", "z"]),
    ],
)
def test_titles_image_texts_and_links_of_html_are_found(markup: str, texts: list[str]) -> None:
    assert [line for line in readable_text(markup).split("\n") if line] == [text for text in texts if text]
    assert "".join(shown_text(markup).split("\n")) == texts[0]


@pytest.mark.parametrize("before", range(8))
def test_long_html_gives_the_text_that_it_shows(before: int) -> None:
    tag = '<b class="long">x&lt;</b><p>y</p>'
    assert shown_text("z" * before + tag * 10_000) == "z" * before + "x<\ny\n" * 10_000
    assert shown_text("z" * 100_000 + tag) == "z" * 100_000 + "x<\ny\n"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\r\n\r\n  Hello,\r\n\tworld  \r\n", "Hello, world"),
        (b"Content-Type: text/html\r\n\r\n<style>p {}</style><p>Hello</p><p>world</p>", "Hello world"),
        (b"Content-Type: image/png\r\n\r\nxyz", ""),
        (b"Subject: x\r\n\r\n", ""),
        (b"\r\n" + b"word " * 1000, " ".join(["word"] * 40)),
        (b"\r\n" + b"x" * 1000, "x" * 200),
        (MIXED, "İyi akşamlar, longword"),
    ],
)
def test_preview(message: bytes, expected: str) -> None:
    assert preview(message, scan(message)) == expected


def test_a_preview_prefers_plain_text() -> None:
    html = b"--b\r\nContent-Type: text/html\r\n\r\nmarkup\r\n"
    plain = b"--b\r\n\r\nplain\r\n"
    message = b"Content-Type: multipart/alternative; boundary=b\r\n\r\n" + html + plain + b"--b--\r\n"
    assert preview(message, scan(message)) == "plain"


HEADER_PIECES = st.sampled_from(
    [
        *(
            b"a",
            b" ",
            b"\t",
            b"\r\n ",
            b"\r\n\t",
            b"\r",
            b"\0",
            b"\xff",
            b"\xc5\x9f",
            b"\xe2\x80\x83",
            b"@",
            b".",
            b"<",
            b">",
            b",",
        ),
        *(
            b'"',
            b"\\",
            b"(",
            b")",
            b";",
            b":",
            b"=?utf-8?q?=C5=9F?=",
            b"=?utf-8?q?a_=0A_b?=",
            b"=?utf-8?b?",
            b"?=",
            b"I\xcc\x87",
        ),
    ]
)


@given(st.lists(HEADER_PIECES, max_size=12).map(b"".join), st.sampled_from([b"Subject", b"From", b"Cc", b"X-Note"]))
def test_text_finds_what_other_keys_find_in_a_header(value: bytes, name: bytes) -> None:
    """RFC 9051 §6.4.4: TEXT includes the header, so what SUBJECT, FROM or HEADER finds there, TEXT finds."""
    header = name + b": x " + value + b" x\r\n\r\n"
    headers = search_text(header)[0]
    for _, text in field_texts(header):
        for line in text.split("\n"):
            assert line.strip() in headers


ADDRESS_PIECES = st.sampled_from(
    [
        *(
            b"ann",
            b" ",
            b"  ",
            b"\r\n\t",
            b"\r",
            b"@",
            b"x.example",
            b".",
            b"<",
            b">",
            b",",
            b";",
            b":",
            b'"',
            b"\\",
            b"(",
        ),
        *(
            b")",
            b'""',
            b"=?utf-8?q?a=0D=0Ab?=",
            b"=?utf-16?q?=FF=FEa=00 \t b=00?=",
            b"\xc5\x9f",
            b"\xff",
            b"\0",
            b"[1]",
        ),
    ]
)


@example(b"<=?utf-16?q?=FF=FEa=00 \t b=00?=")
@example(b"=?utf-8?q?a@?=")
@example(b"=?utf-8?q?a,b?=@y.example")
@given(st.lists(ADDRESS_PIECES, max_size=12).map(b"".join))
def test_addresses_in_the_form_of_envelope_are_found(value: bytes) -> None:
    """RFC 9051 §6.4.4: FROM searches the envelope structure's field; so do TO, CC, BCC and TEXT."""
    header = b"From: " + value + b"\r\n\r\n"
    found = header_values(header, "From")[0]
    text = search_text(header)[0]
    values = index_fields(header).get(b"from", [b""])
    for name, _, mailbox, host in read_addresses(values[0], 100):
        for shown in (name, None if mailbox == MISSING_MAILBOX else mailbox, host):
            if shown and shown not in (MISSING_DOMAIN, SYNTAX_ERROR):
                words = fold_header(field_text(shown))
                assert words in found
                assert words in text


@pytest.mark.parametrize(
    ("value", "sought"),
    [
        (b'"" @ x . example', "x.example"),
        (b"< @ (c) x.example>", "x.example"),
        (b"=?utf-8?q?two=0D=0Alines?= <a@b>(c)", "two  lines <a@b>"),
        (b"Group\t (c) of  all: a@b;", "Group of all"),
    ],
)
def test_any_address_is_found_as_envelope_shows_it(value: bytes, sought: str) -> None:
    assert fold_header(sought) in header_values(b"From: %b\r\n\r\n" % value, "from")[0]


def test_white_space_in_an_encoded_word_is_the_same_for_text_and_subject() -> None:
    """A fold inside of a word is invalid, and in UTF-16 every octet matters: TEXT must decode the same as SUBJECT."""
    header = b"Subject: =?utf-16?q?=FF=FEa=00\r\n \t b=00?=\r\n\r\n"
    (subject,) = header_values(header, "subject")
    assert subject in search_text(header)[0]
    assert subject == prepare(header).subject
