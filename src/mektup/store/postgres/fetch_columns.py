"""The columns of a fetch: what each needs of the state and of the contents of messages, and how it is made of that."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from typing import Any, Final

from mektup.store.arrival import field_chooser, internaldate, one_form, shown_preview
from mektup.store.columns import AnyColumn, Column, Form, HeaderColumn, HeaderFields, Row
from mektup.store.postgres.message_calls import HEADER_IS_PACKED, REST_IS_PACKED, unpacked
from mektup.store.rules.emailids import emailid
from mektup.store.rules.threads import threadid
from mektup.store.state_blocks import FactRow, FlagRow
from mektup.terms.limits import KIB
from mektup.terms.numbers import ModSeq
from mektup.terms.sets import NumberSet, Uids

RAW_BYTES: Final = 256 * KIB
"""The largest message or header, in octets, that a fetch returns whole."""

FORM_BYTES: Final = 4 * KIB
"""The most octets that a value may have in a line; a list has few wider ones."""

SLICE_ROWS: Final = 2000
SLICE_BYTES: Final = 1024 * KIB
"""The most rows of a slice, and about the most octets of messages in it."""

VALUE_BYTES: Final = KIB // 2
"""What a message counts in a slice beside its octets."""

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


def raw_of(values: Values) -> bytes | None:
    """The octets of a message, from RAW_VALUES; None where it is too large to hold, or in the object store."""
    if values["size"] > RAW_BYTES or values["object"] is not None:
        return None
    rest: bytes = values["octets"]
    if values["packed"] & REST_IS_PACKED:
        rest = unpacked(rest, values["size"] - values["header_size"])
    return _header(values) + rest


_OF_HEADER: Final = ("header", "header_size", "packed")
RAW_VALUES: Final = (*_OF_HEADER, "octets", "size", "object")
"""What ``raw_of`` needs."""

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
    Column.RAW: (RAW_VALUES, raw_of),
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


_OF_FLAGS: Final[Mapping[AnyColumn, int]] = {Column.UID: 0, Column.FLAGS: 1, Column.MODSEQ: 2}
"""The place of a column in a row of flags."""


def _of_facts(column: AnyColumn, facts: Sequence[FactRow]) -> list[Any]:
    match column:
        case Column.INTERNALDATE:
            return [internaldate(each.arrived, each.zone) for each in facts]
        case Column.SAVEDATE:
            return [internaldate(each.saved, 0) for each in facts]
        case Column.SIZE:
            return [each.size for each in facts]
    return [each.content for each in facts]


@dataclass(frozen=True, slots=True)
class Slice:
    """Some messages: their flags and, where a column needs them, their facts, both ascending."""

    flags: Sequence[FlagRow]
    facts: Sequence[FactRow] = ()

    @property
    def uids(self) -> Uids:
        """Their UIDs."""
        return NumberSet.of_sorted([row[0] for row in self.flags])

    @property
    def modseq(self) -> ModSeq:
        """The highest modseq of them."""
        return max([row[2] for row in self.flags])

    @property
    def contents(self) -> list[int]:
        """The numbers of their contents."""
        return [each.content for each in self.facts]

    def part(self, start: int, stop: int) -> Slice:
        """Those from *start* to *stop*."""
        return Slice(self.flags[start:stop], self.facts[start:stop])

    def with_contents(self, there: Mapping[int, Values]) -> Slice:
        """Those whose contents are *there*: others were expunged after their state was read."""
        kept = [each.content in there for each in self.facts]
        return self if all(kept) else Slice(list(compress(self.flags, kept)), list(compress(self.facts, kept)))


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

    def slices(self, messages: Slice) -> Iterator[Slice]:
        """*messages* in slices of bounded rows and octets."""
        count = len(messages.flags)
        if not self._reads_octets:
            rows = SLICE_BYTES // VALUE_BYTES if self.values else SLICE_ROWS
            for start in range(0, count, rows):
                yield messages.part(start, start + rows)
            return
        start = octets = 0
        for at, facts in enumerate(messages.facts):
            more = VALUE_BYTES + min(facts.size, RAW_BYTES)
            if octets + more > SLICE_BYTES and at > start:
                yield messages.part(start, at)
                start, octets = at, 0
            octets += more
        if start < count:
            yield messages.part(start, count)

    def made(self, messages: Slice, contents: Mapping[int, Values]) -> list[list[Any]]:
        """The values of each column. *contents* has those of all *messages*."""
        values = [contents[each.content] for each in messages.facts] if self.values else []
        made: list[list[Any]] = []
        for column in self.columns:
            if column in _OF_FLAGS:
                place = _OF_FLAGS[column]
                made.append([row[place] for row in messages.flags])
            elif column in self._makers:
                made.append(list(map(self._makers[column], values)))
            else:
                made.append(_of_facts(column, messages.facts))
        return made

    def rows(self, messages: Slice, contents: Mapping[int, Values]) -> list[Row]:
        """The rows of *messages*."""
        return list(zip([row[0] for row in messages.flags], *self.made(messages, contents), strict=True))


def lines_of(form: Form, columns: Sequence[list[Any]], numbers: Sequence[int]) -> bytes | None:
    """The lines of *form*; None where one of them cannot be built.

    *columns* has the values of each column of *form*, and *numbers* has those of the messages.
    """
    template = b""
    filled: list[Sequence[bytes | int]] = []
    of_columns = iter(columns)
    words = dict(form.words)
    for piece in form.pieces:
        if isinstance(piece, bytes):
            template += piece.replace(b"%", b"%%")
            continue
        made = numbers if piece is None else _spelled(piece, next(of_columns), words)
        if made is None:
            return None
        template += b"%d" if isinstance(made[0], int) else b"%b"
        filled.append(made)
    if not filled:
        return template % () * len(numbers)
    return b"".join(map(template.__mod__, zip(*filled, strict=True)))


def _spelled(column: AnyColumn, values: Sequence[Any], words: Mapping[int, bytes]) -> Sequence[Any] | None:
    """*values* as they are in a line; None where one of them is not to be had, or too wide."""
    if column is Column.FLAGS:
        made = list(map(words.get, values))
        return None if None in made else made
    if isinstance(values[0], int):
        return values
    if None in values:
        return None
    spelled = [value.encode() for value in values] if isinstance(values[0], str) else values
    return None if max(map(len, spelled)) > FORM_BYTES else spelled
