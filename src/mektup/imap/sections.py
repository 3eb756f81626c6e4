"""The bytes that BODY[...], BINARY[...] and BINARY.SIZE[...] name (RFC 9051 §6.4.5.1, §6.4.5.2).

A reader takes a slice of rows, column by column, and gives for each row the value as it stands on the wire:
NIL, or a literal. Where the store did not hand the message out whole, as it is large, the value is a Later,
which reads just the octets that are needed when its turn comes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mektup.message.headers import selector
from mektup.message.layout import Layout, PartPlace, Span, unpack
from mektup.message.transfer import decode_message, decode_part
from mektup.store.interface import Account, Column, HeaderFields
from mektup.terms.errors import Disconnected, Refused
from mektup.terms.numbers import ContentId
from mektup.wire.fetch_items import Binary, BinarySize, BodySection, Partial, Section, Text
from mektup.wire.strings import literal, literal8, without_nul

Columns = dict[Column | HeaderFields, Sequence[Any]]
"""A slice of rows, column by column."""

Reader = Callable[[Columns], Iterable[Any]]
Finish = Callable[[bytes], bytes]
"""From the octets of a span to the value on the wire."""

WHOLE = (Column.LAYOUT, Column.RAW, Column.CONTENT)
NIL = b"NIL"


@dataclass(frozen=True, slots=True)
class Later:
    """A value that is read when its turn comes."""

    content: ContentId
    start: int
    stop: int
    finish: Finish | None
    """What is to be done with the octets, which then are held whole; None: they go out as a literal, as they come."""

    async def load(self, account: Account) -> bytes | Later:
        """The value where it has to be *finish*ed, and so held whole; itself where it can go out as it comes."""
        if self.finish is None:
            return self
        return self.finish(b"".join([piece async for piece in account.content(self.content, self.start, self.stop)]))

    async def pieces(self, account: Account) -> AsyncIterator[bytes]:
        """The value on the wire, in pieces of bounded size.

        Raises Disconnected when the message goes while it is being sent: the literal was announced, and only the end
        of the connection can say that it will not come.
        """
        yield b"{%d}\r\n" % (self.stop - self.start)
        try:
            async for piece in account.content(self.content, self.start, self.stop):
                yield without_nul(piece)
        except Refused as refusal:
            raise Disconnected from refusal


def section_reader(item: BodySection) -> tuple[tuple[Column, ...], Reader]:
    """The columns that BODY[...] needs, and its reader."""
    section, partial = item.section, item.partial
    finish = _finish(section, partial)
    if not section.part and section.text in (Text.HEADER, Text.HEADER_FIELDS, Text.HEADER_FIELDS_NOT):
        return (Column.HEADER,), lambda columns: map(finish or literal, columns[Column.HEADER])

    def value(row: tuple[bytes, bytes | None, ContentId]) -> bytes | Later:
        layout = unpack(row[0])
        span = _span(layout, section)
        if span is None:
            return NIL
        if finish is None:
            span = _cut(span, partial)
        around = layout.encoded_around(section.part, inside=section.text not in (Text.ALL, Text.MIME))
        if not around:
            return _value(row, span, finish)
        return _value(row, *_decoded_out_of(around, span, finish or literal))

    return WHOLE, lambda columns: [value(row) for row in zip(*(columns[column] for column in WHOLE), strict=True)]


def _decoded_out_of(around: Sequence[PartPlace], span: Span, finish: Finish) -> tuple[Span, Finish]:
    """Where the outermost of the encoded messages *around* lies, and what makes of it what *finish* makes of *span*.

    *span* counts in the decoded octets of the innermost.
    """
    spans = [*((place.content_start, place.stop) for place in around), span]

    def decode(octets: bytes) -> bytes:
        for place, (start, stop) in zip(around, spans[1:], strict=True):
            octets = decode_message(octets, place.encoding)[start:stop]
        return finish(octets)

    return spans[0], decode


MOST_NAME_BYTES = 1000
"""Of names of header fields, all together, that may make a column of the store's."""


