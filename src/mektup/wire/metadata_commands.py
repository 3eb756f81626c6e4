"""The grammar of GETMETADATA and SETMETADATA (RFC 5464 §5)."""

from __future__ import annotations

from mektup.terms.errors import ClientError
from mektup.wire import texts
from mektup.wire.arguments import mailbox
from mektup.wire.cursor import CommandCursor
from mektup.wire.grammar import ENTRY, METADATA_OPTIONS
from mektup.wire.requests import GetMetadata, SetMetadata

_LEAST_LEVELS = 2
"""RFC 5464 §3.2: the least components of the name of an entry; ``/shared`` alone is only a place to look below."""
_LEAST_VENDOR_LEVELS = 4
_VENDOR_LEVEL = 2


def get_metadata(cursor: CommandCursor, tag: bytes) -> GetMetadata:
    """getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries.

    Liberty: the options after the mailbox, and several entries without parentheses, as RFC 5464 §4.2.1 and §4.4.1 have
    it in their examples.
    """
    cursor.expect_space(texts.A_MAILBOX)
    options: dict[bytes, int | None] = {}
    if cursor.comes(b"("):
        options.update(cursor.parenthesized(_option, texts.METADATA_OPTIONS))
        cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    cursor.expect_space(texts.ENTRIES_SUCH_AS)
    if METADATA_OPTIONS.match(cursor.text, cursor.at):
        options.update(cursor.parenthesized(_option, texts.METADATA_OPTIONS))
        cursor.expect_space(texts.ENTRIES_SUCH_AS)
    names = entries(cursor)
    while cursor.take_space():
        names = (*names, entry(cursor))
    cursor.expect_end()
    return GetMetadata(tag, name, tuple(dict.fromkeys(names)), options.get(b"MAXSIZE"), options.get(b"DEPTH", 0))


def _option(cursor: CommandCursor) -> tuple[bytes, int | None]:
    """maxsize-opt = "MAXSIZE" SP number; scope-opt = "DEPTH" SP ("0" / "1" / "infinity")."""
    start = cursor.at
    word = cursor.expect_atom(texts.METADATA_OPTIONS)
    if word == b"MAXSIZE":
        cursor.expect_space(texts.OCTETS)
        return word, cursor.number(texts.OCTETS)
    if word != b"DEPTH":
        cursor.at = start
        raise cursor.wrong(texts.METADATA_OPTIONS)
    cursor.expect_space(texts.A_DEPTH)
    start = cursor.at
    depth = cursor.expect_atom(texts.A_DEPTH)
    if depth not in (b"0", b"1", b"INFINITY"):
        cursor.at = start
        raise cursor.wrong(texts.A_DEPTH)
    return word, None if depth == b"INFINITY" else int(depth)


def entries(cursor: CommandCursor) -> tuple[str, ...]:
    """entries = entry / "(" entry *(SP entry) ")". Raises ClientError."""
    if not cursor.comes(b"("):
        return (entry(cursor),)
    column = cursor.column
    names = cursor.parenthesized(entry, texts.ENTRIES, cursor.limits.metadata_entries)
    if not names:
        raise ClientError(texts.EXPECTED.of(expected=texts.ENTRIES_SUCH_AS), column)
    return tuple(names)


def entry(cursor: CommandCursor) -> str:
    """entry = astring, in lower case because names ignore case (RFC 5464 §3.2). Raises ClientError."""
    column = cursor.column
    octets = cursor.astring(texts.AN_ENTRY_SUCH_AS)
    if not ENTRY.fullmatch(octets):
        raise ClientError(texts.EXPECTED.of(expected=texts.AN_ENTRY_SUCH_AS), column)
    limits = cursor.limits
    if len(octets) > limits.metadata_name_bytes or octets.count(b"/") > limits.metadata_depth:
        most = texts.ENTRY_TOO_LONG.of(octets=limits.metadata_name_bytes, levels=limits.metadata_depth)
        raise ClientError(most, column)
    return octets.decode("ascii").lower()


def set_metadata(cursor: CommandCursor, tag: bytes) -> SetMetadata:
    """setmetadata = "SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"."""
    cursor.expect_space(texts.A_MAILBOX)
    name = mailbox(cursor)
    cursor.expect_space(texts.ENTRIES_AND_VALUES)
    column = cursor.column
    values = cursor.parenthesized(_entry_value, texts.ENTRIES_AND_VALUES, cursor.limits.metadata_entries)
    if not values:
        raise ClientError(texts.EXPECTED.of(expected=texts.ENTRIES_AND_VALUES), column)
    cursor.expect_end()
    return SetMetadata(tag, name, tuple(values))


def _entry_value(cursor: CommandCursor) -> tuple[str, bytes | None]:
    """entry-value = entry SP value; value = nstring / literal8."""
    column = cursor.column
    name = entry(cursor)
    levels = name.split("/")[1:]
    is_of_vendor = levels[1:_VENDOR_LEVEL] == ["vendor"]
    if len(levels) < (_LEAST_VENDOR_LEVELS if is_of_vendor else _LEAST_LEVELS):
        raise ClientError(texts.EXPECTED.of(expected=texts.AN_ENTRY_SUCH_AS), column)
    cursor.expect_space(texts.A_VALUE)
    return name, cursor.nstring8(texts.A_VALUE)
