"""The text of a message, decoded and folded, for SEARCH."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from unicodedata import normalize

from mektup.message.addresses import MISSING_DOMAIN, MISSING_MAILBOX, SYNTAX_ERROR, Address
from mektup.message.charsets import decode
from mektup.message.envelope import REMEMBERED, REMEMBERED_BYTES, read_addresses
from mektup.message.headers import all_fields, field_text, field_values, header_text
from mektup.message.markup import readable_text
from mektup.message.params import texts_in_pieces
from mektup.message.scan import Octets, Part, scan
from mektup.message.transfer import decode_part
from mektup.terms.errors import Refused
from mektup.terms.limits import DEFAULT_LIMITS, Limits

# Normalizing takes time quadratic in the length of a run of combining marks. So long text is cut, before an ASCII
# character, which never composes with the character before it.
_PIECE_CHARACTERS = 512
_PIECES = re.compile(rf".{{1,{_PIECE_CHARACTERS}}}[^\x00-\x7f]{{0,{_PIECE_CHARACTERS}}}", re.DOTALL)

_MOST_GROWTH = 2
"""How many times longer a folded text may be. A few characters become up to 18, so mail could fill the memory."""


def fold(text: str) -> str:
    """The form of *text* that SEARCH and SORT compare: case, width and composition of letters do not matter.

    Like i;unicode-casemap (RFC 5051), with two differences. It is composed (NFKC), so that "u" does not match "ü",
    which is another letter in German and Turkish. It uses full case folding, so that "STRASSE" matches "Straße". The
    four Turkish letters i (i, ı, I, İ) are equal, as three of them are in RFC 5051; so any spelling finds "İstanbul".
    A long text is cut where it becomes more than twice as long. ``comparing`` has the other comparators.
    """
    if text.isascii():
        return text.lower()
    return in_pieces(text, _fold_piece)


def in_pieces(text: str, fold: Callable[[str], str]) -> str:
    """*text*, each of its pieces folded by *fold*, which takes quadratic time for long runs of combining marks.

    A long text is cut where it becomes more than twice as long.
    """
    if len(text) <= _PIECE_CHARACTERS:
        return fold(text)
    folded: list[str] = []
    room = _MOST_GROWTH * len(text)
    for piece in _PIECES.finditer(text):
        folded.append(fold(piece[0]))
        room -= len(folded[-1])
        if room < 0:
            break
    return "".join(folded)


def _fold_piece(text: str) -> str:
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    return folded.replace("i\N{COMBINING DOT ABOVE}", "i").replace("ı", "i")


def fold_header(text: str, folding: Callable[[str], str] = fold) -> str:
    """The form of a header's *text* that SEARCH compares: *folding*, and each run of white space is one space.

    So a folded value is found in the form that ENVELOPE shows (RFC 9051 §6.4.4).
    """
    text = folding(text).replace("\t", " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


ADDRESS_FIELDS = frozenset({b"from", b"sender", b"reply-to", b"to", b"cc", b"bcc"})
"""The fields whose addresses ENVELOPE shows."""


def value_text(name: bytes, value: bytes, most_addresses: int, folding: Callable[[str], str] = fold) -> str:
    """The text of the field *name* (lower case) that SEARCH searches: its value, decoded and folded by ``fold_header``.

    An address field also has the names and addresses that ENVELOPE shows, if the value has them in another form
    (``<a (x)@ (y) b.example>``), because FROM, TO, CC and BCC search the envelope structure (RFC 9051 §6.4.4).
    """
    text = field_text(value)
    if name in ADDRESS_FIELDS and (others := _other_forms(value, text, most_addresses)):
        text = "\n".join([text, *others])
    return fold_header(text, folding)


def _other_forms(value: bytes, text: str, most: int) -> tuple[str, ...]:
    """The names and addresses that ENVELOPE shows of an address field, and its decoded text does not contain.

    *text* contains that decoded text. A short value is decoded here instead, and the result is cached.
    """
    return _known_forms(value, most) if len(value) <= REMEMBERED_BYTES else _read_forms(value, text, most)


def _read_forms(value: bytes, text: str | None, most: int) -> tuple[str, ...]:
    if _is_as_shown(value):
        return ()
    text = field_text(value) if text is None else text
    shown = dict.fromkeys(each for address in read_addresses(value, most) for each in _as_shown(address))
    return tuple(each for each in shown if each not in text)


@lru_cache(REMEMBERED)
def _known_forms(value: bytes, most: int) -> tuple[str, ...]:
    return _read_forms(value, None, most)


_WHOLE_WORD = re.compile(rb"=\?[^? \t\r<>,;:@]+\?[BbQq]\?[^? \t\r<>,;:@]*\?=")
"""An encoded word in which no address begins or ends. The address parser splits other words before they are decoded."""


def _is_as_shown(value: bytes) -> bool:
    """Whether an address field certainly has its addresses in the shown form: no comments, quotes or extra spaces."""
    # Called for each delivery. A pattern would take four times as long.
    value = value.replace(b"\t", b" ")
    return not (
        b"(" in value
        or b'"' in value
        or b"\\" in value
        or b"@ " in value
        or b" @" in value
        or b". " in value
        or b" ." in value
        or b"@\r" in value
        or b".\r" in value
        or (b"=?" in value and b"=?" in _WHOLE_WORD.sub(b"", value))
    )


def _as_shown(address: Address) -> Iterator[str]:
    name, _, mailbox, host = address
    if name:
        yield field_text(name)
    if host in (None, MISSING_DOMAIN, SYNTAX_ERROR):
        host = None
    if mailbox and mailbox != MISSING_MAILBOX:
        yield field_text(mailbox) if host is None else f"{field_text(mailbox)}@{field_text(host)}"
    elif host:
        yield field_text(host)


def header_values(
    header: bytes, name: str, limits: Limits = DEFAULT_LIMITS, folding: Callable[[str], str] = fold
) -> list[str]:
    """The values of the fields of that name, for SEARCH HEADER (RFC 9051 §6.4.4)."""
    octets = name.encode()
    most = limits.header_field_bytes
    return [
        value_text(octets.lower(), value[:most], limits.addresses, folding) for value in field_values(header, octets)
    ]


def field_texts(header: bytes, limits: Limits = DEFAULT_LIMITS) -> Iterator[tuple[str, str]]:
    """Each field's name in lower case, and its value as in ``header_values``."""
    for name, value in all_fields(header):
        value = value[: limits.header_field_bytes]
        yield name.decode("latin-1").lower(), value_text(name.lower(), value, limits.addresses)


