"""zstandard, for what a backup stores: each object and each file by itself, with a checksum."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import zstandard

from mektup.backup import texts
from mektup.backup.damage import Damage

LEVEL: Final = 3


class Packer:
    """Compresses one after the other; making a compressor takes longer than compressing a short message."""

    def __init__(self) -> None:
        self._compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=True)

    def packed(self, octets: bytes) -> bytes:
        """*octets* compressed."""
        return self._compressor.compress(octets)


def packed(octets: bytes) -> bytes:
    """*octets* compressed."""
    return Packer().packed(octets)


def unpacked(octets: bytes, most: int) -> bytes:
    """The original of *octets*, which may have at most *most* octets. Raises Damage."""
    try:
        if zstandard.frame_content_size(octets) > most:
            raise Damage(texts.OTHER_OCTETS)
        return zstandard.ZstdDecompressor().decompress(octets, max_output_size=most + 1)
    except zstandard.ZstdError as error:
        raise Damage(texts.CANNOT_DECOMPRESS.of(error=error)) from error


class PackStream:
    """Compresses octets that come in pieces."""

    def __init__(self, size: int) -> None:
        """*size* is the sum of the octets that will come."""
        self._compressor = zstandard.ZstdCompressor(LEVEL, write_checksum=True).compressobj(size=size)

    def add(self, piece: bytes) -> bytes:
        """The compressed octets that are ready."""
        return self._compressor.compress(piece)

    def end(self) -> bytes:
        """The last compressed octets. Raises Damage where not *size* octets came."""
        try:
            return self._compressor.flush()
        except zstandard.ZstdError as error:
            raise Damage(texts.OTHER_OCTETS) from error


def unpack_stream(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The original of *pieces*, in pieces. Raises Damage."""
    decompressor = zstandard.ZstdDecompressor().decompressobj(write_size=1 << 20)
    try:
        for piece in pieces:
            yield decompressor.decompress(piece)
    except zstandard.ZstdError as error:
        raise Damage(texts.CANNOT_DECOMPRESS.of(error=error)) from error
