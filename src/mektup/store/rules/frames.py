"""A large message as an object: frames of 256 KiB, each compressed by itself, so that a range can be read alone.

An object is a file of zstandard in its "seekable" format: one frame after the other, then a table of their sizes in a
frame that decompressors skip. So ``zstd -d`` gives the message, and an object can be read without a database. The
table is at the end because an upload begins before all sizes are known; the row that names the object has the sizes
too (``index_of``), so a range needs one request.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from struct import Struct, calcsize, pack, unpack
from typing import Final, NamedTuple

import zstandard

from mektup.store.rules.packs import UnreadableError
from mektup.terms.limits import KIB

FRAME_BYTES: Final = 256 * KIB
"""Octets of the message in each frame; the last one has the rest."""

_SKIPPED: Final = 0x184D2A5E
"""The number that a frame with a table begins with. It and the next are those of the seekable format."""

_SEEKABLE: Final = 0x8F92EAB1
_HEAD: Final = Struct("<II")
_FOOT: Final = Struct("<IBI")
_SIZE_BYTES: Final = calcsize("<I")


class Frame(NamedTuple):
    """A part of an object, and what is wanted of it."""

    start: int
    """Where it is in the object, in octets."""
    stop: int
    first: int
    """What is wanted of the octets in it."""
    last: int


def packed_frame(octets: bytes, level: int) -> bytes:
    """A frame of *octets*, at most FRAME_BYTES."""
    return zstandard.ZstdCompressor(level, write_checksum=True).compress(octets)


def unpacked_frame(frame: bytes | memoryview) -> bytes:
    """The octets in *frame*. Raises UnreadableError."""
    try:
        octets = zstandard.ZstdDecompressor().decompress(frame, max_output_size=FRAME_BYTES)
    except zstandard.ZstdError as error:
        raise UnreadableError(str(error)) from error
    if len(octets) > FRAME_BYTES:
        raise UnreadableError
    return octets


def index_of(sizes: Sequence[int]) -> bytes:
    """What the row keeps: the size of each frame in octets, in order."""
    return pack(f"<{len(sizes)}I", *sizes)


def table_of(sizes: Sequence[int], size: int) -> bytes:
    """The end of an object whose frames have *sizes*, for a message of *size* octets."""
    entries = [number for packed, held in zip(sizes, _held(size), strict=True) for number in (packed, held)]
    foot = _FOOT.pack(len(sizes), 0, _SEEKABLE)
    body = pack(f"<{len(entries)}I", *entries)
    return _HEAD.pack(_SKIPPED, len(body) + len(foot)) + body + foot


def frames_between(index: bytes, size: int, start: int, stop: int) -> list[Frame]:
    """The frames with octets *start* to *stop* (excluded) of a message of *size* octets. Raises UnreadableError."""
    if len(index) != _SIZE_BYTES * -(-size // FRAME_BYTES):
        raise UnreadableError(f"{len(index)} octets of sizes for a message of {size} octets")
    start, stop = max(start, 0), min(stop, size)
    if start >= stop:
        return []
    ends = [0, *accumulate(unpack(f"<{len(index) // _SIZE_BYTES}I", index))]
    return [
        Frame(
            ends[number],
            ends[number + 1],
            max(start - number * FRAME_BYTES, 0),
            min(stop - number * FRAME_BYTES, FRAME_BYTES),
        )
        for number in range(start // FRAME_BYTES, -(-stop // FRAME_BYTES))
    ]


def _held(size: int) -> list[int]:
    return [min(FRAME_BYTES, size - start) for start in range(0, size, FRAME_BYTES)]
