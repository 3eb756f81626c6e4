"""The bytes of messages and their rendered values: written once, shared by copies, freed with the last copy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

import apsw

from mektup.store.arrival import DIGEST_BYTES, Arrival
from mektup.store.rules.refusals import message_is_gone
from mektup.store.sqlite.file.cursor import Cursor, add_function
from mektup.store.sqlite.tables import threads
from mektup.store.sqlite.tables.chunk_compression import AGAINST_TEXT, Packing, octets_of
from mektup.store.sqlite.tables.schema import CHUNK_BITS, CHUNK_BYTES
from mektup.store.sqlite.tables.text_blocks import LAST, Text
from mektup.terms.numbers import ContentId

LAST_CHUNK = (1 << CHUNK_BITS) - 1
"""The highest number of a chunk in a content: this chunk holds all remaining octets of a very large message."""

_CHUNK = f"SELECT {octets_of('k')} FROM chunks AS k WHERE k.id = ?"


def equip(connection: apsw.Connection) -> None:
    """Gives *connection* the functions for the columns of ``fetch``."""

    def long_header(content: int) -> bytes:
        return b"".join(header_pieces(connection.cursor(), ContentId(content)))

    add_function(connection, "long_header", 1, long_header)


def add(cursor: Cursor, content: int, arrival: Arrival, packing: Packing) -> None:
    """Stores a message's bytes and rendered values under the new ID *content*."""
    thread = threads.join(cursor, arrival.message_id, arrival.references, arrival.digest)
    cursor.execute(
        "INSERT INTO contents VALUES (?, ?, ?, ?, ?, ?)",
        (content, arrival.size, arrival.header_size, arrival.digest, arrival.envelope, thread),
    )
    cursor.execute("INSERT INTO structures VALUES (?, ?, ?, ?)", (content, *structure_of(arrival)))
    cursor.execute(
        "INSERT INTO texts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", (content, *texts_of(arrival))
    )
    for number, (start, stop) in enumerate(chunk_spans(arrival.size, arrival.header_size)):
        octets, packed = packing.packed(arrival.raw[start:stop])
        cursor.execute("INSERT INTO chunks VALUES (?, ?, ?)", (content << CHUNK_BITS | number, octets, packed))


def structure_of(arrival: Arrival) -> tuple[bytes, bytes, bytes]:
    """The row of ``structures`` without the content."""
    return arrival.body, arrival.bodystructure, arrival.layout


def texts_of(arrival: Arrival) -> tuple[str | int | None, ...]:
    """The row of ``texts`` without the content."""
    return (
        arrival.sent,
        arrival.sent_zone,
        arrival.subject,
        arrival.from_,
        arrival.to,
        arrival.cc,
        arrival.bcc,
        arrival.base_subject,
        arrival.is_reply,
        arrival.from_key,
        arrival.to_key,
        arrival.cc_key,
        arrival.display_from,
        arrival.display_to,
        arrival.message_id,
        " ".join(arrival.references),
        arrival.preview,
    )


def digest_of(pieces: Iterable[bytes]) -> bytes:
    """The digest of a message, given in *pieces*; as ``arrival.prepare`` computes it."""
    told = blake2b(digest_size=DIGEST_BYTES)
    for piece in pieces:
        told.update(piece)
    return told.digest()


def chunk_spans(size: int, header_size: int) -> Iterator[tuple[int, int]]:
    """The start and end of each chunk of a message; the first chunk ends at the end of the header or before."""
    stop = min(header_size, CHUNK_BYTES)
    yield 0, stop
    number = 0
    while stop < size:
        number += 1
        start, stop = stop, size if number == LAST_CHUNK else min(size, stop + CHUNK_BYTES)
        yield start, stop


def packed_again(cursor: Cursor, content: ContentId, text: Text, packing: Packing) -> list[tuple[int, bytes]]:
    """The chunks of *content* that its *text* makes smaller: their keys, and the octets to store."""
    if not packing.is_on:
        return []
    # only the first two chunks, because the others are mostly attachments
    sql = f"SELECT k.id, {octets_of('k')}, length(k.octets) FROM chunks AS k WHERE k.id BETWEEN ?1 AND ?1 | 1"
    found: list[tuple[int, bytes]] = []
    for chunk, octets, stored_bytes in cursor.execute(sql, (content << CHUNK_BITS,)):
        smaller = packing.against(text.body if chunk & 1 else text.headers, octets, stored_bytes)
        if smaller is not None:
            found.append((chunk, smaller))
    return found


