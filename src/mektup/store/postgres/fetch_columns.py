"""The columns of a fetch: what each needs of the state and of the contents of messages, and how it is made of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mektup.store.arrival import field_chooser, internaldate, one_form, shown_preview
from mektup.store.columns import AnyColumn, Column, Form, HeaderColumn, HeaderFields, Row
from mektup.store.postgres.message_calls import HEADER_IS_PACKED, REST_IS_PACKED, unpacked
from mektup.store.rules.emailids import emailid
from mektup.store.rules.threads import threadid
from mektup.store.state_blocks import FactRow, FlagRow
from mektup.terms.limits import KIB

RAW_BYTES: Final = 256 * KIB
"""The largest message or header, in octets, that a fetch returns whole."""

FORM_BYTES: Final = 4 * KIB
"""The most octets that a value may have in a line; a list has few wider ones."""

SLICE_ROWS: Final = 2000
SLICE_BYTES: Final = 1024 * KIB
"""The most rows of a slice, and about the most octets of messages in it."""

VALUE_BYTES: Final = KIB // 2
"""What a message counts in a slice beside its octets."""

Message = tuple[FlagRow, FactRow | None]
"""The flags and, where a column needs them, the facts of a message."""

Values = Mapping[str, Any]
"""The values of a content, by the names of ``tables.message_reads.VALUES``."""

_FACTS: Final = frozenset({Column.INTERNALDATE, Column.SAVEDATE, Column.SIZE, Column.CONTENT})
_STATE: Final[frozenset[AnyColumn]] = _FACTS | {Column.UID, Column.FLAGS, Column.MODSEQ}
_OCTETS: Final[frozenset[AnyColumn]] = frozenset({Column.HEADER, HeaderColumn.SMALL, Column.RAW})


def _header(values: Values) -> bytes:
    header: bytes = values["header"]
    return unpacked(header, values["header_size"]) if values["packed"] & HEADER_IS_PACKED else header


def _small_header(values: Values) -> bytes | None:
    return _header(values) if values["header_size"] <= RAW_BYTES else None


def _raw(values: Values) -> bytes | None:
    if values["size"] > RAW_BYTES or values["octets"] is None:
        return None
    rest: bytes = values["octets"]
    if values["packed"] & REST_IS_PACKED:
        rest = unpacked(rest, values["size"] - values["header_size"])
    return _header(values) + rest


_OF_HEADER: Final = ("header", "header_size", "packed")

_CONTENTS: Final[Mapping[AnyColumn, tuple[tuple[str, ...], Callable[[Values], Any]]]] = {
    Column.ENVELOPE: (("envelope",), lambda values: values["envelope"]),
    Column.BODY: (("body",), lambda values: one_form(values["body"], rev1=False)),
    Column.BODYSTRUCTURE: (("bodystructure",), lambda values: one_form(values["bodystructure"], rev1=False)),
    Column.BODY_REV1: (("body",), lambda values: one_form(values["body"], rev1=True)),
    Column.BODYSTRUCTURE_REV1: (("bodystructure",), lambda values: one_form(values["bodystructure"], rev1=True)),
    Column.LAYOUT: (("layout",), lambda values: values["layout"]),
    Column.HEADER: (_OF_HEADER, _header),
    HeaderColumn.SMALL: (_OF_HEADER, _small_header),
    HeaderColumn.SIZE: (("header_size",), lambda values: values["header_size"]),
    Column.RAW: ((*_OF_HEADER, "octets", "size"), _raw),
    Column.PREVIEW: (("preview",), lambda values: shown_preview(values["preview"])),
    Column.EMAILID: (("digest",), lambda values: emailid(values["digest"])),
    Column.THREADID: (("thread",), lambda values: threadid(values["thread"])),
}
"""For each column, the values that it is made of, and how."""


def _source(column: AnyColumn) -> tuple[tuple[str, ...], Callable[[Values], Any]]:
    if isinstance(column, HeaderFields):
        choose = field_chooser(column.names)
        return _OF_HEADER, lambda values: choose(_header(values))
    return _CONTENTS[column]


def _of_state(column: AnyColumn, message: Message) -> Any:
    (uid, word, modseq), facts = message
    match column:
        case Column.UID:
            return uid
        case Column.FLAGS:
            return word
        case Column.MODSEQ:
            return modseq
    assert facts is not None
    match column:
        case Column.INTERNALDATE:
            return internaldate(facts.arrived, facts.zone)
        case Column.SAVEDATE:
            return internaldate(facts.saved, 0)
        case Column.SIZE:
            return facts.size
    return facts.content


class Asked:
    """The columns of a fetch."""

    def __init__(self, columns: Sequence[AnyColumn]) -> None:
        self.columns = tuple(columns)
        sources = {column: _source(column) for column in self.columns if column not in _STATE}
        self.values = sorted({name for names, _ in sources.values() for name in names})
        """What is needed of the contents."""
        self.needs_facts = bool(sources) or not _FACTS.isdisjoint(self.columns)
        self._reads_octets = any(column in _OCTETS or isinstance(column, HeaderFields) for column in sources)
        self._makers = {column: make for column, (_, make) in sources.items()}

    def slices(self, messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
        """*messages* in slices of bounded rows and octets."""
        if not self.values:
            for start in range(0, len(messages), SLICE_ROWS):
                yield messages[start : start + SLICE_ROWS]
            return
        start = octets = 0
        for at, (_, facts) in enumerate(messages):
            more = VALUE_BYTES
            if self._reads_octets and facts is not None:
                more += min(facts.size, RAW_BYTES)
            if octets + more > SLICE_BYTES and at > start:
                yield messages[start:at]
                start, octets = at, 0
            octets += more
        if start < len(messages):
            yield messages[start:]

    def value(self, column: AnyColumn, message: Message, values: Values) -> Any:
        """The value of *column*; *values* are those of its content."""
        make = self._makers.get(column)
        return _of_state(column, message) if make is None else make(values)

    def row(self, message: Message, contents: Mapping[int, Values]) -> Row | None:
        """The row of *message*; None where its content is gone, because it was expunged after its state was read."""
        values: Values | None = {}
        if self.values:
            values = contents.get(message[1].content) if message[1] is not None else None
        if values is None:
            return None
        return (message[0][0], *[self.value(column, message, values) for column in self.columns])


def lines_of(
    form: Form, asked: Asked, messages: Sequence[Message], contents: Mapping[int, Values], numbers: Sequence[int]
) -> bytes | None:
    """The lines of *form*; None where one of them cannot be built. *numbers* are those of the messages."""
    template = b""
    columns: list[Sequence[bytes | int]] = []
    rows = [asked.row(message, contents) for message in messages]
    if None in rows:
        return None
    of_columns = iter(list(zip(*rows, strict=True))[1:])
    words = dict(form.words)
    for piece in form.pieces:
        if isinstance(piece, bytes):
            template += piece.replace(b"%", b"%%")
            continue
        made = list(numbers) if piece is None else _spelled(piece, next(of_columns), words)
        if made is None:
            return None
        template += b"%d" if isinstance(made[0], int) else b"%b"
        columns.append(made)
    if not columns:
        return template % () * len(rows)
    return b"".join([template % row for row in zip(*columns, strict=True)])


def _spelled(column: AnyColumn, values: Sequence[Any], words: Mapping[int, bytes]) -> list[Any] | None:
    """*values* as they are in a line; None where one of them is not to be had, or too wide."""
    if column is Column.FLAGS:
        made = [words.get(word) for word in values]
        return None if None in made else made
    if isinstance(values[0], int):
        return list(values)
    spelled = [value.encode() if isinstance(value, str) else value for value in values]
    return None if any(each is None or len(each) > FORM_BYTES for each in spelled) else spelled
