"""How a chunk is compressed: alone when it arrives, and behind the arrivals against the text of its own message.

Most of a message is text that is kept a second time, decoded and folded, for SEARCH to look into, and there it is
packed with its neighbours' (``text_blocks``). So when the indexer has put a message's text there, its chunks are packed
once more, by zstandard with that text as what went before: of a typical message little remains but what is no text.
Each still stands by itself, and takes as long to unpack as before, once its text is there. The price is paid by who
reads one message alone: the texts of its neighbours are unpacked with its own, some hundredths of a millisecond.
"""

from __future__ import annotations

from typing import Final

import apsw
import zstandard

from mektup.store.sqlite.file.cursor import add_function
from mektup.store.sqlite.file.errors import DamagedError
from mektup.store.sqlite.tables.schema import CHUNK_BITS, CHUNK_BYTES
from mektup.store.sqlite.tables.text_blocks import KeptTexts

AS_IT_IS: Final = 0
ALONE: Final = 1
AGAINST_TEXT: Final = 2
"""What ``chunks.packed`` says. The first chunk is packed against the text of the headers, others against the body's."""

LEAST_TEXT_BYTES: Final = 64
"""Of a text that is worth packing against."""

MOST_TEXT_BYTES: Final = CHUNK_BYTES
"""The same: so that a text is unpacked as soon as a chunk."""

WORTHWHILE: Final = 7 / 8
"""What is packed once more must become smaller than so much of what it was."""


class Packing:
    """Whether and how chunks are compressed."""

    def __init__(self, level: int | None) -> None:
        """*level* is zstandard's, None for not at all; what is stored stays readable whatever it is."""
        self._level = level

    @property
    def is_on(self) -> bool:
        """Whether anything is compressed."""
        return self._level is not None

    def packed(self, octets: bytes) -> tuple[bytes, int]:
        """What to store of a chunk that arrives, and how it is packed: only where that makes it smaller."""
        if self._level is None:
            return octets, AS_IT_IS
        smaller = zstandard.ZstdCompressor(self._level, write_checksum=True).compress(octets)
        return (smaller, ALONE) if len(smaller) < len(octets) else (octets, AS_IT_IS)

    def against(self, text: bytes, octets: bytes, stored_bytes: int) -> bytes | None:
        """What to store as AGAINST_TEXT; None where that is not worthwhile, beside the *stored_bytes* of now."""
        if self._level is None or not LEAST_TEXT_BYTES <= len(text) <= MOST_TEXT_BYTES:
            return None
        smaller = zstandard.ZstdCompressor(self._level, dict_data=_before(text), write_checksum=True).compress(octets)
        return smaller if len(smaller) < stored_bytes * WORTHWHILE else None


def octets_of(table: str) -> str:
    """The octets of a row of chunks, unpacked where they are compressed."""
    return (
        f"CASE {table}.packed WHEN {AS_IT_IS} THEN {table}.octets WHEN {ALONE} THEN unpack({table}.octets) "
        f"ELSE unpack_against_text({table}.octets, {table}.id) END"
    )


def equip(connection: apsw.Connection, texts: KeptTexts) -> None:
    """Gives *connection* the functions that unpack chunks."""

    def unpack_against_text(octets: bytes, chunk: int) -> bytes:
        content, number = chunk >> CHUNK_BITS, chunk & (1 << CHUNK_BITS) - 1
        text = texts.body(content) if number else texts.headers(content)
        if text is None:
            raise DamagedError(f"content {content} is packed against a text that is not there")
        return _unpacked(zstandard.ZstdDecompressor(dict_data=_before(text)), octets)

    add_function(connection, "unpack", 1, _unpack)
    add_function(connection, "unpack_against_text", 2, unpack_against_text)


def _unpack(octets: bytes) -> bytes:
    # A decompressor is not to be shared by threads, and cheap beside what it does.
    return _unpacked(zstandard.ZstdDecompressor(), octets)


def _unpacked(decompressor: zstandard.ZstdDecompressor, octets: bytes) -> bytes:
    try:
        return decompressor.decompress(octets, max_output_size=2 * CHUNK_BYTES)
    except zstandard.ZstdError as error:
        raise DamagedError(f"a compressed piece of a message cannot be unpacked: {error}") from error


def _before(text: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(text, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
