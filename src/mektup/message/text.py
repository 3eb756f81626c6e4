"""The text of a message, decoded and folded: what SEARCH looks into, and what a preview shows."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from unicodedata import normalize

from mektup.message.charsets import decode
from mektup.message.headers import all_fields, decode_words, field_values, header_text, unfold
from mektup.message.scan import Octets, Part, scan
from mektup.message.transfer import decode_part
from mektup.terms.errors import Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits

PREVIEW_CHARACTERS = 200
"""RFC 8970 §3.1: a preview is at most 256 characters; 200 is what is asked for."""

_PREVIEW_BYTES = 1024
"""Enough of a plain text for a preview."""
_PREVIEW_HTML_BYTES = 64 * 1024
"""HTML says much before it says something."""

_HIDING = re.compile(r"<(style|script|head|title)\b|<!(--)", re.ASCII | re.IGNORECASE)
_SHOWING = {
    **{name: re.compile(rf"</{name}\b", re.ASCII | re.IGNORECASE) for name in ("style", "script", "head", "title")},
    "--": re.compile("(?<=-->)"),
}
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|tr|td|th|table|h[1-6]|li|ul|ol|dl|dt|dd|hr|pre|blockquote|body|html)\b[^<>]*>",
    re.ASCII | re.IGNORECASE,
)
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_MARKUP_CHARACTERS = 64 * 1024
_LONG_REFERENCE = re.compile(r"&#[xX]?[0-9a-fA-F]{9,};?")
"""No character has such a number, and Python refuses to read a long one."""

# To normalize takes time quadratic in the length of a run of combining marks, so long text is cut, and that before an
# ASCII character, which composes with nothing before it.
_PIECE_CHARACTERS = 512
_PIECES = re.compile(rf".{{1,{_PIECE_CHARACTERS}}}[^\x00-\x7f]{{0,{_PIECE_CHARACTERS}}}", re.DOTALL)


def fold(text: str) -> str:
    """*text* as it is compared in SEARCH and SORT: without regard to case, width and ways to compose a letter.

    As i;unicode-casemap (RFC 5051) does it, but composed (NFKC) instead of decomposed: so "u" is not found in "ü",
    which to a German or a Turk is another letter; and full case folding, so "STRASSE" is found in "Straße". The four
    letters i of Turkish (i, ı, I, İ) are one, as RFC 5051 has it for three of them: what was written "İstanbul" is
    found by any spelling.
    """
    if text.isascii():
        return text.lower()
    if len(text) > _PIECE_CHARACTERS:
        return "".join([_fold_piece(piece) for piece in _PIECES.findall(text)])
    return _fold_piece(text)


def _fold_piece(text: str) -> str:
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return folded.replace("i\N{COMBINING DOT ABOVE}", "i").replace("ı", "i")


def field_text(value: bytes) -> str:
    """A field's value, folded or not, as text: decoded, on one line."""
    return decode_words(unfold(value))


def header_values(header: bytes, name: str) -> list[str]:
    """The values of the fields of that name, decoded and case-folded, for SEARCH HEADER (RFC 9051 §6.4.4)."""
    return [fold(field_text(value)) for value in field_values(header, name.encode())]


def field_texts(header: bytes) -> Iterator[tuple[str, str]]:
    """Each field's name in lower case, and its value as ``header_values`` yields it for that name."""
    for name, value in all_fields(header):
        yield name.decode("latin-1").lower(), fold(field_text(value))


def search_text(raw: Octets, limits: Limits = DEFAULT_LIMITS) -> tuple[str, str]:
    """What SEARCH TEXT and BODY look into: the text of all headers, and that of the body; decoded and case-folded.

    RFC 9051 §6.4.4: TEXT includes MIME header fields, those of the parts; BODY matches no header field at all, so the
    header of a message inside the message is with the headers. The body is the text parts, and what other parts of
    type message there are (delivery reports), up to ``limits.text_bytes``.
    """
    parts = scan(raw, limits)
    headers = "\n".join(_headers(raw, parts, limits.header_bytes))
    body = "\n".join(_texts(raw, parts, limits.text_bytes))
    return fold(headers), fold(body)


def _headers(raw: Octets, parts: Sequence[Part], most: int) -> Iterator[str]:
    for part in parts:
        stop = min(part.content_start, part.header_start + most)
        most -= stop - part.header_start
        yield header_text(raw[part.header_start : stop])


def _texts(raw: Octets, parts: Sequence[Part], most: int) -> Iterator[str]:
    for part in parts:
        if part.is_text or (part.content_type.type.lower() == b"message" and not part.is_message):
            text = part_text(raw, part, most)
            most = max(most - len(text), 0)
            yield text


def part_text(raw: Octets, part: Part, most: int) -> str:
    """The decoded text of one part, of HTML only what it shows; of it about *most* octets."""
    # Base64 is a third longer than what it encodes; quoted-printable three times at worst, which nobody needs to the
    # end.
    octets = raw[part.content_start : min(part.stop, part.content_start + most + most // 2)]
    text = decode(_undone(octets, part)[:most], part.content_type.param(b"charset") or b"")
    return html_text(text) if part.content_type.subtype.lower() == b"html" else text


def _undone(octets: bytes, part: Part) -> bytes:
    encoding = part.encoding
    if encoding is None:
        return octets
    try:
        return decode_part(octets, encoding.decode("latin-1").lower())
    except Refused:
        return octets


def html_text(markup: str) -> str:
    """What a page of HTML shows, roughly: no tags, no style, no script, a new line at each block. Linear always."""
    return "".join([_without_tags(piece) for piece in _cut_between_tags(_shown(markup))])


def _cut_between_tags(markup: str) -> Iterator[str]:
    """*markup* in pieces, for each of which Python holds its lock for a few milliseconds. No tag has a "<" inside."""
    start = 0
    while start < len(markup):
        stop = markup.find("<", start + _MARKUP_CHARACTERS)
        yield markup[start : stop if stop >= 0 else None]
        start = stop if stop >= 0 else len(markup)


def _without_tags(markup: str) -> str:
    text = _TAG.sub("", _BLOCK_TAG.sub("\n", markup))
    return html.unescape(_LONG_REFERENCE.sub("\N{REPLACEMENT CHARACTER}", text))


def _shown(markup: str) -> str:
    """Without the elements that do not show. One that does not end hides nothing, and is looked for no more."""
    kept: list[str] = []
    endless: set[str] = set()
    position = 0
    for hiding in _HIDING.finditer(markup):
        name = (hiding[1] or hiding[2]).lower()
        if hiding.start() < position or name in endless:
            continue
        showing = _SHOWING[name].search(markup, hiding.end())
        if showing is None:
            endless.add(name)
            continue
        kept.append(markup[position : hiding.start()])
        position = showing.start()
    kept.append(markup[position:])
    return "".join(kept)


def preview(raw: Octets, parts: Sequence[Part]) -> str:
    """The beginning of the message's text, white space made one space (RFC 8970 §3.3); empty where it has no text."""
    texts = [part for part in parts if part.is_text and part.octets]
    if not texts:
        return ""
    plain = [part for part in texts if part.content_type.subtype.lower() != b"html"]
    text = part_text(raw, plain[0], _PREVIEW_BYTES) if plain else part_text(raw, texts[0], _PREVIEW_HTML_BYTES)
    return " ".join(text.lstrip()[: 2 * PREVIEW_CHARACTERS].split())[:PREVIEW_CHARACTERS].rstrip()
