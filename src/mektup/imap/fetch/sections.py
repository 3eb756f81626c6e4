"""The bytes that BODY[...], BINARY[...] and BINARY.SIZE[...] name (RFC 9051 §6.4.5, §6.4.5.1).

A reader takes a slice of rows, column by column, and gives the wire value of each row, one at a time: NIL, or a
literal. If the store did not return a large message (or its header) whole, the value is a ``Streamed``, which reads
only the octets that are needed, in pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial as partial_of
from typing import Any

from mektup.imap.fetch.streamed import Chain, Filter, Shape, Streamed, Window
from mektup.message.headers import FieldChooser, selector
from mektup.message.layout import Layout, PartPlace, Span
from mektup.message.part_decoder import MessageDecoder, decoder
from mektup.message.transfer import decode_message, decode_part
from mektup.store.columns import AnyColumn, Column, HeaderColumn, HeaderFields
from mektup.terms.numbers import ContentId
from mektup.wire.fetch_items import Binary, BinarySize, BodySection, Partial, Section, SectionText
from mektup.wire.strings import literal, literal8

Columns = dict[AnyColumn, Sequence[Any]]
"""A slice of rows, column by column; LAYOUT is unpacked."""

Reader = Callable[[Columns], Iterable[Any]]
MESSAGE = (Column.RAW, Column.CONTENT, Column.SIZE)
WHOLE = (Column.LAYOUT, Column.RAW, Column.CONTENT)
HEADER = (HeaderColumn.SMALL, Column.CONTENT, HeaderColumn.SIZE)
NIL = b"NIL"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a span lies: in the message itself, or in the decoded octets of encoded messages inside it."""

    span: Span
    steps: tuple[tuple[str, Span], ...]
    """For each of these messages, outermost first: its encoding, and the wanted span of its decoded octets."""

    @classmethod
    def of(cls, around: Sequence[PartPlace], span: Span) -> _Place:
        """The place of *span*, which counts in the innermost of the encoded messages *around* it."""
        spans = [*((place.content_start, place.stop) for place in around), span]
        return cls(spans[0], tuple(zip((place.encoding for place in around), spans[1:], strict=True)))

    def octets(self, raw: bytes) -> bytes:
        """The span's octets."""
        octets = raw[slice(*self.span)]
        for encoding, (start, stop) in self.steps:
            octets = decode_message(octets, encoding)[start:stop]
        return octets

    def streamed(
        self,
        content: ContentId,
        last: Callable[[], Filter] | None,
        partial: Partial | None,
        shape: Shape = Shape.LITERAL,
    ) -> Streamed:
        """The same for a message that is not in memory; the octets pass through *last* at the end."""
        filters: list[Callable[[], Filter]] = []
        for encoding, (start, stop) in self.steps:
            filters += (partial_of(MessageDecoder, encoding), partial_of(Window, start, stop - start))
        if last is not None:
            filters.append(last)
        if not filters:
            return Streamed(content, *_cut(self.span, partial))
        return Streamed(content, *self.span, partial_of(Chain, *filters), partial, shape)


def section_reader(item: BodySection, most: int) -> tuple[tuple[AnyColumn, ...], Reader]:
    """The columns that BODY[...] needs, and its reader. Fields are chosen from the first *most* octets of a header."""
    section, partial = item.section, item.partial
    if not section.part and section.text is SectionText.ALL:
        return MESSAGE, lambda columns: [
            _octets(row, partial) for row in zip(*(columns[column] for column in MESSAGE), strict=True)
        ]
    choose = _chooser(section)
    if not section.part and choose is None and section.text is SectionText.HEADER:
        return HEADER, lambda columns: [
            _octets(row, partial) for row in zip(*(columns[column] for column in HEADER), strict=True)
        ]
    if not section.part and choose is not None:
        chosen = choose

        def choice(header: bytes | None, content: ContentId, size: int) -> bytes | Streamed:
            if header is None:
                return Streamed(content, 0, min(size, most), chosen.in_pieces, partial)
            return literal(_partial(chosen.select(header), partial))

        return HEADER, lambda columns: map(choice, *(columns[column] for column in HEADER))

    inside = section.text not in (SectionText.ALL, SectionText.MIME)
    is_content = section.text is SectionText.ALL

    def value(layout: Layout, raw: bytes | None, content: ContentId) -> bytes | Streamed:
        if is_content and raw is not None:
            # the content of a part, which clients ask for most
            part = layout.part(section.part)
            if part is not None and part.around is None:
                start, stop = _cut((part.content_start, part.stop), partial)
                return literal(raw[start:stop])
        span = _span(layout, section)
        if span is None:
            return NIL
        around = layout.encoded_around(section.part, inside=inside)
        if choose is not None:
            span = span[0], min(span[1], span[0] + most)
        place = _Place.of(around, span)
        if raw is None:
            return place.streamed(content, None if choose is None else choose.in_pieces, partial)
        octets = place.octets(raw)
        return literal(_partial(octets if choose is None else choose.select(octets), partial))

    return WHOLE, lambda columns: map(value, *(columns[column] for column in WHOLE))


