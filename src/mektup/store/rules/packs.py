"""Octets by number, of a content or a UID, many of them packed together: by themselves most are too short for it."""

from __future__ import annotations

import msgspec
import zstandard

Octets = dict[int, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Octets).decode


def unpacked(packed: bytes) -> Octets:
    """What was packed."""
    return _decode(zstandard.ZstdDecompressor().decompress(packed))


def packed(octets: Octets, level: int) -> bytes:
    """*octets*, compressed; *level* is zstandard's."""
    return zstandard.ZstdCompressor(level).compress(_encode(octets))
