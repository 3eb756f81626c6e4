"""From fetch items to lines of the wire: which columns to ask for, and how a slice of rows becomes bytes.

A plan is made once for commands that ask the same. Each item is a Field: a piece of the line with a ``%b`` or ``%d``
in it, the columns it needs, and how it fills the place for a whole slice at a time. So a slice is a few passes in C
(a map per item, one zip, one format per message, one join) and no Python object is made per message.

Two sorts leave that road. Where all items are columns as they are stored, as in the lists that clients fetch, the
store puts the lines of a run of messages together itself, and not even rows are made. And a body that is too large to
hold is written piece by piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mektup.imap.flag_words import MOST_SHARED, with_recent
from mektup.imap.sections import Columns, Later, binary_reader, binary_size_reader, chosen_fields, section_reader
from mektup.store.interface import SLICE_ROWS, Column, Form, HeaderFields, Row
from mektup.terms.sets import NumberSet, Uids
from mektup.wire.fetch_items import Binary, BinarySize, BodySection, FetchItem, Item

if TYPE_CHECKING:
    from mektup.imap.session import Session
    from mektup.imap.view import View

DRAIN_BYTES = 64 * 1024
"""How much of an answer is queued before the session waits for the client to take it."""


@dataclass(frozen=True, slots=True)
class Field:
    """One item of a FETCH line."""

    label: bytes
    """What stands before the value, its space included."""
    place: bytes
    """A format for the value."""
    columns: tuple[Column | HeaderFields, ...]
    values: Callable[[Columns], Iterable[Any]]
    """One value per row: what *place* takes, or a Later where *may_stream*."""
    may_stream: bool = False
    end: bytes = b""
    """What stands behind the value."""
    as_stored: Column | HeaderFields | None = None
    """The column that the value is, as a Form has it; None for others."""


def _plain(label: bytes, place: bytes, column: Column | HeaderFields, end: bytes = b"") -> Field:
    return Field(label, place, (column,), lambda columns: columns[column], end=end, as_stored=column)


SIMPLE: dict[Item, Field] = {
    Item.UID: _plain(b"UID ", b"%d", Column.UID),
    Item.INTERNALDATE: _plain(b"INTERNALDATE ", b"%b", Column.INTERNALDATE),
    Item.SIZE: _plain(b"RFC822.SIZE ", b"%d", Column.SIZE),
    Item.ENVELOPE: _plain(b"ENVELOPE ", b"%b", Column.ENVELOPE),
    Item.BODY: _plain(b"BODY ", b"%b", Column.BODY),
    Item.BODYSTRUCTURE: _plain(b"BODYSTRUCTURE ", b"%b", Column.BODYSTRUCTURE),
    Item.MODSEQ: _plain(b"MODSEQ (", b"%d", Column.MODSEQ, end=b")"),
    Item.EMAILID: Field(
        b"EMAILID (",
        b"%b",
        (Column.EMAILID,),
        lambda columns: map(str.encode, columns[Column.EMAILID]),
        end=b")",
        as_stored=Column.EMAILID,
    ),
}

IN_REV1 = {
    Item.BODY: _plain(b"BODY ", b"%b", Column.BODY_REV1),
    Item.BODYSTRUCTURE: _plain(b"BODYSTRUCTURE ", b"%b", Column.BODYSTRUCTURE_REV1),
}
"""What a client that knows only RFC 3501 gets instead."""

FEW_LINES = 8
"""Fewer than these are not worth putting together in the store."""


class Plan:
    """How FETCH commands for the same items are answered in one view."""

    __slots__ = (
        "_fields",
        "_pieces",
        "_queued",
        "_session",
        "_streams",
        "_template",
        "_view",
        "columns",
        "items",
        "marks_seen",
    )

    def __init__(self, session: Session, view: View, items: tuple[FetchItem, ...]) -> None:
        self._session = session
        self._view = view
        self._queued = 0
        self.items = items
        self.marks_seen = any(isinstance(item, BodySection | Binary) and not item.peek for item in items)
        """Whether it reads a body without PEEK, which sets \\Seen (RFC 9051 §6.4.5)."""
        self._fields = [self._field(item) for item in items]
        self._streams = any(field.may_stream for field in self._fields)
        needed = dict.fromkeys(column for field in self._fields for column in field.columns)
        needed.pop(Column.UID, None)
        self.columns: tuple[Column | HeaderFields, ...] = tuple(needed)
        """To be asked of the store; the UID comes first of itself."""
        line = b" ".join(field.label.replace(b"%", b"%%") + field.place + field.end for field in self._fields)
        self._template = b"* %d FETCH (" + line + b")\r\n"
        self._pieces = _pieces(self._fields)

    def _field(self, item: FetchItem) -> Field:
        match item:
            case Item.FLAGS:
                return self._flags()
            case Item():
                return SIMPLE[item] if self._session.rev2 else IN_REV1.get(item) or SIMPLE[item]
            case BodySection() if (choice := chosen_fields(item)) is not None:
                return _plain(_label(item), b"%b", choice)
            case BodySection():
                columns, read = section_reader(item)
                return Field(_label(item), b"%b", columns, read, may_stream=Column.RAW in columns)
            case Binary():
                columns, read = binary_reader(item)
                return Field(_label(item), b"%b", columns, read, may_stream=True)
            case BinarySize():
                columns, read = binary_size_reader(item)
                return Field(item.label + b" ", b"%b", columns, read, may_stream=True)

    def _flags(self) -> Field:
        words, session, view = self._session.flag_words, self._session, self._view

        def spelled(columns: Columns) -> Iterable[bytes]:
            recent = view.recent
            # at once, as a new word may write FLAGS, which no line may have begun before
            if not recent or session.rev2:
                return list(map(words.__getitem__, columns[Column.FLAGS]))
            return [
                words.with_recent(word) if uid in recent else words[word]
                for uid, word in zip(columns[Column.UID], columns[Column.FLAGS], strict=True)
            ]

        return Field(b"FLAGS (", b"%b", (Column.FLAGS,), spelled, end=b")", as_stored=Column.FLAGS)

    async def answer(self, uids: Uids) -> int:
        """Writes the lines of *uids*, which are in the view; returns how many of them are still there."""
        if self._pieces is None or len(uids) < FEW_LINES:
            return await self._answer_by_rows(uids)
        found = 0
        for some in uids.slices(SLICE_ROWS):
            text = await self.text(some)
            if text is None:
                found += await self._answer_by_rows(some)
            else:
                found += len(some)
                await self.say(text)
        return found

    async def text(self, uids: Uids) -> bytes | None:
        """The lines of *uids*, SLICE_ROWS at most, put together by the store; None where it cannot."""
        session, view = self._session, self._view
        if self._pieces is None or len(uids.runs) > 1:
            return None
        words: Iterable[tuple[int, bytes]] = ()
        if Column.FLAGS in self.columns:
            spelled = session.flag_words
            recent: Uids = NumberSet() if session.rev2 else view.recent & uids
            if len(spelled.shared) == MOST_SHARED or (recent and recent != uids):
                return None
            words = spelled.told()
            if recent:
                words = [(word, with_recent(flags)) for word, flags in words]
        form = Form(self._pieces, tuple(words))
        found = await session.mail.text(view.mailbox, uids, form, view.seq(uids.first))
        if found is None:
            return None
        text, modseq = found
        if Column.MODSEQ in self.columns:
            view.show_modseq(modseq)
        return text

    async def _answer_by_rows(self, uids: Uids) -> int:
        found = 0
        async for rows in self._session.mail.fetch(self._view.mailbox, uids, self.columns):
            found += len(rows)
            await self._write(rows)
        return found

    async def say(self, octets: bytes) -> None:
        """Writes *octets*, and waits for the client to take them where much is queued, by earlier commands too."""
        self._session.write(octets)
        self._queued += len(octets)
        if self._queued > DRAIN_BYTES:
            await self._session.peer.drain()
            self._queued = 0

    async def lines_of(self, uids: Uids) -> dict[int, bytes]:
        """The lines of those of *uids* that are there, by UID, as far as one slice goes.

        A line that has to be streamed is not among them.
        """
        async with aclosing(self._session.mail.fetch(self._view.mailbox, uids, self.columns)) as slices:
            async for rows in slices:
                seqs, values = self._values(rows)
                filled = zip(seqs, *values, strict=True)
                return {
                    row[0]: self._template % each
                    for row, each in zip(rows, filled, strict=True)
                    if not self._streams or not any(type(value) is Later for value in each)
                }
        return {}

    async def _write(self, rows: Sequence[Row]) -> None:
        """Writes the lines of a slice."""
        seqs, values = self._values(rows)
        if self._streams:
            lists = [list(per_row) for per_row in values]
            if any(type(value) is Later for per_row in lists for value in per_row):
                await self._write_streaming(seqs, lists)
                return
            values = lists
        await self.say(b"".join(map(self._template.__mod__, zip(seqs, *values, strict=True))))

    def lines(self, rows: Sequence[Row]) -> bytes:
        """The lines of a slice, for items of which none is a body."""
        seqs, values = self._values(rows)
        return b"".join(map(self._template.__mod__, zip(seqs, *values, strict=True)))

    def _values(self, rows: Sequence[Row]) -> tuple[Sequence[int], Sequence[Iterable[Any]]]:
        """The sequence numbers of a slice, and what each field has for it."""
        columns: Columns = dict(zip((Column.UID, *self.columns), zip(*rows, strict=True), strict=True))
        if Column.MODSEQ in columns:
            self._view.show_modseq(max(columns[Column.MODSEQ]))
        return self._view.number(rows), [field.values(columns) for field in self._fields]

    async def _write_streaming(self, seqs: Sequence[int], values: list[list[Any]]) -> None:
        """The slow road: message by message, and a large body piece by piece."""
        write, peer, account = self._session.write, self._session.peer, self._session.mail
        for seq, *waiting in zip(seqs, *values, strict=True):
            # all that can be refused is read before the line begins, since then there is no way back
            row = [await value.load(account) if type(value) is Later else value for value in waiting]
            peer.in_response = True
            write(b"* %d FETCH (" % seq)
            for at, (field, value) in enumerate(zip(self._fields, row, strict=True)):
                write((b" " if at else b"") + field.label)
                if isinstance(value, Later):
                    async for piece in value.pieces(account):
                        write(piece)
                        await peer.drain()
                else:
                    write(field.place % value)
                write(field.end)
            write(b")\r\n")
            peer.in_response = False


def _pieces(fields: Sequence[Field]) -> tuple[bytes | Column | HeaderFields | None, ...] | None:
    """The line of *fields* as a Form has it; None where one of them is not as stored."""
    pieces: list[bytes | Column | HeaderFields | None] = [b"* ", None]
    before = b" FETCH ("
    for field in fields:
        if field.as_stored is None:
            return None
        pieces += (before + field.label, field.as_stored)
        before = field.end + b" "
    return (*pieces, fields[-1].end + b")\r\n")


def plan_for(session: Session, view: View, items: tuple[FetchItem, ...]) -> Plan:
    """The plan for *items*: that of the command before where it asked the same, as clients do by the thousand."""
    plan = view.plan
    if plan is None or plan.items != items:
        plan = view.plan = Plan(session, view, items)
    return plan


def _label(item: BodySection | Binary) -> bytes:
    origin = b"<%d>" % item.partial.start if item.partial is not None else b""
    return item.label + origin + b" "