def streamed_section(item: BodySection, layout: Layout, content: ContentId, most: int) -> Streamed | None:
    """The octets that BODY[...] names, to be read in pieces; None where there is no such part.

    Fields are chosen from the first *most* octets of a header.
    """
    section = item.section
    span, choose = _span(layout, section), _chooser(section)
    if span is None:
        return None
    around = layout.encoded_around(section.part, inside=section.text not in (SectionText.ALL, SectionText.MIME))
    if choose is not None:
        span = span[0], min(span[1], span[0] + most)
    return _Place.of(around, span).streamed(content, None if choose is None else choose.in_pieces, item.partial)


class _Chooser:
    """Chooses fields of headers: ``select`` of a whole header, ``in_pieces`` of one in pieces."""

    __slots__ = ("in_pieces", "select")

    def __init__(self, names: frozenset[bytes], *, exclude: bool) -> None:
        self.select = selector(names, exclude)
        self.in_pieces = partial_of(FieldChooser, names, exclude)


def _chooser(section: Section) -> _Chooser | None:
    if section.text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        return _Chooser(frozenset(section.fields), exclude=section.text is SectionText.HEADER_FIELDS_NOT)
    return None


def _octets(row: tuple[bytes | None, ContentId, int], partial: Partial | None) -> bytes | Streamed:
    """The *partial* of *row*: its octets if they are in memory, else a span from the start of its content."""
    octets, content, size = row
    if octets is not None:
        return literal(_partial(octets, partial))
    start, stop = _cut((0, size), partial)
    return Streamed(content, start, stop)


MOST_NAME_BYTES = 1000
"""The most octets of the names of header fields, together, that may make a column of the store."""


def chosen_fields(item: BodySection) -> HeaderFields | None:
    """The store's column for *item*; None unless it asks for named fields of the message's own header, as a whole."""
    section = item.section
    if section.part or section.text is not SectionText.HEADER_FIELDS or item.partial is not None:
        return None
    if sum(map(len, section.fields)) > MOST_NAME_BYTES:
        return None
    return HeaderFields(frozenset(name.lower() for name in section.fields))


def _span(layout: Layout, section: Section) -> Span | None:
    match section.text:
        case SectionText.ALL:
            return layout.whole(section.part)
        case SectionText.TEXT:
            return layout.text(section.part)
        case SectionText.MIME:
            return layout.mime(section.part)
        case SectionText.HEADER | SectionText.HEADER_FIELDS | SectionText.HEADER_FIELDS_NOT:
            return layout.header(section.part)


def _cut(span: Span, partial: Partial | None) -> Span:
    """The part that ``<start.count>`` asks for; empty if it starts after the end (RFC 9051 §6.4.5.1)."""
    if partial is None:
        return span
    start, stop = span
    first = min(start + partial.start, stop)
    return first, min(first + partial.count, stop)


def _partial(octets: bytes, partial: Partial | None) -> bytes:
    return octets if partial is None else octets[partial.start : partial.start + partial.count]


def binary_reader(item: Binary) -> tuple[tuple[Column, ...], Reader]:
    """The columns that BINARY[...] needs, and its reader."""
    return _decoding_reader(item.part, item.partial, Shape.BINARY)


def binary_size_reader(item: BinarySize) -> tuple[tuple[Column, ...], Reader]:
    """The columns that BINARY.SIZE[...] needs, and its reader."""
    return _decoding_reader(item.part, None, Shape.SIZE)


def _decoding_reader(path: tuple[int, ...], partial: Partial | None, shape: Shape) -> tuple[tuple[Column, ...], Reader]:
    def value(layout: Layout, raw: bytes | None, content: ContentId) -> bytes | Streamed:
        span = layout.whole(path)
        if span is None:
            return b"0" if shape is Shape.SIZE else NIL
        encoding = _encoding(layout.part(path))
        place = _Place.of(layout.encoded_around(path, inside=False), span)
        if raw is None:
            require_known_encoding(layout, path)
            return place.streamed(content, partial_of(decoder, encoding), partial, shape)
        octets = decode_part(place.octets(raw), encoding)
        return b"%d" % len(octets) if shape is Shape.SIZE else _binary(_partial(octets, partial))

    return WHOLE, lambda columns: map(value, *(columns[column] for column in WHOLE))


def require_known_encoding(layout: Layout, path: tuple[int, ...]) -> None:
    """Raises Refused(UNKNOWN_CTE) if the part that BINARY[...] or BINARY.SIZE[...] names cannot be decoded."""
    if layout.whole(path) is not None:
        decoder(_encoding(layout.part(path)))


def _encoding(place: PartPlace | None) -> str:
    if place is None or place.is_multipart or (place.body_start is not None and place.decoded_stop is None):
        # RFC 3516 §4.3: a part that holds other parts has no encoding to remove, except a message that is encoded
        return "binary"
    return place.encoding


def _binary(octets: bytes) -> bytes:
    # RFC 9051 §7.5.2, as above
    return literal8(octets) if b"\0" in octets else literal(octets)
