"""Compression of chunks: alone on arrival, and later, in the background, with the message's own text as a dictionary.

Most of a message is text, of which a decoded and case-folded copy is kept for SEARCH, compressed together with those
of neighbouring messages (``text_blocks``). When the indexer has stored this copy, it compresses the message's chunks
again, with the copy as zstandard's dictionary. Of a typical message, little more than the parts that are not text
remains. Each chunk can still be decompressed by itself, as fast as before once the copy is available. The cost: reading
a single message decompresses the texts of its neighbours, too, which takes some hundredths of a millisecond.
"""

from __future__ import annotations

from typing import Final

import apsw
import zstandard

from mektup.store.sqlite.file.cursor import add_function
from mektup.store.sqlite.file.errors import DamagedError
from mektup.store.sqlite.tables.schema import CHUNK_BITS, CHUNK_BYTES
from mektup.store.sqlite.tables.text_blocks import KeptTexts
from mektup.store.texts import CANNOT_DECOMPRESS, TEXT_MISSING

AS_IT_IS: Final = 0
ALONE: Final = 1
AGAINST_TEXT: Final = 2
"""The values of ``chunks.packed``. The first chunk uses the text of the headers, the others that of the body."""

LEAST_TEXT_BYTES: Final = 64
"""The shortest text that is used as a dictionary."""

MOST_TEXT_BYTES: Final = CHUNK_BYTES
"""The longest text that is used as a dictionary, so that reading it is as fast as reading a chunk."""

WORTHWHILE: Final = 7 / 8
"""A chunk is replaced where its new size is below this fraction of the old one."""


class Packing:
    """The compression of chunks."""

    def __init__(self, level: int | None) -> None:
        """*level* is zstandard's, None for no compression; stored chunks stay readable with any level."""
        self._level = level

    @property
    def is_on(self) -> bool:
        """Whether chunks are compressed."""
        return self._level is not None

    def packed(self, octets: bytes) -> tuple[bytes, int]:
        """The octets to store for a new chunk, and their kind of compression; compresses only if that saves space."""
        if self._level is None:
            return octets, AS_IT_IS
        smaller = zstandard.ZstdCompressor(self._level, write_checksum=True).compress(octets)
        return (smaller, ALONE) if len(smaller) < len(octets) else (octets, AS_IT_IS)

    def against(self, text: bytes, octets: bytes, stored_bytes: int) -> bytes | None:
        """The octets to store as AGAINST_TEXT; None where that saves too little compared with *stored_bytes*."""
        if self._level is None or not LEAST_TEXT_BYTES <= len(text) <= MOST_TEXT_BYTES:
            return None
        smaller = zstandard.ZstdCompressor(self._level, dict_data=_before(text), write_checksum=True).compress(octets)
        return smaller if len(smaller) < stored_bytes * WORTHWHILE else None


def octets_of(table: str) -> str:
    """SQL for the decompressed octets of a row of chunks."""
    return (
        f"CASE {table}.packed WHEN {AS_IT_IS} THEN {table}.octets WHEN {ALONE} THEN unpack({table}.octets) "
        f"ELSE unpack_against_text({table}.octets, {table}.id) END"
    )


def equip(connection: apsw.Connection, texts: KeptTexts) -> None:
    """Gives *connection* the functions that decompress chunks."""

    def unpack_against_text(octets: bytes, chunk: int) -> bytes:
        content, number = chunk >> CHUNK_BITS, chunk & (1 << CHUNK_BITS) - 1
        text = texts.body(content) if number else texts.headers(content)
        if text is None:
            raise DamagedError(TEXT_MISSING.of(content=content))
        return _unpacked(zstandard.ZstdDecompressor(dict_data=_before(text)), octets)

    add_function(connection, "unpack", 1, _unpack)
    add_function(connection, "unpack_against_text", 2, unpack_against_text)


def _unpack(octets: bytes) -> bytes:
    # threads cannot share a decompressor; a new one costs little compared with its work
    return _unpacked(zstandard.ZstdDecompressor(), octets)


def _unpacked(decompressor: zstandard.ZstdDecompressor, octets: bytes) -> bytes:
    try:
        return decompressor.decompress(octets, max_output_size=2 * CHUNK_BYTES)
    except zstandard.ZstdError as error:
        raise DamagedError(CANNOT_DECOMPRESS.of(error=error)) from error


def _before(text: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(text, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
