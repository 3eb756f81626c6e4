"""Values by number (a content or a UID), compressed together, because most are too short to compress alone."""

from __future__ import annotations

import msgspec
import zstandard

Octets = dict[int, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Octets).decode


class UnreadableError(ValueError):
    """Packed values have changed on the disk."""


def unpacked(packed: bytes) -> Octets:
    """The values in *packed*. Raises UnreadableError."""
    try:
        return _decode(zstandard.ZstdDecompressor().decompress(packed))
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise UnreadableError(str(error)) from error


def packed(octets: Octets, level: int) -> bytes:
    """*octets*, compressed with zstandard at *level*."""
    return zstandard.ZstdCompressor(level).compress(_encode(octets))
