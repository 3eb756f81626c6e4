"""The octets of each message, and what was made of them: read, decoded and rendered again.

A message is read at one moment. It is in memory once, or in a temporary file if it is large.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
import zstandard

from mektup.message.scan import Octets
from mektup.store.arrival import prepare
from mektup.store.message_texts import texts_of
from mektup.store.rules.consistency import Finding, Kind, Tally
from mektup.store.rules.text_documents import asked_trigrams
from mektup.store.spool import Spool
from mektup.store.sqlite.file.cursor import Cursor, moment
from mektup.store.sqlite.file.errors import DamagedError
from mektup.store.sqlite.tables import content, text_blocks, text_index, trigrams
from mektup.store.sqlite.tables.chunk_compression import AGAINST_TEXT, octets_of
from mektup.store.sqlite.tables.schema import CHUNK_BITS, CHUNK_BYTES
from mektup.store.sqlite.tables.text_blocks import KeptTexts
from mektup.terms.limits import Limits

AT_ONCE: Final = 100
"""How many contents are looked up at a time."""

LOOKED_UP: Final = 16
"""How many trigrams of a message are looked up in the index."""

_CONTENTS: Final = "SELECT id, size, header_size, digest, envelope FROM contents WHERE id > ? ORDER BY id LIMIT ?"
_CHUNKS: Final = (
    f"SELECT k.id - (?1 << {CHUNK_BITS}), {octets_of('k')}, k.packed FROM chunks AS k "
    f"WHERE k.id BETWEEN ?1 << {CHUNK_BITS} AND (?1 << {CHUNK_BITS}) | {content.LAST_CHUNK} ORDER BY k.id"
)
_MESSAGES: Final = (
    "SELECT ifnull(b.name, ''), m.uid FROM messages AS m LEFT JOIN mailboxes AS b ON b.id = m.mailbox "
    "WHERE m.content = ? LIMIT 100"
)

UNREADABLE: Final = (DamagedError, zstandard.ZstdError, msgspec.MsgspecError, UnicodeError, TypeError, ValueError)
"""What stored values that make no sense raise."""


@dataclass(frozen=True, slots=True)
class Content:
    """A row of ``contents``."""

    id: int
    size: int
    header_size: int
    digest: bytes
    envelope: bytes


def count(cursor: Cursor) -> int:
    """The number of contents."""
    return int(cursor.execute("SELECT count(*) FROM contents").get)


def contents(cursor: Cursor, limits: Limits, advance: Callable[[int], None]) -> Iterator[Finding]:
    """All messages: octets, digests, rendered values, texts and their index. *advance* gets a number of messages."""
    reader = _Reader(cursor, limits)
    reader.read_all(advance)
    yield from reader.tally.findings("UID")


@dataclass(slots=True)
class Wrong:
    """The contents to mend."""

    again: set[int] = field(default_factory=set)
    """Those that may be right after they are stored again."""
    documents: set[int] = field(default_factory=set)
    """The documents of the text index that are wrong."""


def wrong(cursor: Cursor, limits: Limits) -> Wrong:
    """What ``contents`` finds, for a repair."""
    reader = _Reader(cursor, limits)
    reader.read_all(lambda messages: None)
    return reader.wrong


def chunks(cursor: Cursor, number: int) -> Iterator[tuple[int, bytes, int]]:
    """The chunks of a content: number, octets and kind of compression."""
    return iter(cursor.execute(_CHUNKS, (number,)))


class _Reader:
    """Reads contents again, and notes what is wrong with each."""

    def __init__(self, cursor: Cursor, limits: Limits) -> None:
        self._cursor = cursor
        self._limits = limits
        self._texts = KeptTexts(cursor.connection)
        file = cursor.connection.filename
        self._directory = Path(file).parent if file else None
        self.tally = Tally()
        self.wrong = Wrong()

    def read_all(self, advance: Callable[[int], None]) -> None:
        """Checks all contents."""
        last = 0
        while rows := self._cursor.execute(_CONTENTS, (last, AT_ONCE)).fetchall():
            for row in rows:
                self.read(Content(*row))
            last = rows[-1][0]
            advance(len(rows))

    def read(self, row: Content) -> None:
        """Checks one content, unless it was removed meanwhile."""
        with moment(self._cursor), Spool(directory=self._directory) as spool:
            if self._cursor.execute("SELECT 1 FROM contents WHERE id = ?", (row.id,)).get is None:
                return
            try:
                lengths, needs_text = self._lengths(row, spool)
            except (*UNREADABLE, apsw.CorruptError):
                self._note(row, Kind.OCTETS, mendable=False)
                return
            octets = spool.octets()
            has_digest = _digest(octets) == row.digest
            if not has_digest or not _is_whole(row, lengths, octets):
                self._note(row, Kind.OCTETS, mendable=has_digest)
                return
            with suppress(apsw.CorruptError):  # the check of the pages names the tables
                self._derived(row, octets, needs_text=needs_text)

    def _lengths(self, row: Content, spool: Spool) -> tuple[dict[int, int], bool]:
        """The length of each chunk by its number, and whether one needs the text; fills *spool*."""
        lengths: dict[int, int] = {}
        needs_text = False
        for number, octets, packed in chunks(self._cursor, row.id):
            lengths[number] = len(octets)
            needs_text |= packed == AGAINST_TEXT
            spool.write(octets)
        return lengths, needs_text

    def _derived(self, row: Content, octets: Octets, *, needs_text: bool) -> None:
        found = self._cursor.execute(
            "SELECT s.body, s.bodystructure, s.layout, t.* FROM structures AS s JOIN texts AS t USING (content) "
            "WHERE s.content = ?",
            (row.id,),
        ).get
        arrival = prepare(octets, self._limits)
        if found is None:  # the check of references has said so
            self.wrong.again.add(row.id)
        else:
            rendered = (*content.structure_of(arrival), row.id, *content.texts_of(arrival))
            if (*found, row.envelope, row.header_size) != (*rendered, arrival.envelope, arrival.header_size):
                self._note(row, Kind.RENDERED)
        if row.id > self._cursor.execute(f"SELECT {text_blocks.LAST}").get:
            return
        headers, body = texts_of(octets, self._limits)
        try:
            kept = self._texts.headers(row.id), self._texts.body(row.id)
        except UNREADABLE:
            kept = None, None
        if kept != (text_blocks.encode(headers), text_blocks.encode(body)):
            self._note(row, Kind.SEARCH_TEXT, mendable=not needs_text)
            return
        fields = (arrival.subject, arrival.from_, arrival.to, arrival.cc, arrival.bcc)
        header = octets[: min(row.header_size, self._limits.header_bytes)]
        if not self._is_indexed(row.id, text_index.document_of(headers, body, fields, header, self._limits)):
            self._note(row, Kind.TEXT_INDEX)
            self.wrong.documents.add(trigrams.document_of(row.id))

    def _is_indexed(self, number: int, document: str) -> bool:
        asked = asked_trigrams(document)
        some = asked[:: max(1, len(asked) // LOOKED_UP)]
        if not some:
            return True
        try:
            return (
                self._cursor.execute(trigrams.HAS, (trigrams.document_of(number), trigrams.all_of(some))).get
                is not None
            )
        except apsw.SQLError:
            return False

    def _note(self, row: Content, kind: Kind, *, mendable: bool = True) -> None:
        if mendable and kind is not Kind.TEXT_INDEX:
            self.wrong.again.add(row.id)
        messages: list[tuple[Any, ...]] = self._cursor.execute(_MESSAGES, (row.id,)).fetchall()
        for mailbox, uid in messages:
            self.tally.note(kind, mailbox, uid, mendable=mendable)
        if not messages:
            self.tally.note(kind, "", f"(content {row.id})", mendable=mendable)


def _is_whole(row: Content, lengths: dict[int, int], octets: Octets) -> bool:
    """Whether the chunks have the lengths that reading relies on."""
    if not 0 <= row.header_size <= row.size or len(octets) != row.size:
        return False
    spans = content.chunk_spans(row.size, row.header_size)
    return lengths == {number: stop - start for number, (start, stop) in enumerate(spans)}


def _digest(octets: Octets) -> bytes:
    return content.digest_of(octets[start : start + CHUNK_BYTES] for start in range(0, len(octets), CHUNK_BYTES))
