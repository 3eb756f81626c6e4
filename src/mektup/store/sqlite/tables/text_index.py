"""The searchable texts and their index: texts are decoded and case-folded once, and stored; their trigrams are indexed.

This happens in the background, in the order of ``contents.id``, so one number says how far it went (the mark, see
``text_blocks``). Messages above the mark are decoded again for each search. So a search never waits for the index, and
its answer does not depend on the mark.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import apsw

from mektup.message.headers import FieldChooser
from mektup.message.scan import Octets
from mektup.message.text import field_texts, header_values
from mektup.store.interface import SearchStatus
from mektup.store.message_texts import texts_of
from mektup.store.rules.text_documents import ALWAYS, LONGEST_DOCUMENT, document_of_message
from mektup.store.spool import Spool
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor, add_function, moment
from mektup.store.sqlite.file.errors import DamagedError
from mektup.store.sqlite.tables import content, text_blocks, trigrams
from mektup.store.sqlite.tables.chunk_compression import Packing, octets_of
from mektup.store.sqlite.tables.schema import CHUNK_BITS, CHUNK_BYTES
from mektup.store.sqlite.tables.text_blocks import KeptTexts, Text, encode
from mektup.terms.errors import Refused
from mektup.terms.limits import Limits
from mektup.terms.numbers import ContentId
from mektup.terms.search import AddressField

LOOKED_INTO_AT_ONCE: Final = 256 * 1024
"""The octets of a text that are searched before other threads can run."""

BATCH_BYTES: Final = 64 * 1024
"""The approximate octets of texts in a transaction. Other writers wait for it, some ten milliseconds."""

BATCH_MESSAGES: Final = 200

BATCH_FORGOTTEN: Final = 50
"""How many removed messages are taken out of the index in a transaction."""

MERGED_PAGES: Final = 64
"""How many pages of the index are merged in a transaction."""


# Searching texts

ADDRESS_COLUMNS: Final = {
    AddressField.FROM: "t.from_",
    AddressField.TO: "t.to_",
    AddressField.CC: "t.cc",
    AddressField.BCC: "t.bcc",
}

FIELD_NAME: Final = re.compile(r"[!-9;-~]+")
"""RFC 5322 §2.2. A client may search fields with other names, but the index does not have them."""

# The table account has one row, with the ID 1. SQLite evaluates a condition on the innermost loop last. Without it,
# SQLite would read a message before it checks the flags, because the index that it scans has the content.
ASKED_LAST: Final = "m.content * a.id"
"""The content, for a function that reads the message."""

FIRST_CHUNK: Final = f"(SELECT {octets_of('k')} FROM chunks AS k WHERE k.id = m.content << {CHUNK_BITS})"
"""The first chunk, which is the header or its beginning."""


class Reader:
    """The functions of one connection with which ``search`` reads texts."""

    def __init__(self, connection: apsw.Connection, texts: KeptTexts, limits: Limits) -> None:
        self._connection = connection
        self._texts = texts
        self._limits = limits
        self._decoded = Text(0, b"", b"")
        """The texts of the message that was decoded last."""

    def in_header(self, number: int, header: bytes, name: str, text: str) -> bool:
        """Whether *text* is in a field *name*; see ``values``."""
        return any(text in value for value in self.values(number, header, name))

    def in_body(self, number: int, sought: bytes) -> bool:
        """Whether the encoded text *sought* is in the text of the body."""
        return _holds(self.body(number), sought)

    def in_headers(self, number: int, sought: bytes) -> bool:
        """Whether the encoded text *sought* is in the text of all headers."""
        return _holds(self.headers(number), sought)

    def values(self, number: int, header: bytes, name: str) -> list[str]:
        """The texts of the fields *name*. *header* is the message's first chunk."""
        if len(header) >= CHUNK_BYTES:
            # a piece at a time, so that other threads can run in between
            chooser = FieldChooser(frozenset({name.encode()}), exclude=False)
            pieces = content.header_pieces(self._connection.cursor(), ContentId(number), self._limits.header_bytes)
            header = b"".join([*map(chooser.take, pieces), chooser.finish()])
        return header_values(header, name, self._limits)

    def header(self, number: int, header: bytes) -> bytes:
        """The whole header, as far as it is parsed. *header* is the message's first chunk."""
        if len(header) < CHUNK_BYTES:
            return header
        return b"".join(content.header_pieces(self._connection.cursor(), ContentId(number), self._limits.header_bytes))

    def texts(self, number: int, folding: Callable[[str], str]) -> tuple[str, str]:
        """The texts of the headers and of the body, made of the message's octets."""
        with _octets(self._connection.cursor(), ContentId(number)) as octets:
            return texts_of(octets, self._limits, folding)

    def body(self, number: int) -> bytes:
        """The encoded text of the body."""
        text = self._texts.body(number)
        return self._decode(number).body if text is None else text

    def headers(self, number: int) -> bytes:
        """The encoded text of all headers."""
        text = self._texts.headers(number)
        return self._decode(number).headers if text is None else text

    def _decode(self, number: int) -> Text:
        if self._decoded.content != number:
            with _octets(self._connection.cursor(), ContentId(number)) as octets:
                headers, body = texts_of(octets, self._limits)
            self._decoded = Text(number, encode(headers), encode(body))
        return self._decoded


