"""What is freed between things that stay is given back."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from mektup.store.sqlite.heap import give_back

PIECES = 16_384
PIECE_BYTES = 4096


def resident() -> int:
    """Octets of memory that this process has at the moment."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that keeps it")
def test_memory_that_was_freed_is_given_back_though_some_of_it_stays() -> None:
    pieces = [bytes([number % 255 + 1]) * PIECE_BYTES for number in range(PIECES)]
    full = resident()
    kept = pieces[::100]
    del pieces
    give_back()
    assert resident() < full - PIECES * PIECE_BYTES * 3 // 4
    assert [piece[0] for piece in kept] == [number % 255 + 1 for number in range(0, PIECES, 100)]