def chosen_fields(item: BodySection) -> HeaderFields | None:
    """The column that *item* asks for; None where it is not some fields of the message's own header, whole."""
    section = item.section
    if section.part or section.text is not Text.HEADER_FIELDS or item.partial is not None:
        return None
    if sum(map(len, section.fields)) > MOST_NAME_BYTES:
        return None
    return HeaderFields(frozenset(name.lower() for name in section.fields))


def _span(layout: Layout, section: Section) -> Span | None:
    match section.text:
        case Text.ALL:
            return layout.whole(section.part)
        case Text.TEXT:
            return layout.text(section.part)
        case Text.MIME:
            return layout.mime(section.part)
        case Text.HEADER | Text.HEADER_FIELDS | Text.HEADER_FIELDS_NOT:
            return layout.header(section.part)


def _cut(span: Span, partial: Partial | None) -> Span:
    """Only what ``<start.count>`` asks for; empty where it starts behind the end (RFC 9051 §6.4.5.1)."""
    if partial is None:
        return span
    start, stop = span
    first = min(start + partial.start, stop)
    return first, min(first + partial.count, stop)


def _finish(section: Section, partial: Partial | None) -> Finish | None:
    """What makes a value of a span's octets where it is more than to send them; header fields are chosen."""
    if section.text in (Text.HEADER_FIELDS, Text.HEADER_FIELDS_NOT):
        select = selector(frozenset(section.fields), section.text is Text.HEADER_FIELDS_NOT)
        if partial is None:
            return lambda header: literal(select(header))
        return lambda header: literal(_partial(select(header), partial))
    if section.text is Text.HEADER and not section.part and partial is not None:
        return lambda header: literal(_partial(header, partial))
    return None


def _partial(octets: bytes, partial: Partial | None) -> bytes:
    return octets if partial is None else octets[partial.start : partial.start + partial.count]


def _value(row: tuple[bytes, bytes | None, ContentId], span: Span | None, finish: Finish | None) -> bytes | Later:
    if span is None:
        return NIL
    _, raw, content = row
    start, stop = span
    if raw is None:
        return Later(content, start, stop, finish)
    return (finish or literal)(raw[start:stop])


def binary_reader(item: Binary) -> tuple[tuple[Column, ...], Reader]:
    """The columns that BINARY[...] needs, and its reader."""
    return _decoding_reader(item.part, lambda octets: _binary(_partial(octets, item.partial)))


def binary_size_reader(item: BinarySize) -> tuple[tuple[Column, ...], Reader]:
    """The columns that BINARY.SIZE[...] needs, and its reader."""
    return _decoding_reader(item.part, lambda octets: b"%d" % len(octets), missing=b"0")


def _decoding_reader(path: tuple[int, ...], render: Finish, missing: bytes = NIL) -> tuple[tuple[Column, ...], Reader]:
    def value(row: tuple[bytes, bytes | None, ContentId]) -> bytes | Later:
        layout = unpack(row[0])
        span = layout.whole(path)
        if span is None:
            return missing
        place = layout.part(path)

        def finish(octets: bytes) -> bytes:
            return render(_decoded(octets, place))

        around = layout.encoded_around(path, inside=False)
        return _value(row, *_decoded_out_of(around, span, finish)) if around else _value(row, span, finish)

    return WHOLE, lambda columns: [value(row) for row in zip(*(columns[column] for column in WHOLE), strict=True)]


def _decoded(octets: bytes, place: PartPlace | None) -> bytes:
    if place is None or place.is_multipart or (place.body_start is not None and place.decoded_stop is None):
        # RFC 3516 §4.3: what holds other parts has no encoding of its own to take off, but a message that is encoded
        return octets
    return decode_part(octets, place.encoding)


def _binary(octets: bytes) -> bytes:
    # RFC 9051 §7.5.2: a literal8 only where there is a NUL, so that the client need not look for one
    return literal8(octets) if b"\0" in octets else literal(octets)
