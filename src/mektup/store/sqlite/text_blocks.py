"""The texts that SEARCH looks into, decoded and case-folded, kept some together: by themselves most are too short to
compress well, and a search for a common word unpacks them all. (Those of headers only where it is not in the body.)

A block holds the texts of neighbouring contents and is written anew when something is added or taken out. The highest
content of the last block is the mark up to which all contents have their texts here that are still there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

import msgspec
import zstandard

from mektup.store.sqlite.cursor import Cursor

TABLE: Final = """
CREATE TABLE search_texts (
    first INTEGER PRIMARY KEY,      -- the lowest content that it was made for; it may be gone
    last INTEGER NOT NULL,          -- the highest
    octets INTEGER NOT NULL,        -- of all texts in it
    bodies BLOB NOT NULL,           -- texts by content, packed
    headers BLOB NOT NULL           -- the same
);
"""

BLOCK_BYTES: Final = 32 * 1024
"""Octets of the texts in a block at most, but that one longer text is a block by itself."""

LEVEL: Final = 3
"""Of zstandard."""

LAST: Final = "ifnull((SELECT last FROM search_texts ORDER BY first DESC LIMIT 1), 0)"
"""SQL: the mark."""

_BLOCK_OF = "FROM search_texts WHERE first <= ? ORDER BY first DESC LIMIT 1"
"""Where the texts of a content are, if they are anywhere."""

Texts = dict[int, bytes]
"""By content, in UTF-8."""


@dataclass(frozen=True, slots=True)
class Text:
    """What one message has to be searched, in UTF-8."""

    content: int
    headers: bytes
    body: bytes

    @property
    def octets(self) -> int:
        """Of both."""
        return len(self.headers) + len(self.body)


def encode(text: str) -> bytes:
    """*text* as it is kept, and as what is sought in it must be."""
    return text.encode("utf-8", "surrogatepass")


def bodies(cursor: Cursor, content: int) -> Texts:
    """Those in the block that *content* is in; none where it is above the mark."""
    return _read(cursor, f"SELECT last, bodies {_BLOCK_OF}", content)


def headers(cursor: Cursor, content: int) -> Texts:
    """The same."""
    return _read(cursor, f"SELECT last, headers {_BLOCK_OF}", content)


def _read(cursor: Cursor, sql: str, content: int) -> Texts:
    found = cursor.execute(sql, (content,)).get
    return _unpacked(found[1]) if found is not None and found[0] >= content else {}


def add(cursor: Cursor, texts: Sequence[Text]) -> None:
    """Adds *texts*, by content, all above the mark; what does not fill a block goes on in the last one."""
    sql = "SELECT first, octets, bodies, headers FROM search_texts ORDER BY first DESC LIMIT 1"
    last = cursor.execute(sql).get
    for block in _blocks(texts):
        first, octets = block[0].content, _octets(block)
        bodies = {text.content: text.body for text in block}
        headers = {text.content: text.headers for text in block}
        if last is not None and last[1] + octets <= BLOCK_BYTES:
            first, octets = last[0], last[1] + octets
            bodies = _unpacked(last[2]) | bodies
            headers = _unpacked(last[3]) | headers
        cursor.execute(
            "INSERT OR REPLACE INTO search_texts VALUES (?, ?, ?, ?, ?)",
            (first, block[-1].content, octets, _packed(bodies), _packed(headers)),
        )
        last = None


def drop(cursor: Cursor, contents: Collection[int]) -> None:
    """Takes out the texts of *contents*."""
    sql = f"SELECT first, bodies, headers {_BLOCK_OF}"
    for first, *packed in {cursor.execute(sql, (content,)).get for content in contents} - {None}:
        bodies, headers = (
            {content: text for content, text in _unpacked(texts).items() if content not in contents} for texts in packed
        )
        if bodies:
            octets = sum(map(len, chain(bodies.values(), headers.values())))
            cursor.execute(
                "UPDATE search_texts SET octets = ?2, bodies = ?3, headers = ?4 WHERE first = ?1",
                (first, octets, _packed(bodies), _packed(headers)),
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


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Texts).decode


def _unpacked(packed: bytes) -> Texts:
    return _decode(zstandard.ZstdDecompressor().decompress(packed))


def _packed(texts: Texts) -> bytes:
    return zstandard.ZstdCompressor(LEVEL).compress(_encode(texts))
