"""The values of header fields, and the texts of mail: each parser by itself, so that short inputs reach all of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

from mektup.message import charsets, collation, comments, content_fields, envelope, headers, markup, message_ids, text
from mektup.message.addresses import parse_addresses
from mektup.message.dates import parse_date
from mektup.message.params import parse_content_type, parse_disposition, parse_languages, parse_token, texts_in_pieces
from mektup.message.rfc2231 import param_texts
from mektup.message.subject import base_subject
from mektup.wire import strings
from reliability.fuzz import corpus
from reliability.fuzz.target import Frame, Target, require, same

SPECIALS = (
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b",",
    b";",
    b":",
    b'"',
    b"\\",
    b"[",
    b"]",
    b".",
    b" ",
    b"\t",
    b"\r\n ",
    b"a",
    b"=",
)
ENCODED = (b"=?utf-8?q?=C3=A9?=", b"=?utf-8?b?w6k=?=", b"=?utf-8*tr?q?a?=", b"=?", b"?=", b"?q?", b"?b?", b"=C3", b"_")


def addresses(octets: bytes) -> None:
    """An address list; what is found has no ends of lines, and groups are closed."""
    found = parse_addresses(headers.unfold(octets), 1000)
    depth = 0
    for name, _route, mailbox, host in found:
        for value in (name, mailbox, host):
            require(value is None or not {10, 13} & set(value), "an end of line in an address")
        depth += 0 if host is not None else (1 if mailbox is not None else -1)
        require(depth in (0, 1), "a group in a group")
    require(depth == 0, "a group is not closed")
    require(len(parse_addresses(headers.unfold(octets), 3)) <= 8, "more addresses than asked for")
    envelope.read_addresses(octets, 1000)
    text.value_text(b"from", octets, 1000)


def dates(octets: bytes) -> None:
    """A date; one that was read can be written, and read again."""
    found = parse_date(headers.unfold(octets))
    if found is None:
        return
    seconds, zone = found
    require(abs(zone) < 24 * 60, f"a zone of {zone} minutes")
    written = strings.date_time(seconds, zone).strip(b'"')
    day, month, rest = written.strip().split(b"-", 2)
    require(len(rest.split()) == 3, f"a strange date: {written!r}")
    again = parse_date(b" ".join((day, month, rest)))
    same(again, found, "a date changes when it is written")


def params(octets: bytes) -> None:
    """Content-Type and Content-Disposition, with parameters in pieces."""
    kind = parse_content_type(octets)
    require(b"/" in kind.essence, "a type without subtype")
    param_texts(kind.params)
    disposition = parse_disposition(octets)
    if disposition is not None:
        param_texts(disposition.params)
    texts_in_pieces(octets)
    parse_token(octets)
    parse_languages(octets)
    content_fields.content_id(octets)
    content_fields.content_md5(octets)
    content_fields.content_location(octets)


def words(octets: bytes) -> None:
    """Encoded words, folding, comments and subjects. What is folded or unfolded twice does not change."""
    unfolded = headers.unfold(octets)
    same(headers.unfold(unfolded), unfolded, "unfolding twice")
    require(b"\n" not in unfolded, "an end of line is left")
    headers.words(octets)
    shown = headers.field_text(octets)
    require("\n" not in shown and "\r" not in shown, "an end of line in a text")
    headers.decode_words(unfolded)
    comments.without_comments(unfolded)
    base, _ = base_subject(shown)
    same(base_subject(base)[0], base, "the base of a base subject")
    folded = text.fold(shown)
    same(text.fold(folded), folded, "folding twice")
    collation.collation_key(folded)


def ids(octets: bytes) -> None:
    """Message-IDs of References."""
    found = message_ids.message_ids(octets, 1000)
    same(message_ids.message_ids(octets, 2), found[-2:], "the last two of all")
    first = message_ids.first_message_id(octets)
    same(first, found[0] if found else "", "the first of all")


def markups(octets: bytes) -> None:
    """HTML."""
    page = octets.decode("utf-8", "replace")
    shown = markup.shown_text(page)
    require(len(shown) <= len(page) + 100, "the text is longer than the page")
    readable = markup.readable_text(page)
    require(readable.startswith(shown), "the shown text does not come first")


def charset(octets: bytes) -> None:
    """Text in a charset that the first line names."""
    name, _, content = octets.partition(b"\n")
    charsets.codec_of(name)
    for is_cut in (False, True):
        charsets.decode(content, name, is_cut=is_cut).encode("utf-8")
        charsets.guess(content, is_cut=is_cut)
    require(len(charsets.decode(content, name)) <= 4 * len(content) + 10, "the text is longer than its octets allow")


def _headed(*names: str) -> Callable[[], Iterable[bytes]]:
    return partial(corpus.fields, *names)


def _charsets() -> Iterable[bytes]:
    for name in (
        b"utf-8",
        b"utf-7",
        b"iso-2022-jp",
        b"iso-2022-kr",
        b"hz",
        b"gb2312",
        b"big5",
        b"shift_jis",
        b"euc-kr",
        b"koi8-r",
        b"utf-16",
        b"utf-32",
        b"utf-16le",
        b"windows-1254",
        b"x-unknown",
        b"idna",
        b"punycode",
        b"unicode_escape",
        b"cp037",
        b"us-ascii",
        b"gb18030",
        b"johab",
        b"mac-turkish",
        b"undefined",
        b"hex",
        b"rot13",
    ):
        yield name + b"\na\xc3\xa9\xe9 \x1b$B$3$s\x1b(B +AGE- ~{VP~}"


def _target(
    name: str,
    what: str,
    run: Callable[[bytes], None],
    seeds: Callable[[], Iterable[bytes]],
    more: Sequence[bytes],
    frames: Sequence[Frame] = ((b"", b""),),
) -> Target:
    return Target(name, what, run, seeds, (*SPECIALS, *more), frames, longest=1000)


TARGETS = (
    _target(
        "addresses",
        "address fields",
        addresses,
        _headed("from", "to", "cc", "bcc", "reply-to", "sender"),
        (b"a@b", b"<a@b>", b'"a" <a@b>', b"g: a@b;", b"(c)", *ENCODED),
        ((b"", b""), (b"<", b">"), (b"a: ", b";")),
    ),
    _target(
        "dates",
        "dates",
        dates,
        _headed("date", "received", "resent-date"),
        (
            b"1",
            b"Jan",
            b"2020",
            b"70",
            b"23:59:60",
            b"+0000",
            b"-9959",
            b"GMT",
            b"EST",
            b"Z",
            b"Mon",
            b"Mon,",
            b"31",
            b"Feb",
            b"9999",
            b"0000",
            b"-0000",
            b"\xc5\x9eubat",
            b"-",
        ),
    ),
    _target(
        "params",
        "Content-Type, Content-Disposition and their kind",
        params,
        _headed("content-type", "content-disposition", "content-language", "content-id", "content-location"),
        (b"/", b"*", b"'", b"%", b"%C3", b"a*0*=utf-8''%C3", b"a*1*=%A9", b"; a=b", b"charset=utf-8", b"*0", b"*1="),
    ),
    _target(
        "words",
        "encoded words, unfolding, subjects",
        words,
        _headed("subject", "from", "comments", "x-mailer"),
        (*ENCODED, b"Re: ", b"RE[2]: ", b"[fwd: ", b"(fwd)", b"[a]", b"Fw:", b"\xc4\xb0", b"\xc3\xa9", b"=?a?b?"),
    ),
    _target(
        "ids",
        "Message-IDs",
        ids,
        _headed("message-id", "references", "in-reply-to"),
        (b"<a@b>", b'<"a"@b>', b"<a@[1]>", b"<", b"@"),
    ),
    _target(
        "html",
        "HTML",
        markups,
        lambda: (
            b"<p>a<br>b</p><a href='x'>c</a><!-- d --><style>e</style>&amp;&#233;&#xe9;",
            *(each for each in corpus.mail() if b"<html" in each.lower()),
        ),
        (
            b"<p>",
            b"</",
            b"<a ",
            b"<!--",
            b"-->",
            b"<style>",
            b"</style>",
            b"<script>",
            b"&",
            b"&#",
            b"&#x",
            b"&amp;",
            b"&nbsp",
            b"alt=",
            b"href=",
            b"'",
            b"<title>",
            b"<![CDATA[",
            b"]]>",
            b"<!",
            b"<?",
        ),
        ((b"", b""), (b"<a ", b">"), (b"<style>", b"</style>"), (b"<!--", b"-->")),
    ),
    _target(
        "charsets",
        "charsets",
        charset,
        _charsets,
        (
            b"utf-8\n",
            b"iso-2022-jp\n",
            b"iso-2022-jp-2\n",
            b"utf-7\n",
            b"+",
            b"-",
            b"\x1b",
            b"\x1b$B",
            b"\x1b(B",
            b"~{",
            b"~}",
            b"\x0e",
            b"\x0f",
            b"\x1b$)C",
            b"\xff\xfe",
            b"\xa4\xe0",
            b"\x81\x30",
        ),
        (
            (b"utf-8\n", b""),
            (b"utf-7\n", b""),
            (b"iso-2022-jp\n", b""),
            (b"hz\n", b""),
            (b"gb18030\n", b""),
            (b"big5\n", b""),
            (b"x\n", b""),
            (b"", b"\nabc"),
            (b"iso-2022-kr\n", b""),
            (b"utf-16\n", b""),
        ),
    ),
)
