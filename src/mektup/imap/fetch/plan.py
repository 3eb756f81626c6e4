"""Turns FETCH items into response lines: which columns to ask for, and how a slice of rows becomes bytes.

One plan serves all commands that ask for the same items. Each item is a Field: a format with ``%b`` or ``%d`` for the
value, the columns it needs, and a function that gives its values for a whole slice. So a slice takes a few passes in C
(one map per item, one zip, one format per message, one join), and no Python object is made per message.

Some items take another path. Where every item is a column as it is stored, as in the lists that clients fetch, the
store builds the lines of a run of messages, and no rows are made. Bodies are written one message at a time; if a
command asks for more than a few bodies per message, one item at a time; a body that is too large to hold, in pieces. So
queued output stays bounded, whatever a command asks for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import aclosing
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from mektup.imap.fetch.fields import Field, field_of
from mektup.imap.fetch.flag_words import with_recent
from mektup.imap.fetch.lines import END, begin, fetch_line
from mektup.imap.fetch.sections import Columns, require_known_encoding
from mektup.imap.fetch.streamed import Streamed
from mektup.message.layout import unpack
from mektup.store.columns import AnyColumn, Column, Form, Row
from mektup.terms.sets import NumberSet, Uids
from mektup.wire.fetch_items import Binary, BinarySize, BodySection, FetchItem

if TYPE_CHECKING:
    from mektup.imap.conversation import Conversation
    from mektup.imap.sync.view import View

LINES_BYTES = 128 * 1024
"""Lines with bodies are collected up to this many octets, then written."""

FEW_BODIES = 3
"""The most bodies of one message that are held in memory together; with more, a line is written item by item."""

SLICE_BYTES = 256 * 1024
"""The lines of a slice of rows are built together up to this many octets; counts their flags and fixed text, not other
values."""

FEW_RUNS = 16
"""If \\Recent messages lie in more runs than this between others, the store does not build the lines."""

FEW_LINES = 8
"""For fewer messages than this, the store does not build the lines: that costs more than it saves."""


DOWNWARDS_AT_ONCE = 64
"""How many lines are made together where the highest message comes first."""


class Plan:
    """Answers FETCH commands for the same items in one view."""

    __slots__ = (
        "_begin",
        "_bodies",
        "_fields",
        "_flags_at",
        "_pieces",
        "_session",
        "_streams",
        "_tells_modseq",
        "_template",
        "_to_decode",
        "_view",
        "_wide_at",
        "columns",
        "items",
        "marks_seen",
    )

    def __init__(self, session: Conversation, view: View, items: tuple[FetchItem, ...]) -> None:
        self._session = session
        self._view = view
        self.items = items
        self.marks_seen = any(isinstance(item, BodySection | Binary) and not item.peek for item in items)
        """Whether an item reads a body without PEEK, which sets \\Seen (RFC 9051 §6.4.5)."""
        self._fields = [field_of(session, view, item) for item in items]
        self._to_decode = [item.part for item in items if isinstance(item, Binary | BinarySize)]
        self._bodies = sum(field.may_stream for field in self._fields)
        self._streams = self._bodies > 0
        needed = dict.fromkeys(column for field in self._fields for column in field.columns)
        needed.pop(Column.UID, None)
        self.columns: tuple[AnyColumn, ...] = tuple(needed)
        """The columns to ask the store for. UID is not among them, because it always comes first."""
        self._wide_at = [at for at, column in enumerate(self.columns, 1) if column in (Column.RAW, Column.HEADER)]
        self._flags_at = self.columns.index(Column.FLAGS) + 1 if Column.FLAGS in self.columns else 0
        self._tells_modseq = Column.MODSEQ in self.columns
        fields = [field.label.replace(b"%", b"%%") + field.place + field.end for field in self._fields]
        self._begin = begin(session.client)
        self._template = fetch_line(session.client, b" ".join(fields))
        self._pieces = _pieces(self._begin, Column.UID if session.client.uidonly else None, self._fields)

    async def answer(self, uids: Uids) -> int:
        """Writes the lines of *uids*, which are in the view; returns how many of these messages still exist."""
        if self._pieces is None or len(uids) < FEW_LINES:
            return await self._answer_by_rows(uids)
        recent: Uids = NumberSet() if self._session.client.rev2 or not self._flags_at else self._view.recent & uids
        if not recent or recent == uids:
            return await self._answer_by_lines(uids, are_recent=bool(recent))
        if len(recent.runs) > FEW_RUNS:
            return await self._answer_by_rows(uids)
        found = upto = 0
        for first, last in (*recent.runs, (uids.last + 1, uids.last)):
            found += await self._answer_by_lines(uids & NumberSet.span(upto + 1, first - 1), are_recent=False)
            found += await self._answer_by_lines(uids & NumberSet.span(first, last), are_recent=True)
            upto = last
        return found

    async def _answer_by_lines(self, uids: Uids, *, are_recent: bool) -> int:
        """Like ``answer``; the store builds most lines. Either all of *uids* have \\Recent, or none of them has."""
        found = 0
        while len(uids) >= FEW_LINES and (form := self._form(are_recent=are_recent)) is not None:
            upto = uids.last
            async with aclosing(self._view.account.lines(self._view.mailbox, uids, form, self._view.seq)) as parts:
                async for some, lines, modseq in parts:
                    if lines is None:
                        found += await self._answer_by_rows(some)
                        if self._flags_at and self._form(are_recent=are_recent) != form:
                            upto = some.last  # the rows had new flags, so the store can build more lines now
                            break
                        continue
                    found += len(some)
                    if self._tells_modseq:
                        self._view.show_modseq(modseq)
                    await self.send(lines)
            if upto == uids.last:
                return found
            uids = uids & NumberSet.span(upto + 1, uids.last)
        return found + await self._answer_by_rows(uids) if uids else found

    def _form(self, *, are_recent: bool) -> Form | None:
        """The form of lines for the store, with the flags that may be shown now; None if there are too many."""
        assert self._pieces is not None
        if not self._flags_at:
            return Form(self._pieces)
        told = self._session.flag_words.told()
        if told is None:
            return None
        words = [(word, with_recent(flags)) for word, flags in told] if are_recent else told
        return Form(self._pieces, tuple(words))

    async def _answer_by_rows(self, uids: Uids) -> int:
        found = 0
        async for rows in self._view.account.fetch(self._view.mailbox, uids, self.columns):
            found += len(rows)
            await self._write(rows)
        return found

    def _rows_at_once(self, most: int) -> int:
        """How many lines may be built together within SLICE_BYTES: at most *most*, at least 1."""
        width = len(self._template)
        if self._flags_at:
            width += self._session.flag_words.widest
        return most if most * width <= SLICE_BYTES else max(1, SLICE_BYTES // width)

    async def send(self, octets: bytes) -> None:
        """Writes *octets*. Waits for the client if much is queued, by this command or earlier ones."""
        self._session.write(octets)
        if self._session.peer.is_due:
            await self._session.peer.drain()

    async def answer_downwards(self, uids: Uids) -> int:
        """Like ``answer``, but the highest message comes first (RFC 9738 §3.1)."""
        found = 0
        while uids:
            some = uids.at(NumberSet.span(max(1, len(uids) - DOWNWARDS_AT_ONCE + 1), len(uids)))
            uids = uids - some
            lines = await self.lines_of(some)
            for uid in reversed(list(some)):
                if uid in lines:
                    await self.send(lines[uid])
                    found += 1
                else:
                    found += await self.answer(NumberSet.span(uid, uid))
        return found

    async def lines_of(self, uids: Uids) -> dict[int, bytes]:
        """The lines of those *uids* that still exist, by UID; of the first slice only.

        Leaves out lines that must be streamed. Empty if the lines are long.
        """
        if self._bodies > FEW_BODIES or self._rows_at_once(len(uids)) < len(uids):
            return {}
        async with aclosing(self._view.account.fetch(self._view.mailbox, uids, self.columns)) as slices:
            async for rows in slices:
                filled = self._filled(rows)
                numbers = [row[0] for row in rows]
                if self._streams and any(Streamed in set(map(type, row)) for row in filled):
                    return {
                        uid: self._template % row
                        for uid, row in zip(numbers, filled, strict=True)
                        if Streamed not in set(map(type, row))
                    }
                return dict(zip(numbers, map(self._template.__mod__, filled), strict=True))
        return {}

    async def _write(self, rows: list[Row]) -> None:
        """Writes the lines of a slice."""
        if self._bodies > FEW_BODIES:
            await self._write_by_item(rows)
            return
        if not self._streams:
            for text in self.lines(rows):
                await self.send(text)
            return
        self._look_up_flags(rows)
        for some in self._bodies_at_once(rows):
            filled = self._filled(some)
            if any(Streamed in set(map(type, row)) for row in filled):
                await self._write_each(filled)
                continue
            text = b"".join(map(self._template.__mod__, filled))
            # the client may read slowly: hold only the text meanwhile, not the rows
            del filled
            some.clear()
            await self.send(text)

    async def _write_each(self, filled: Iterable[tuple[Any, ...]]) -> None:
        """Writes lines, and streams those that are too large to hold."""
        lines: list[bytes] = []
        octets = 0
        for seq, *row in filled:
            streamed = next((value for value in row if type(value) is Streamed), None)
            if streamed is None:
                line = self._template % (seq, *row)
                lines.append(line)
                octets += len(line)
            else:
                # the command can be refused only until the line begins
                await streamed.check(self._view.account)
            if streamed is not None or octets > LINES_BYTES:
                await self.send(b"".join(lines))
                lines.clear()
                octets = 0
            if streamed is not None:
                await self._write_line(seq, zip(self._fields, row, strict=True))
        await self.send(b"".join(lines))

    def lines(self, rows: list[Row]) -> Iterator[bytes]:
        """The lines of a slice, for items without bodies; in several parts if they are long."""
        self._look_up_flags(rows)
        for some in self._some_at_once(rows):
            seqs, values = self._values(some)
            yield b"".join(map(self._template.__mod__, zip(seqs, *values, strict=True)))

    def _some_at_once(self, rows: list[Row]) -> Iterator[list[Row]]:
        at_once = self._rows_at_once(len(rows)) if rows else 1
        if at_once >= len(rows):
            yield rows
            return
        for start in range(0, len(rows), at_once):
            yield rows[start : start + at_once]

    def _bodies_at_once(self, rows: list[Row]) -> Iterator[list[Row]]:
        """Removes *rows* in parts of some LINES_BYTES, so that writing a part takes a small share of a turn."""
        wide = self._wide_at
        ends = list(accumulate(sum([len(row[at] or b"") for at in wide]) for row in rows))
        done = 0
        most = self._rows_at_once(len(rows)) if rows else 1
        while rows:
            octets = ends[done - 1] if done else 0
            count = min(most, max(1, bisect_right(ends, octets + LINES_BYTES) - done))
            done += count
            part = rows[:count]
            del rows[:count]
            yield part

    def _look_up_flags(self, rows: Sequence[Row]) -> None:
        if self._flags_at:
            self._session.flag_words.look_up({row[self._flags_at] for row in rows})

    def _filled(self, rows: Sequence[Row]) -> list[tuple[Any, ...]]:
        """The arguments of the template for each row: the message's number and the value of each field."""
        seqs, values = self._values(rows)
        return list(zip(seqs, *values, strict=True))

    def _number(self, rows: Sequence[Row]) -> Sequence[int]:
        """The number at the begin of each line: the sequence number, or the UID after ENABLE UIDONLY."""
        return [row[0] for row in rows] if self._session.client.uidonly else self._view.number(rows)

    def _values(self, rows: Sequence[Row]) -> tuple[Sequence[int], Sequence[Iterable[Any]]]:
        """The numbers of a slice, and the values of each field."""
        columns = self._columns(rows)
        return self._number(rows), [field.values(columns) for field in self._fields]

    def _columns(self, rows: Sequence[Row]) -> Columns:
        columns: Columns = dict(zip((Column.UID, *self.columns), zip(*rows, strict=True), strict=True))
        if Column.MODSEQ in columns:
            self._view.show_modseq(max(columns[Column.MODSEQ]))
        if Column.LAYOUT in columns:
            columns[Column.LAYOUT] = list(map(unpack, columns[Column.LAYOUT]))
        return columns

    async def _write_by_item(self, rows: Sequence[Row]) -> None:
        """Writes the lines of a slice, one item after the other."""
        self._look_up_flags(rows)
        for row in rows:
            (number,) = self._number([row])
            columns = self._columns([row])
            for path in self._to_decode:
                (layout,) = columns[Column.LAYOUT]
                require_known_encoding(layout, path)
            # one value at a time, because all of them together may be long
            values = ((field, _only(field.values(columns))) for field in self._fields)
            await self._write_line(number, values)

    async def _write_line(self, number: int, items: Iterable[tuple[Field, Any]]) -> None:
        """Writes a line item by item, and a large value in pieces. After its start, no item can be refused."""
        account, peer, send = self._view.account, self._session.peer, self.send
        peer.in_response = True
        before = self._begin % number
        for field, value in items:
            if isinstance(value, Streamed):
                await send(before + field.label)
                async with aclosing(value.pieces(account)) as pieces:
                    async for piece in pieces:
                        await send(piece)
                await send(field.end)
            else:
                await send(before + field.label + field.place % value + field.end)
            before = b" "
        peer.in_response = False
        await send(END)


def _only(values: Iterable[Any]) -> Any:
    (value,) = values
    return value


def _pieces(
    begin: bytes, number: AnyColumn | None, fields: Sequence[Field]
) -> tuple[bytes | AnyColumn | None, ...] | None:
    """The line of *fields* as the pieces of a Form; None if a field is not a stored column.

    *begin* is the format of the line's begin, and *number* the column of its number; None for the sequence number.
    """
    first, before = begin.split(b"%d")
    pieces: list[bytes | AnyColumn | None] = [first, number]
    for field in fields:
        if field.as_stored is None:
            return None
        pieces += (before + field.label, field.as_stored)
        before = field.end + b" "
    return (*pieces, fields[-1].end + END)


def plan_for(session: Conversation, view: View, items: tuple[FetchItem, ...]) -> Plan:
    """The plan for *items*. The last plan is used again for the same items: clients send thousands of such commands."""
    plan = view.plan
    if not isinstance(plan, Plan) or plan.items != items:
        plan = view.plan = Plan(session, view, items)
    return plan
