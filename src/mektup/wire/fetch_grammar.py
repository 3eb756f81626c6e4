"""The grammar of fetch-att (RFC 9051 §9): parses the items of a FETCH to the values of ``fetch_items``.

A module of its own, because ``requests`` uses those values, and this grammar needs the cursor, which uses ``requests``.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from mektup.terms.errors import ClientError
from mektup.terms.limits import Limits
from mektup.wire import texts
from mektup.wire.cursor import CommandCursor
from mektup.wire.fetch_items import (
    ALL,
    FAST,
    FULL,
    Binary,
    BinarySize,
    BodySection,
    FetchItem,
    Item,
    Partial,
    Section,
    SectionText,
)
from mektup.wire.strings import astring

_WORD: Final = re.compile(rb"[A-Za-z][A-Za-z0-9.]*")

# section-part = nz-number *("." nz-number)
_PART: Final = re.compile(rb"[1-9][0-9]{0,9}(?:\.[1-9][0-9]{0,9})*")

# section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
# section-text = section-msgtext / "MIME"
_SECTION_TEXT: Final = re.compile(rb"HEADER(?:\.FIELDS(?:\.NOT)?)?|TEXT|MIME", re.IGNORECASE)
_TEXTS: Final = {text.value.encode("ascii"): text for text in SectionText}

# partial = "<" number64 "." nz-number64 ">"
_PARTIAL: Final = re.compile(rb"<([0-9]{1,18})\.(0*[1-9][0-9]{0,17})>")

# preview-mod = "LAZY" (RFC 8970 §6). Fetch modifiers (RFC 4466) have other names.
_PREVIEW_MODIFIERS: Final = re.compile(rb" \(LAZY(?: LAZY)*\)", re.IGNORECASE)

_WHOLE: Final = Section()
_WORDS: Final[dict[bytes, FetchItem]] = {
    **{item.value.encode("ascii"): item for item in Item},
    # RFC 3501 §6.4.5: equivalent to BODY[], BODY.PEEK[HEADER] and BODY[TEXT], but the answer has their own names.
    b"RFC822": BodySection(_WHOLE, peek=False, label=b"RFC822"),
    b"RFC822.HEADER": BodySection(Section(text=SectionText.HEADER), peek=True, label=b"RFC822.HEADER"),
    b"RFC822.TEXT": BodySection(Section(text=SectionText.TEXT), peek=False, label=b"RFC822.TEXT"),
}
_MACROS: Final[dict[bytes, tuple[FetchItem, ...]]] = {b"ALL": ALL, b"FAST": FAST, b"FULL": FULL}

CACHED_BYTES: Final = 300
"""The longest text of items that is cached."""

CACHED: Final = 500
"""How many texts are cached: a client sends the same text all day, and frozen values can be shared."""


def fetch_items(cursor: CommandCursor) -> tuple[FetchItem, ...]:
    """The items after the sequence set, with macros expanded; each item once, never empty. Raises ClientError.

    fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")
    """
    rest = cursor.text[cursor.at :]
    if cursor.literals or len(rest) > CACHED_BYTES:
        return _read(cursor)
    try:
        items, octets = _items(rest, cursor.limits)
    except ClientError:
        return _read(cursor)  # raises it again, with the column in the whole command
    cursor.at += octets
    return items


@lru_cache(CACHED)
def _items(text: bytes, limits: Limits) -> tuple[tuple[FetchItem, ...], int]:
    """The items at the start of *text*, and how many octets they take."""
    cursor = CommandCursor((text,), (), utf8=False, limits=limits)
    return _read(cursor), cursor.at


def _read(cursor: CommandCursor) -> tuple[FetchItem, ...]:
    if cursor.comes(b"("):
        column = cursor.column
        items = cursor.parenthesized(_item, texts.ITEMS, cursor.limits.fetch_items)
        if not items:
            raise ClientError(texts.EXPECTED.of(expected=texts.FETCH_ITEMS), column)
        return tuple(dict.fromkeys(items))
    found = _WORD.match(cursor.text, cursor.at)
    macro = None if found is None else _MACROS.get(found[0].upper())
    if found is None or macro is None:
        return (_item(cursor),)
    cursor.at = found.end()
    return macro


def _item(cursor: CommandCursor) -> FetchItem:
    start = cursor.at
    word = cursor.expect(_WORD, texts.FETCH_ITEMS)[0].upper()
    if cursor.comes(b"["):
        if word in (b"BODY", b"BODY.PEEK"):
            return _body_section(cursor, peek=word == b"BODY.PEEK")
        if word in (b"BINARY", b"BINARY.PEEK"):
            return _binary(cursor, peek=word == b"BINARY.PEEK")
        if word == b"BINARY.SIZE":
            part, label = _binary_part(cursor)
            return BinarySize(part, b"BINARY.SIZE" + label)
    item = _WORDS.get(word)
    if item is None or cursor.comes(b"["):
        cursor.at = start
        raise cursor.wrong(texts.FETCH_ITEMS)
    if item is Item.PREVIEW:
        # RFC 8970 §4.1: LAZY asks for what needs no work, and no preview needs any
        cursor.take(_PREVIEW_MODIFIERS)
    return item


def _body_section(cursor: CommandCursor, *, peek: bool) -> BodySection:
    """section [partial]; section = "[" [section-spec] "]"."""
    cursor.at += 1
    part, name = _part(cursor)
    text = SectionText.ALL
    fields: tuple[bytes, ...] = ()
    if not part or cursor.take_octet(b"."):
        found = cursor.take(_SECTION_TEXT)
        if found is not None:
            text = _TEXTS[found[0].upper()]
            # section-spec = section-msgtext / (section-part ["." section-text]): MIME needs a part.
            if text is SectionText.MIME and not part:
                raise cursor.wrong(texts.PART_BEFORE_MIME)
            name += (b"." if part else b"") + text.value.encode("ascii")
        elif part:
            raise cursor.wrong(texts.SECTION_TEXT)
    if text in (SectionText.HEADER_FIELDS, SectionText.HEADER_FIELDS_NOT):
        fields = _header_list(cursor)
        name += b" (%b)" % b" ".join(map(astring, fields))
    cursor.expect_octet(b"]", texts.END_OF_SECTION)
    return BodySection(Section(part, text, fields), peek, _partial(cursor), b"BODY[%b]" % name)


def _binary(cursor: CommandCursor, *, peek: bool) -> Binary:
    """section-binary [partial]."""
    part, label = _binary_part(cursor)
    return Binary(part, peek, _partial(cursor), b"BINARY" + label)


def _binary_part(cursor: CommandCursor) -> tuple[tuple[int, ...], bytes]:
    """section-binary = "[" [section-part] "]": the part numbers, and the text as written."""
    cursor.at += 1
    part, name = _part(cursor)
    cursor.expect_octet(b"]", texts.A_PART)
    return part, b"[%b]" % name


def _part(cursor: CommandCursor) -> tuple[tuple[int, ...], bytes]:
    found = cursor.take(_PART)
    if found is None:
        return (), b""
    part = tuple(map(int, found[0].split(b".")))
    if len(part) > cursor.limits.mime_depth:
        raise cursor.wrong(texts.MOST_LEVELS.of(most=cursor.limits.mime_depth))
    return part, found[0]


def _header_list(cursor: CommandCursor) -> tuple[bytes, ...]:
    """header-list = "(" header-fld-name *(SP header-fld-name) ")"; header-fld-name = astring."""
    cursor.expect_space(texts.HEADER_FIELDS_SUCH_AS)
    column = cursor.column
    names = cursor.parenthesized(_header_name, texts.HEADER_FIELDS)
    if not names:
        raise ClientError(texts.EXPECTED_A_HEADER_FIELD, column + 1)
    return tuple(names)


def _header_name(cursor: CommandCursor) -> bytes:
    return cursor.astring(texts.A_HEADER_FIELD)


def _partial(cursor: CommandCursor) -> Partial | None:
    if not cursor.comes(b"<"):
        return None
    found = cursor.expect(_PARTIAL, texts.PARTIAL)
    return Partial(int(found[1]), int(found[2]))
