"""The texts that SEARCH looks into, kept ready: decoded, case-folded, packed, and their trigrams indexed.

Both are made behind the arrivals, in the order of ``contents.id``, so the highest content in ``search_texts`` tells
how far that went: what lies above is looked into as it came, decoded for each search anew. A search therefore needs
neither to wait for the index nor to know more of it than this, and its answer is the same wherever that mark stands.

Texts are packed so that they are unpacked fast: a search for a common word unpacks the text of every message. That of
headers is kept apart, for such a word is found without it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw
import zstandard

from mektup.message.scan import Octets
from mektup.message.text import field_texts, header_values, search_text
from mektup.store.interface import SearchStatus
from mektup.store.spool import Spool
from mektup.store.sqlite import content, trigrams
from mektup.store.sqlite.changes import moment
from mektup.store.sqlite.cursor import Cursor, add_function
from mektup.store.sqlite.database import Change
from mektup.store.sqlite.schema import CHUNK_BYTES
from mektup.terms.limits import Limits
from mektup.terms.numbers import ContentId

BODY_LEVEL: Final = -1
HEADERS_LEVEL: Final = 3
"""Of zstandard, for which less is faster and larger."""

LOOKED_INTO_AT_ONCE: Final = 256 * 1024
"""Octets of a text that are searched before other threads may have their turn."""

BATCH_CHARACTERS: Final = 64 * 1024
"""Of documents: what is indexed in one transaction, about. Other writers wait for it, some ten milliseconds."""

BATCH_MESSAGES: Final = 200

BATCH_FORGOTTEN: Final = 500
"""How many of the messages that are gone are taken out of the index in one transaction."""

MERGED_PAGES: Final = 64
"""How much of the index is merged in one transaction."""

MOST_FIELDS: Final = 1000
"""Of a header; with more, the message is a candidate always."""

INDEXED_UPTO: Final = "(SELECT ifnull(max(content), 0) FROM search_texts)"
"""SQL: the content up to which all are indexed that are still there."""


# Looking into texts


def encode(text: str) -> bytes:
    """*text* as texts are kept."""
    return text.encode("utf-8", "surrogatepass")


def _holds(text: bytes, sought: bytes) -> bool:
    if len(text) <= LOOKED_INTO_AT_ONCE:
        return sought in text
    pieces = range(0, len(text), LOOKED_INTO_AT_ONCE)
    return any(text.find(sought, start, start + LOOKED_INTO_AT_ONCE + len(sought)) >= 0 for start in pieces)


@contextmanager
def _octets(cursor: Cursor, number: ContentId) -> Iterator[Octets]:
    """All of a message; in memory only where it is small."""
    file = cursor.connection.filename
    with Spool(directory=Path(file).parent if file else None) as spool:
        for piece in content.read(cursor, number, 0, 2**63):
            spool.write(piece)
        yield spool.octets()


def equip(connection: apsw.Connection, limits: Limits) -> None:
    """Gives *connection* the functions that ``search`` uses.

    ``in_header(content, octets, name, text)``: *octets* are those of the first chunk. ``in_body(content, packed,
    text)`` and ``in_headers`` of the same: *packed* is what ``search_texts`` has, NULL for nothing yet, and *text* is
    encoded.
    """
    unpack = zstandard.ZstdDecompressor().decompress
    read: list[tuple[int, bytes, bytes]] = [(0, b"", b"")]

    def texts(number: int) -> tuple[int, bytes, bytes]:
        if read[0][0] != number:
            with _octets(connection.cursor(), ContentId(number)) as octets:
                headers, body = search_text(octets, limits)
            read[0] = number, encode(headers), encode(body)
        return read[0]

    def in_header(number: int, header: bytes, name: str, text: str) -> bool:
        if len(header) >= CHUNK_BYTES:
            header = content.header(connection.cursor(), ContentId(number))[: limits.header_bytes]
        return any(text in value for value in header_values(header, name))

    def in_body(number: int, packed: bytes | None, sought: bytes) -> bool:
        return _holds(texts(number)[2] if packed is None else unpack(packed), sought)

    def in_headers(number: int, packed: bytes | None, sought: bytes) -> bool:
        return _holds(texts(number)[1] if packed is None else unpack(packed), sought)

    add_function(connection, "in_header", 4, in_header)
    add_function(connection, "in_body", 3, in_body)
    add_function(connection, "in_headers", 3, in_headers)


# Indexing


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index gets of one message."""

    content: int
    document: str
    octets: int
    """Of its texts."""
    body: bytes
    headers: bytes
    """Packed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What comes next in the index."""

    after: int
    """The content up to which all are indexed before."""
    entries: tuple[Entry, ...]


