"""The frames of a large message: any range is found, and what is damaged is never served."""

from __future__ import annotations

import io

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from mektup.store.rules.frames import (
    FRAME_BYTES,
    frames_between,
    index_of,
    packed_frame,
    table_of,
    unpacked_frame,
)
from mektup.store.rules.packs import UnreadableError

LEVEL = 1


def packed(message: bytes) -> tuple[bytes, bytes]:
    """The object of *message*, and what the row keeps of it."""
    frames = [packed_frame(message[at : at + FRAME_BYTES], LEVEL) for at in range(0, len(message), FRAME_BYTES)]
    sizes = [len(frame) for frame in frames]
    return b"".join(frames) + table_of(sizes, len(message)), index_of(sizes)


def message_of(size: int) -> bytes:
    return b"".join(b"%d," % number for number in range(size // 2))[:size].ljust(size, b".")


@given(
    size=st.integers(0, 3 * FRAME_BYTES + 2),
    start=st.integers(-2, 4 * FRAME_BYTES),
    stop=st.integers(0, 4 * FRAME_BYTES),
)
def test_a_range_is_what_a_slice_is(size: int, start: int, stop: int) -> None:
    message = message_of(size)
    octets, index = packed(message)
    frames = frames_between(index, size, start, stop)
    pieces = [unpacked_frame(octets[each.start : each.stop])[each.first : each.last] for each in frames]
    assert b"".join(pieces) == message[max(start, 0) : stop]
    assert all(pieces)


def test_any_decompressor_reads_an_object() -> None:
    message = message_of(2 * FRAME_BYTES + 5)
    octets, _ = packed(message)
    reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(octets), read_across_frames=True)
    assert reader.read(2 * len(message)) == message


def test_the_table_is_that_of_the_seekable_format() -> None:
    """As its description says: a frame that is skipped, pairs of sizes, their number, no checksums, and its mark."""
    octets, index = packed(message_of(FRAME_BYTES + 5))
    table = octets[-(8 + 2 * 8 + 9) :]
    assert table[:8] == bytes.fromhex("5e2a4d18") + (2 * 8 + 9).to_bytes(4, "little")
    assert table[8:12] + table[16:20] == index
    assert table[12:16] + table[20:24] == FRAME_BYTES.to_bytes(4, "little") + (5).to_bytes(4, "little")
    assert table[24:] == (2).to_bytes(4, "little") + b"\0" + bytes.fromhex("b1ea928f")


def test_a_changed_octet_is_noticed() -> None:
    octets, index = packed(message_of(1000))
    frame = octets[: int.from_bytes(index, "little")]
    for at in range(len(frame)):
        changed = frame[:at] + bytes([frame[at] ^ 0x55]) + frame[at + 1 :]
        with pytest.raises(UnreadableError):
            unpacked_frame(changed)


def test_a_frame_is_never_longer_than_a_frame() -> None:
    with pytest.raises(UnreadableError):
        unpacked_frame(packed_frame(bytes(FRAME_BYTES + 1), LEVEL))


@pytest.mark.parametrize("octets", [0, 3, 8, 12])
def test_a_row_that_does_not_fit_its_message_is_noticed(octets: int) -> None:
    with pytest.raises(UnreadableError):
        frames_between(bytes(octets), FRAME_BYTES, 0, 1)