def search_text(raw: Octets, limits: Limits = DEFAULT_LIMITS, folding: Callable[[str], str] = fold) -> tuple[str, str]:
    """The texts for SEARCH TEXT and BODY: that of all headers, and that of the body; decoded and folded by *folding*.

    RFC 9051 §6.4.4: TEXT includes the MIME header fields of the parts. BODY matches no header field, so the header of
    an embedded message is with the headers. The body consists of the text parts and of the parts of other message
    types (delivery reports), up to ``limits.text_bytes``.
    """
    parts = scan(raw, limits)
    headers = "\n".join(_headers(raw, parts, limits))
    body = "\n".join(_texts(raw, parts, limits.text_bytes))
    return fold_header(headers, folding), folding(body)


def _headers(raw: Octets, parts: Sequence[Part], limits: Limits) -> Iterator[str]:
    most = limits.header_bytes
    for part in parts:
        stop = min(part.content_start, part.header_start + most)
        most -= stop - part.header_start
        header = (raw if part.source is None else part.source)[part.header_start : stop]
        text = header_text(header)
        yield text
        if not ADDRESS_FIELDS.isdisjoint(part.fields):
            for name in ADDRESS_FIELDS:
                for value in part.fields.get(name, ()):
                    yield from _other_forms(value, text, limits.addresses)
        if b"*" in header:
            yield from _parameters(part)


def _parameters(part: Part) -> Iterator[str]:
    for name in (b"content-type", b"content-disposition"):
        for value in part.fields.get(name, ()):
            yield from texts_in_pieces(value)


def _texts(raw: Octets, parts: Sequence[Part], most: int) -> Iterator[str]:
    for part in parts:
        if part.is_text or (part.content_type.type.lower() == b"message" and not part.is_message):
            text = part_text(raw, part, most, readable_text)
            most = max(most - len(text), 0)
            yield text


def part_text(raw: Octets, part: Part, most: int, of_html: Callable[[str], str]) -> str:
    """The decoded text of about the first *most* octets of one part; *of_html* converts HTML."""
    # Base64 is a third longer than the octets that it encodes. Quoted-printable is three times longer at worst; then
    # less text is decoded.
    stop = min(part.stop, part.content_start + most + most // 2)
    octets = _undone((raw if part.source is None else part.source)[part.content_start : stop], part)
    is_cut = stop < part.stop or len(octets) > most
    text = decode(octets[:most], part.content_type.param(b"charset") or b"", is_cut=is_cut)
    return of_html(text) if part.content_type.subtype.lower() == b"html" else text


def _undone(octets: bytes, part: Part) -> bytes:
    encoding = part.encoding
    if encoding is None:
        return octets
    try:
        return decode_part(octets, encoding.decode("latin-1").lower())
    except Refused:
        return octets
