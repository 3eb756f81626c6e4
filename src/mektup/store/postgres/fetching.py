"""FETCH of one account: rows of messages, from the state of their mailbox and from their contents.

What never changes is known after the first time, so the contents are asked for together with the flags; else their
numbers have to be read first.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from mektup.store.arrival import field_chooser, internaldate, one_form, shown_preview
from mektup.store.columns import AnyColumn, Column, Form, HeaderColumn, HeaderFields, Lines, Row
from mektup.store.postgres.account_database import AccountDatabase
from mektup.store.postgres.message_calls import HEADER_IS_PACKED, REST_IS_PACKED, unpacked
from mektup.store.postgres.states import States
from mektup.store.postgres.tables import message_reads
from mektup.store.rules.emailids import emailid
from mektup.store.rules.refusals import message_is_gone
from mektup.store.rules.threads import threadid
from mektup.store.state_blocks import BLOCK_BITS, FactRow, FlagRow, facts_of, flags_of
from mektup.terms.limits import KIB
from mektup.terms.numbers import NO_MODSEQ, ContentId, MailboxId, Uid
from mektup.terms.sets import NumberSet, Uids

BLOCKS: Final = 64
"""How many blocks of a mailbox are read at a time."""

SLICE_ROWS: Final = 2000
SLICE_BYTES: Final = 1024 * KIB
"""The most rows of a slice, and about the most octets of messages in it."""

RAW_BYTES: Final = 256 * KIB
"""The largest message or header, in octets, that a fetch returns whole."""

VALUE_BYTES: Final = 2 * KIB
"""What the values of a message count that are not its octets."""

PIECE_BYTES: Final = 256 * KIB
"""The size of the pieces in which a message is streamed."""

_FACTS: Final = frozenset({Column.INTERNALDATE, Column.SAVEDATE, Column.SIZE, Column.CONTENT})
_STATE: Final = _FACTS | {Column.UID, Column.FLAGS, Column.MODSEQ}

Values = Mapping[str, Any]
"""The values of a content, by column."""


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
"""For each column, the values that it is made of."""

_OCTETS: Final[frozenset[AnyColumn]] = frozenset({Column.HEADER, HeaderColumn.SMALL, Column.RAW})


def _source(column: AnyColumn) -> tuple[tuple[str, ...], Callable[[Values], Any]]:
    if isinstance(column, HeaderFields):
        choose = field_chooser(column.names)
        return _OF_HEADER, lambda values: choose(_header(values))
    return _CONTENTS[column]


def _of_state(column: AnyColumn, flags: FlagRow, facts: FactRow | None) -> Any:
    match column:
        case Column.UID:
            return flags[0]
        case Column.FLAGS:
            return flags[1]
        case Column.MODSEQ:
            return flags[2]
    assert facts is not None
    match column:
        case Column.INTERNALDATE:
            return internaldate(facts.arrived, facts.zone)
        case Column.SAVEDATE:
            return internaldate(facts.saved, 0)
        case Column.SIZE:
            return facts.size
    return facts.content


class Fetching:
    """The methods of an ``interface.Account`` that read messages."""

    def __init__(self, database: AccountDatabase, states: States) -> None:
        self._database = database
        self._account = database.account
        self._states = states

    async def fetch(
        self, mailbox: MailboxId, uids: Uids, columns: Sequence[AnyColumn]
    ) -> AsyncGenerator[list[Row], None]:
        """See ``interface.Account``, also for the other methods."""
        asked = tuple(columns)
        stored = [column for column in asked if column not in _STATE]
        needs_facts = bool(stored) or not _FACTS.isdisjoint(asked)
        wanted = frozenset(name for column in stored for name in _source(column)[0])
        reads_octets = any(column in _OCTETS or isinstance(column, HeaderFields) for column in stored)
        makers = [None if column in _STATE else _source(column)[1] for column in asked]
        rest = uids if uids else NumberSet[Uid].span(1, 1)
        while rest:
            end = (((rest.first >> BLOCK_BITS) + BLOCKS) << BLOCK_BITS) - 1
            part = rest & NumberSet.span(rest.first, end)
            state = await self._states.read(mailbox, part, self._database.ask, facts=needs_facts)
            flags = flags_of(part & uids, state.flags, state.tail)
            there = NumberSet[Uid].of_sorted([row[0] for row in flags])
            facts = facts_of(there, state.fact_blocks, state.flags, state.tail) if needs_facts else None
            for start, stop in _slices(len(flags), facts, reads_octets=reads_octets, reads_contents=bool(stored)):
                some = facts[start:stop] if facts is not None else [None] * (stop - start)
                values = await self._contents(some, wanted) if stored else {}
                rows = list(_rows(flags[start:stop], some, asked, makers, values, is_stored=bool(stored)))
                if rows:
                    yield rows
            if end >= state.uidnext:
                return
            rest = rest & NumberSet.span(end + 1, rest.last) if rest.last > end else NumberSet[Uid]()

    async def _contents(self, facts: Sequence[FactRow | None], wanted: frozenset[str]) -> Mapping[int, Values]:
        numbers = sorted({fact.content for fact in facts if fact is not None})
        names = sorted(wanted)
        found = await self._database.ask(message_reads.contents(names), (self._account, numbers))
        return {row[0]: dict(zip(names, row[1:], strict=True)) for row in found}

    async def lines(
        self, mailbox: MailboxId, uids: Uids, form: Form, number: Callable[[Uid], int]
    ) -> AsyncGenerator[Lines, None]:
        """Leaves all lines to the caller."""
        if uids:
            yield uids, None, NO_MODSEQ

    async def content(self, content: ContentId, start: int, stop: int) -> AsyncGenerator[bytes, None]:
        at = max(start, 0)
        first = True
        while first or at < stop:
            end = min(stop, at + PIECE_BYTES)
            parameters = {"account": self._account, "content": content, "start": at, "stop": max(end, at)}
            found = await self._database.ask(message_reads.PIECE, parameters)
            if not found:
                raise message_is_gone()
            size, header_size, packed, _, header, rest = found[0]
            first, stop = False, min(stop, size)
            end = min(end, stop)
            if at >= end:
                return
            yield b"".join(_piece(at, end, size, header_size, packed, header, rest))
            at = end


def _piece(
    start: int, stop: int, size: int, header_size: int, packed: int, header: bytes | None, rest: bytes | None
) -> Iterator[bytes]:
    """The octets from *start* to *stop* of a message, of which *header* and *rest* are as PIECE reads them."""
    if header is not None and start < header_size:
        if packed & HEADER_IS_PACKED:
            yield unpacked(header, header_size)[start:stop]
        else:
            yield header[: min(stop, header_size) - start]
    if rest is not None and stop > header_size:
        first = max(start - header_size, 0)
        if packed & REST_IS_PACKED:
            yield unpacked(rest, size - header_size)[first : stop - header_size]
        else:
            yield rest[: stop - header_size - first]


def _slices(
    count: int, facts: Sequence[FactRow] | None, *, reads_octets: bool, reads_contents: bool
) -> Iterator[tuple[int, int]]:
    """The slices of *count* rows, as their first row and the one after the last."""
    if facts is None or not reads_contents:
        for start in range(0, count, SLICE_ROWS):
            yield start, min(count, start + SLICE_ROWS)
        return
    start = octets = 0
    for at, fact in enumerate(facts):
        octets += VALUE_BYTES + (min(fact.size, RAW_BYTES) if reads_octets else 0)
        if octets > SLICE_BYTES and at > start:
            yield start, at
            start, octets = at, VALUE_BYTES + (min(fact.size, RAW_BYTES) if reads_octets else 0)
    if start < count:
        yield start, count


def _rows(
    flags: Sequence[FlagRow],
    facts: Sequence[FactRow | None],
    columns: Sequence[AnyColumn],
    makers: Sequence[Callable[[Values], Any] | None],
    values: Mapping[int, Values],
    *,
    is_stored: bool,
) -> Iterator[Row]:
    for flag, fact in zip(flags, facts, strict=True):
        stored: Values | None = {}
        if is_stored:
            assert fact is not None
            stored = values.get(fact.content)
        if stored is not None:  # else the message was expunged after its state was read
            yield (
                flag[0],
                *[
                    _of_state(column, flag, fact) if make is None else make(stored)
                    for column, make in zip(columns, makers, strict=True)
                ],
            )