def is_due(cursor: Cursor) -> bool:
    """Whether there is something to index, or to take out of the index. A question of microseconds."""
    sql = f"SELECT ifnull((SELECT max(id) FROM contents), 0) > {INDEXED_UPTO} OR EXISTS (SELECT 1 FROM freed)"
    return bool(cursor.execute(sql).get)


def next_batch(cursor: Cursor, limits: Limits) -> Batch:
    """The next messages to be indexed, made ready; without any where all are."""
    with moment(cursor):
        after = cursor.execute(f"SELECT {INDEXED_UPTO}").get
        rows = cursor.execute(
            "SELECT id, header_size, subject, from_, to_, cc, bcc FROM contents CROSS JOIN texts ON content = id "
            "WHERE id > ? ORDER BY id LIMIT ?",
            (after, BATCH_MESSAGES),
        ).fetchall()
        entries: list[Entry] = []
        characters = 0
        for number, header_size, *fields in rows:
            entry = _entry(cursor, number, min(header_size, limits.header_bytes), fields, limits)
            entries.append(entry)
            characters += len(entry.document)
            if characters >= BATCH_CHARACTERS:
                break
    return Batch(after, tuple(entries))


def _entry(cursor: Cursor, number: int, header_size: int, fields: list[str], limits: Limits) -> Entry:
    with _octets(cursor, ContentId(number)) as octets:
        headers, body = search_text(octets, limits)
        document = trigrams.ALWAYS
        if len(headers) + len(body) <= trigrams.LONGEST_DOCUMENT:
            document = _document(headers, body, [*fields, *_fields(octets[:header_size])])
    kept = encode(body), encode(headers)
    return Entry(
        number,
        document,
        sum(map(len, kept)),
        zstandard.ZstdCompressor(BODY_LEVEL).compress(kept[0]),
        zstandard.ZstdCompressor(HEADERS_LEVEL).compress(kept[1]),
    )


def _fields(header: bytes) -> Iterator[str]:
    for name, value in field_texts(header):
        yield name
        yield value


def _document(headers: str, body: str, fields: Sequence[str]) -> str:
    """The document of a message: whatever is looked up has its trigrams there.

    Of headers, TEXT looks into all, and other keys into *fields*, which may read otherwise by themselves.
    """
    if len(fields) > MOST_FIELDS:
        return trigrams.ALWAYS
    others = [field for field in dict.fromkeys(fields) if field not in headers]
    return trigrams.document("\n".join((headers, *others)), body)


def put(change: Change, batch: Batch) -> bool:
    """Indexes *batch*; False where another process was faster, and nothing is done."""
    cursor = change.cursor
    if not batch.entries or cursor.execute(f"SELECT {INDEXED_UPTO}").get != batch.after:
        return False
    first, last = batch.entries[0].content, batch.entries[-1].content
    there = {number for (number,) in cursor.execute("SELECT id FROM contents WHERE id BETWEEN ? AND ?", (first, last))}
    entries = [entry for entry in batch.entries if entry.content in there]
    cursor.executemany(
        "INSERT INTO trigrams (rowid, document) VALUES (?, ?)", [(entry.content, entry.document) for entry in entries]
    )
    cursor.executemany(
        "INSERT INTO search_texts VALUES (?, ?, ?, ?)",
        [(entry.content, entry.octets, entry.body, entry.headers) for entry in entries],
    )
    return True


def tidy(change: Change) -> bool:
    """Makes the index smaller, a little; False where there was nothing to do.

    Takes out messages that are gone; where there are none, merges what was put in at different times.
    """
    cursor = change.cursor
    freed = cursor.execute("SELECT content FROM freed LIMIT ?", (BATCH_FORGOTTEN,)).fetchall()
    if freed:
        cursor.executemany("DELETE FROM trigrams WHERE rowid = ?", freed)
        cursor.executemany("DELETE FROM freed WHERE content = ?", freed)
        return True
    before = cursor.connection.total_changes()
    cursor.execute("INSERT INTO trigrams (trigrams, rank) VALUES ('merge', ?)", (MERGED_PAGES,))
    return cursor.connection.total_changes() - before >= 2  # the INSERT itself counts as one


def status(cursor: Cursor) -> SearchStatus:
    """How far indexing went, and what it costs. Reads all of the index."""
    with moment(cursor):
        contents = cursor.execute("SELECT count(*) FROM contents").get
        indexed, octets, packed = cursor.execute(
            "SELECT count(*), ifnull(sum(octets), 0), ifnull(sum(length(body) + length(headers)), 0) FROM search_texts"
        ).get
        index = cursor.execute("SELECT ifnull(sum(length(block)), 0) FROM trigrams_data").get
    return SearchStatus(contents, indexed, octets, packed, index)