def _holds(text: bytes, sought: bytes) -> bool:
    if len(text) <= LOOKED_INTO_AT_ONCE:
        return sought in text
    pieces = range(0, len(text), LOOKED_INTO_AT_ONCE)
    return any(text.find(sought, start, start + LOOKED_INTO_AT_ONCE + len(sought)) >= 0 for start in pieces)


@contextmanager
def _octets(cursor: Cursor, number: ContentId) -> Iterator[Octets]:
    """The octets of a message; only a small one is held in memory."""
    file = cursor.connection.filename
    with Spool(directory=Path(file).parent if file else None) as spool:
        for piece in content.read(cursor, number, 0, 2**63):
            spool.write(piece)
        yield spool.octets()


def equip(connection: apsw.Connection, texts: KeptTexts, limits: Limits) -> Reader:
    """Gives *connection* the functions of a Reader, and returns it."""
    reader = Reader(connection, texts, limits)
    add_function(connection, "in_header", 4, reader.in_header)
    add_function(connection, "in_body", 2, reader.in_body)
    add_function(connection, "in_headers", 2, reader.in_headers)
    return reader


# Indexing


@dataclass(frozen=True, slots=True)
class Entry:
    """The data to store for one message."""

    text: Text
    document: str
    """The document for the index, see ``trigrams``."""
    chunks: Sequence[tuple[int, bytes]]
    """The chunks that replace the message's, see ``content.packed_again``."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The next messages to index."""

    after: int
    """The mark: all contents up to it are indexed."""
    entries: tuple[Entry, ...]
    neighbour: Entry | None = None
    """The already indexed message that shares a document with the first of *entries*."""


def is_due(cursor: Cursor) -> bool:
    """Whether there are messages to index or to take out of the index. Costs microseconds."""
    sql = f"SELECT ifnull((SELECT max(id) FROM contents), 0) > {text_blocks.LAST} OR EXISTS (SELECT 1 FROM freed)"
    return bool(cursor.execute(sql).get)


def next_batch(cursor: Cursor, limits: Limits, packing: Packing) -> Batch:
    """Prepares the next messages to index; empty where all are indexed."""
    with moment(cursor):
        after = cursor.execute(f"SELECT {text_blocks.LAST}").get
        entries: list[Entry] = []
        octets = 0
        for row in _rows(cursor, after + 1, 2**62):
            entry = _entry(cursor, row, limits, packing)
            entries.append(entry)
            octets += entry.text.octets
            if octets >= BATCH_BYTES:
                break
        neighbour = _neighbour(cursor, after, limits) if entries else None
    return Batch(after, tuple(entries), neighbour)


def _neighbour(cursor: Cursor, after: int, limits: Limits) -> Entry | None:
    """The entry of *after*, where the next message may share its document."""
    row = None if after & 1 else next(_rows(cursor, after, after), None)
    return None if row is None else _entry(cursor, row, limits, Packing(None))


def _rows(cursor: Cursor, first: int, last: int) -> Iterator[tuple[Any, ...]]:
    """Reads one row at a time, because the subjects and addresses of one message may be very long."""
    sql = (
        "SELECT id, header_size, subject, from_, to_, cc, bcc FROM contents CROSS JOIN texts ON content = id "
        "WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"
    )
    with closing(cursor.connection.cursor()) as own:
        yield from own.execute(sql, (first, last, BATCH_MESSAGES))


