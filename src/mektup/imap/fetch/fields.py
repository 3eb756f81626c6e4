"""The items of FETCH lines: for each, the columns of the store that it needs, and how they become its value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mektup.imap.fetch.sections import Columns, binary_reader, binary_size_reader, chosen_fields, section_reader
from mektup.store.columns import AnyColumn, Column
from mektup.wire.fetch_items import Binary, BinarySize, BodySection, FetchItem, Item

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View


@dataclass(frozen=True, slots=True)
class Field:
    """One item of a FETCH line."""

    label: bytes
    """The octets before the value, including the space."""
    place: bytes
    """The format of the value: ``%b`` or ``%d``."""
    columns: tuple[AnyColumn, ...]
    values: Callable[[Columns], Iterable[Any]]
    """Gives one value per row: an argument for *place*, or a ``Streamed`` if *may_stream*."""
    may_stream: bool = False
    end: bytes = b""
    """The octets after the value."""
    as_stored: AnyColumn | None = None
    """The stored column that is the value, for a ``Form``; None if the value is not a stored column."""


def _plain(label: bytes, place: bytes, column: AnyColumn, end: bytes = b"") -> Field:
    return Field(label, place, (column,), lambda columns: columns[column], end=end, as_stored=column)


def _objectid(label: bytes, column: Column) -> Field:
    return Field(label, b"%b", (column,), lambda columns: map(str.encode, columns[column]), end=b")", as_stored=column)


SIMPLE: dict[Item, Field] = {
    Item.UID: _plain(b"UID ", b"%d", Column.UID),
    Item.INTERNALDATE: _plain(b"INTERNALDATE ", b"%b", Column.INTERNALDATE),
    Item.SAVEDATE: _plain(b"SAVEDATE ", b"%b", Column.SAVEDATE),
    Item.SIZE: _plain(b"RFC822.SIZE ", b"%d", Column.SIZE),
    Item.ENVELOPE: _plain(b"ENVELOPE ", b"%b", Column.ENVELOPE),
    Item.BODY: _plain(b"BODY ", b"%b", Column.BODY),
    Item.BODYSTRUCTURE: _plain(b"BODYSTRUCTURE ", b"%b", Column.BODYSTRUCTURE),
    Item.MODSEQ: _plain(b"MODSEQ (", b"%d", Column.MODSEQ, end=b")"),
    Item.EMAILID: _objectid(b"EMAILID (", Column.EMAILID),
    Item.PREVIEW: _plain(b"PREVIEW ", b"%b", Column.PREVIEW),
    Item.THREADID: _objectid(b"THREADID (", Column.THREADID),
}

IN_REV1 = {
    Item.BODY: _plain(b"BODY ", b"%b", Column.BODY_REV1),
    Item.BODYSTRUCTURE: _plain(b"BODYSTRUCTURE ", b"%b", Column.BODYSTRUCTURE_REV1),
}
"""Replaces entries of SIMPLE for a client that knows only RFC 3501."""


def field_of(session: Conversation, view: View, item: FetchItem) -> Field:
    """The field of *item* in the lines for the client of *session*."""
    match item:
        case Item.FLAGS:
            return _flags(session, view)
        case Item():
            return SIMPLE[item] if session.client.rev2 else IN_REV1.get(item) or SIMPLE[item]
        case BodySection() if (choice := chosen_fields(item)) is not None:
            return _plain(_label(item), b"%b", choice)
        case BodySection():
            columns, read = section_reader(item, session.services.limits.header_bytes)
            return Field(_label(item), b"%b", columns, read, may_stream=True)
        case Binary():
            columns, read = binary_reader(item)
            return Field(_label(item), b"%b", columns, read, may_stream=True)
        case BinarySize():
            columns, read = binary_size_reader(item)
            return Field(item.label + b" ", b"%b", columns, read, may_stream=True)


def _flags(session: Conversation, view: View) -> Field:
    words = session.flag_words

    def spelled(columns: Columns) -> Iterable[bytes]:
        recent = view.recent
        # a list and not an iterator: a new word may write FLAGS, which must come before the line begins
        if not recent or session.client.rev2:
            return list(map(words.__getitem__, columns[Column.FLAGS]))
        return [
            words.with_recent(word) if uid in recent else words[word]
            for uid, word in zip(columns[Column.UID], columns[Column.FLAGS], strict=True)
        ]

    return Field(b"FLAGS (", b"%b", (Column.FLAGS,), spelled, end=b")", as_stored=Column.FLAGS)


def _label(item: BodySection | Binary) -> bytes:
    origin = b"<%d>" % item.partial.start if item.partial is not None else b""
    return item.label + origin + b" "