def put_again(cursor: Cursor, chunks: Sequence[tuple[int, bytes]]) -> None:
    """Stores the result of ``packed_again``, in the transaction that stores the texts."""
    # an UPDATE would leave chunks between gaps; inserting them in order puts them together
    cursor.executemany("DELETE FROM chunks WHERE id = ?", ((chunk,) for chunk, _ in chunks))
    cursor.executemany(f"INSERT INTO chunks VALUES (?, ?, {AGAINST_TEXT})", chunks)


def spans(cursor: Cursor, content: ContentId, start: int, stop: int) -> list[tuple[int, int, int]]:
    """The key of each chunk with octets from *start* to *stop*, and the start and end of these octets in it.

    Raises Refused(EXPUNGEISSUED) when the content is gone.
    """
    found = cursor.execute("SELECT size, header_size FROM contents WHERE id = ?", (content,)).get
    if found is None:
        raise message_is_gone()
    size, header_size = found
    first = min(header_size, CHUNK_BYTES)
    start, stop = max(start, 0), min(stop, size)
    needed: list[tuple[int, int, int]] = []
    while start < stop:
        number = 0 if start < first else min(1 + (start - first) // CHUNK_BYTES, LAST_CHUNK)
        offset = 0 if number == 0 else first + (number - 1) * CHUNK_BYTES
        end = first if number == 0 else size if number == LAST_CHUNK else offset + CHUNK_BYTES
        needed.append((content << CHUNK_BITS | number, start - offset, min(stop, end) - offset))
        start = end
    return needed


def piece(cursor: Cursor, chunk: int, start: int, stop: int) -> bytes:
    """Octets *start* to *stop* of a chunk. Raises Refused(EXPUNGEISSUED) when it is gone."""
    octets: bytes | None = cursor.execute(_CHUNK, (chunk,)).get
    if octets is None:
        raise message_is_gone()
    return octets[start:stop]


def read(cursor: Cursor, content: ContentId, start: int, stop: int) -> Iterator[bytes]:
    """Octets *start* to *stop*, chunk by chunk."""
    for chunk, first, last in spans(cursor, content, start, stop):
        yield piece(cursor, chunk, first, last)


def header_pieces(cursor: Cursor, content: ContentId, most: int | None = None) -> Iterator[bytes]:
    """At most *most* octets of a message's header, with the empty line that ends it, chunk by chunk."""
    size = cursor.execute("SELECT header_size FROM contents WHERE id = ?", (content,)).get
    if size is None:
        raise message_is_gone()
    return read(cursor, content, 0, size if most is None else min(size, most))


def share(cursor: Cursor, contents: Iterable[int]) -> None:
    """Counts one more message for each of *contents*."""
    cursor.executemany(
        "INSERT INTO shared VALUES (?, 1) ON CONFLICT DO UPDATE SET copies = copies + 1", ((each,) for each in contents)
    )


def release(cursor: Cursor, contents: Iterable[int]) -> None:
    """Counts one message less for each of *contents*, which may repeat; frees contents without messages."""
    if cursor.execute("SELECT 1 FROM shared LIMIT 1").get is None:
        freed = [(content,) for content in contents]
    else:
        freed = [(content,) for content in contents if not _still_shared(cursor, content)]
    cursor.executemany("DELETE FROM contents WHERE id = ?", freed)
    cursor.executemany("DELETE FROM structures WHERE content = ?", freed)
    cursor.executemany("DELETE FROM texts WHERE content = ?", freed)
    # also a content that is not indexed, if its neighbour may be: the last of the two removes their document
    cursor.executemany(f"INSERT INTO freed SELECT ?1 WHERE ?1 <= {LAST} | 1", freed)
    cursor.executemany(
        f"DELETE FROM chunks WHERE id BETWEEN ?1 << {CHUNK_BITS} AND ?1 << {CHUNK_BITS} | {(1 << CHUNK_BITS) - 1}",
        freed,
    )


def _still_shared(cursor: Cursor, content: int) -> bool:
    copies = cursor.execute("UPDATE shared SET copies = copies - 1 WHERE content = ? RETURNING copies", (content,)).get
    if copies == 0:
        cursor.execute("DELETE FROM shared WHERE content = ?", (content,))
    return copies is not None