def _entry(cursor: Cursor, row: tuple[Any, ...], limits: Limits, packing: Packing) -> Entry:
    number, header_size, *fields = row
    with _octets(cursor, ContentId(number)) as octets:
        headers, body = texts_of(octets, limits)
        header = octets[: min(header_size, limits.header_bytes)]
    document = document_of(headers, body, fields, header, limits)
    text = Text(number, encode(headers), encode(body))
    return Entry(text, document, content.packed_again(cursor, ContentId(number), text, packing))


def document_of(headers: str, body: str, fields: Sequence[str], header: bytes, limits: Limits) -> str:
    """The document of a message with these texts of its *headers* and its *body*, for the index.

    *fields* are the subject and the addresses.
    """
    if len(headers) + len(body) > LONGEST_DOCUMENT:
        return ALWAYS
    return document_of_message(headers, body, [*fields, *_fields(header, limits)])


def _fields(header: bytes, limits: Limits) -> Iterator[str]:
    for name, value in field_texts(header, limits):
        yield name
        yield value


def put(change: Change, batch: Batch) -> bool:
    """Indexes *batch*; returns False and does nothing where another process was faster."""
    cursor = change.cursor
    if not batch.entries or cursor.execute(f"SELECT {text_blocks.LAST}").get != batch.after:
        return False
    first, last = batch.entries[0].text.content, batch.entries[-1].text.content
    there = {number for (number,) in cursor.execute("SELECT id FROM contents WHERE id BETWEEN ? AND ?", (first, last))}
    entries = [entry for entry in batch.entries if entry.text.content in there]
    documents: defaultdict[int, list[str]] = defaultdict(list)
    for entry in entries if batch.neighbour is None else (batch.neighbour, *entries):
        documents[trigrams.document_of(entry.text.content)].append(entry.document)
    cursor.executemany(
        "INSERT OR REPLACE INTO trigrams (rowid, document) VALUES (?, ?)",
        ((number, "\n".join(of_messages)) for number, of_messages in documents.items()),
    )
    text_blocks.add(cursor, [entry.text for entry in entries])
    content.put_again(cursor, [chunk for entry in entries for chunk in entry.chunks])
    return True


def put_again(change: Change, documents: Sequence[int], limits: Limits) -> None:
    """Makes *documents* of messages that are indexed anew. A message that cannot be read is always a candidate."""
    cursor = change.cursor
    mark = cursor.execute(f"SELECT {text_blocks.LAST}").get
    for number in documents:
        made = []
        for row in list(_rows(cursor, number << 1, min(number << 1 | 1, mark))):
            try:
                made.append(_entry(cursor, row, limits, Packing(None)).document)
            except (DamagedError, Refused):
                made.append(ALWAYS)
        cursor.execute("DELETE FROM trigrams WHERE rowid = ?", (number,))
        if made:
            cursor.execute("INSERT INTO trigrams (rowid, document) VALUES (?, ?)", (number, "\n".join(made)))


def tidy(change: Change) -> bool:
    """Makes the index smaller, one step at a time; returns False where there was nothing to do.

    Takes out removed messages; where there are none, merges segments of the index.
    """
    cursor = change.cursor
    freed = cursor.execute("SELECT content FROM freed LIMIT ?", (BATCH_FORGOTTEN,)).fetchall()
    if freed:
        text_blocks.drop(cursor, {number for (number,) in freed})
        documents = {(trigrams.document_of(number),) for (number,) in freed}
        cursor.executemany(f"DELETE FROM trigrams WHERE rowid = ?1 AND NOT EXISTS ({trigrams.MESSAGES})", documents)
        cursor.executemany("DELETE FROM freed WHERE content = ?", freed)
        return True
    before = cursor.connection.total_changes()
    cursor.execute("INSERT INTO trigrams (trigrams, rank) VALUES ('merge', ?)", (MERGED_PAGES,))
    return cursor.connection.total_changes() - before >= 2  # the INSERT itself counts as one


def status(cursor: Cursor) -> SearchStatus:
    """See ``interface.Account.search_status``. Reads the whole index."""
    with moment(cursor):
        messages = cursor.execute("SELECT count(*) FROM contents").get
        indexed = cursor.execute(f"SELECT count(*) FROM contents WHERE id <= {text_blocks.LAST}").get
        texts, packed = cursor.execute(
            "SELECT ifnull(sum(octets), 0), ifnull(sum(length(bodies) + length(headers)), 0) FROM search_texts"
        ).get
        index = cursor.execute("SELECT ifnull(sum(length(block)), 0) FROM trigrams_data").get
    return SearchStatus(messages, indexed, texts, packed, index)
