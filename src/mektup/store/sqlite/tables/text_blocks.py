"""Blocks of decoded and case-folded texts for SEARCH, compressed together.

Most texts are too short to compress well alone, and a search for a common word decompresses all of them. (It reads the
text of headers only where the body does not match.) Compressed messages need these texts (``chunk_compression``), so a
text stays as long as its message.

A block has the texts of neighbouring contents, and is rewritten when texts are added or removed. The highest content
of the last block is the mark: all existing contents up to it have their texts here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import apsw

from mektup.store.rules.packs import Octets, packed, unpacked
from mektup.store.sqlite.file.cursor import Cursor

TABLE: Final = """
CREATE TABLE search_texts (
    first INTEGER PRIMARY KEY,      -- the lowest content of the block; it may be removed
    last INTEGER NOT NULL,          -- the highest content of the block
    octets INTEGER NOT NULL,        -- octets of all texts in it
    bodies BLOB NOT NULL,           -- texts by content, packed
    headers BLOB NOT NULL           -- texts by content, packed
);
"""

BLOCK_BYTES: Final = 40 * 1024
"""The most octets of the texts in a block; one longer text is a block of its own."""

LEVEL: Final = 3
FULL_LEVEL: Final = 9
"""Levels of zstandard: the first for the last block, which is rewritten soon, the second for the others."""

LAST: Final = "ifnull((SELECT last FROM search_texts ORDER BY first DESC LIMIT 1), 0)"
"""SQL: the mark."""

_BLOCK_OF = "FROM search_texts WHERE first <= ? ORDER BY first DESC LIMIT 1"
"""SQL: the block that would have the texts of a content."""

Texts = Octets
"""Texts by content, in UTF-8."""


@dataclass(frozen=True, slots=True)
class Text:
    """The searchable texts of one message, in UTF-8."""

    content: int
    headers: bytes
    body: bytes

    @property
    def octets(self) -> int:
        """The octets of both texts."""
        return len(self.headers) + len(self.body)


def encode(text: str) -> bytes:
    """The stored form of *text*; searched texts need the same form."""
    return text.encode("utf-8", "surrogatepass")


class KeptTexts:
    """Reads texts on one connection. It may cache them, because a message's text never changes."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._last: dict[Callable[[Cursor, int], Texts], Texts] = {bodies: {}, headers: {}}
        """The texts of the block that was read last."""

    def body(self, content: int) -> bytes | None:
        """The text of the body; None where it is not stored."""
        return self._text(bodies, content)

    def headers(self, content: int) -> bytes | None:
        """The text of all headers; None where it is not stored."""
        return self._text(headers, content)

    def _text(self, read: Callable[[Cursor, int], Texts], content: int) -> bytes | None:
        text = self._last[read].get(content)
        if text is None:
            self._last[read] = read(self._connection.cursor(), content)
            text = self._last[read].get(content)
        return text


def bodies(cursor: Cursor, content: int) -> Texts:
    """The texts of bodies in the block of *content*; none where it is above the mark."""
    return _read(cursor, f"SELECT last, bodies {_BLOCK_OF}", content)


def headers(cursor: Cursor, content: int) -> Texts:
    """The texts of headers in the block of *content*; none where it is above the mark."""
    return _read(cursor, f"SELECT last, headers {_BLOCK_OF}", content)


def _read(cursor: Cursor, sql: str, content: int) -> Texts:
    found = cursor.execute(sql, (content,)).get
    return unpacked(found[1]) if found is not None and found[0] >= content else {}


def add(cursor: Cursor, texts: Sequence[Text]) -> None:
    """Adds *texts*, ordered by content, all above the mark; continues the last block if it is not full."""
    blocks = list(_blocks([*_taken_back(cursor), *texts]))
    for block in blocks:
        level = LEVEL if block is blocks[-1] else FULL_LEVEL
        bodies = packed({text.content: text.body for text in block}, level)
        headers = packed({text.content: text.headers for text in block}, level)
        cursor.execute(
            "INSERT INTO search_texts VALUES (?, ?, ?, ?, ?)",
            (block[0].content, block[-1].content, _octets(block), bodies, headers),
        )


def _taken_back(cursor: Cursor) -> list[Text]:
    """Removes the last block if it is not full, and returns its texts."""
    last = cursor.execute(
        "DELETE FROM search_texts WHERE first = (SELECT max(first) FROM search_texts) AND octets < ? "
        "RETURNING bodies, headers",
        (BLOCK_BYTES,),
    ).get
    if last is None:
        return []
    bodies, headers = map(unpacked, last)
    return [Text(content, headers[content], body) for content, body in bodies.items()]


def drop(cursor: Cursor, contents: Collection[int]) -> None:
    """Removes the texts of *contents*."""
    sql = f"SELECT first, bodies, headers {_BLOCK_OF}"
    for first, *columns in {cursor.execute(sql, (content,)).get for content in contents} - {None}:
        bodies, headers = (
            {content: text for content, text in unpacked(texts).items() if content not in contents} for texts in columns
        )
        if bodies:
            octets = sum(map(len, chain(bodies.values(), headers.values())))
            cursor.execute(
                "UPDATE search_texts SET octets = ?2, bodies = ?3, headers = ?4 WHERE first = ?1",
                (first, octets, packed(bodies, FULL_LEVEL), packed(headers, FULL_LEVEL)),
            )
        else:
            cursor.execute("DELETE FROM search_texts WHERE first = ?", (first,))


def _blocks(texts: Iterable[Text]) -> Iterator[list[Text]]:
    block: list[Text] = []
    for text in texts:
        if block and _octets(block) + text.octets > BLOCK_BYTES:
            yield block
            block = []
        block.append(text)
    if block:
        yield block


def _octets(texts: Iterable[Text]) -> int:
    return sum(text.octets for text in texts)
