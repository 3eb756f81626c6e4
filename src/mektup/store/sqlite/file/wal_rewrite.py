"""Rewrites the WAL after the system failed to sync it to disk.

When an fdatasync fails, Linux marks the pages that it could not write as clean: the next fdatasync succeeds, but the
pages are still not on disk (docs/decisions/0005). So a failed sync is never just repeated. The WAL is read from the
page cache, checked by the checksums that SQLite chains through it, and written in place. The system then treats these
pages as new, and a successful sync means that they are on disk. The caller holds SQLite's write lock meanwhile, so
nobody appends to the WAL or starts it over.
"""

from __future__ import annotations

import contextlib
import os
import sys
from array import array
from collections.abc import Callable
from pathlib import Path

from mektup.store import system, texts
from mektup.store.sqlite.file.errors import DamagedError

HEADER_BYTES = 32
FRAME_HEADER_BYTES = 24
_MASK = 0xFFFFFFFF


def rewrite_wal(database: Path, header: bytes) -> int:
    """Writes all committed frames in the WAL of *database* to disk; returns a descriptor of the WAL.

    *header* is the header of the WAL-index. Raises OSError where the disk fails again, DamagedError where the page
    cache has lost frames.
    """
    page_bytes = _page_bytes(header)
    frames = int.from_bytes(header[16:20], sys.byteorder)
    with contextlib.ExitStack() as failing:
        file = os.open(f"{database}-wal", os.O_RDWR)
        failing.callback(os.close, file)
        if frames:
            octets = _read(file, HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_bytes))
            if _checksum(octets, page_bytes) != _words(header[24:32]):
                raise DamagedError(texts.WAL_LOST)
            _write(file, octets)
        system.sync_data(file)
        failing.pop_all()
    return file


def lost_commits(database: Path, header: Callable[[], bytes]) -> int:
    """How many commits in the WAL of the open *database* come after the part that SQLite found valid.

    A bit of the WAL has changed, unless the machine lost power. It matters only where the WAL-index was made from the
    WAL, and nothing was committed since. A single commit at the end is not counted: it may also be the rest of a commit
    of a process that was killed before it named the commit in the WAL-index, and that another process has overwritten
    in part. *header* reads the header of the WAL-index. Raises OSError.
    """
    before = header()
    if before[8:12] != bytes(4):  # iChange: the number of commits since the WAL-index was made
        return 0
    page_bytes = _page_bytes(before)
    frames = int.from_bytes(before[16:20], sys.byteorder)
    file = os.open(f"{database}-wal", os.O_RDONLY | system.CLOSE_ON_EXEC)
    try:
        start = HEADER_BYTES + frames * (FRAME_HEADER_BYTES + page_bytes)
        commits = _broken_commits(file, start, before, page_bytes)
    finally:
        os.close(file)
    # a different header means that somebody wrote meanwhile
    return commits if commits > 1 and header() == before else 0


def _broken_commits(file: int, start: int, header: bytes, page_bytes: int) -> int:
    """The commits from *start* on, without those at the beginning whose checksums are right.

    A killed process leaves these, if it had written a commit and not named it in the WAL-index yet.
    """
    step, size = FRAME_HEADER_BYTES + page_bytes, os.fstat(file).st_size
    if start + step > size:
        return 0
    of_wal = os.pread(file, HEADER_BYTES, 0)
    swap = _is_swapped(of_wal)
    known = _pair(of_wal[24:32]) if start == HEADER_BYTES else _words(header[24:32])
    is_right, commits = True, 0
    while start + step <= size:
        frame = os.pread(file, step if is_right else FRAME_HEADER_BYTES, start)
        if frame[8:16] != header[32:40]:
            break  # its salt belongs to an earlier use of the WAL
        if is_right:
            known = _frame_sum(frame, *known, swap=swap)
            is_right = _pair(frame[16:24]) == known
        commits += not is_right and frame[4:8] != bytes(4)  # the size of the database after a commit
        start += step
    return commits


def _page_bytes(header: bytes) -> int:
    # szPage of SQLite's "WAL-index header", 1 for 65536, in the machine's byte order
    octets = int.from_bytes(header[14:16], sys.byteorder)
    return 65536 if octets == 1 else octets


def _read(file: int, octets: int) -> bytes:
    pieces: list[bytes] = []
    done = 0
    while done < octets and (piece := os.pread(file, octets - done, done)):
        pieces.append(piece)
        done += len(piece)
    if done < octets:
        raise DamagedError(texts.WAL_TOO_SHORT)
    return b"".join(pieces)


def _write(file: int, octets: bytes) -> None:
    left = memoryview(octets)
    while left:
        left = left[os.pwrite(file, left, len(octets) - len(left)) :]


def _checksum(octets: bytes, page_bytes: int) -> tuple[int, int]:
    """The running checksum after the last frame; (0, 0) where a frame has another checksum."""
    swap = _is_swapped(octets)
    first, second = _sum(octets[:24], 0, 0, swap=swap)
    if _pair(octets[24:32]) != (first, second):
        return 0, 0
    step = FRAME_HEADER_BYTES + page_bytes
    for start in range(HEADER_BYTES, len(octets), step):
        frame = octets[start : start + step]
        first, second = _frame_sum(frame, first, second, swap=swap)
        if _pair(frame[16:24]) != (first, second):
            return 0, 0
    return first, second


def _is_swapped(header: bytes) -> bool:
    """Whether the checksums of a WAL with that *header* are of words in the other byte order than this machine's."""
    # the last bit of the magic number gives the byte order of the words
    return (header[3] & 1 == 1) != (sys.byteorder == "big")


def _frame_sum(frame: bytes, first: int, second: int, *, swap: bool) -> tuple[int, int]:
    """The running checksum after *frame*."""
    first, second = _sum(frame[:8], first, second, swap=swap)
    return _sum(frame[FRAME_HEADER_BYTES:], first, second, swap=swap)


def _pair(octets: bytes) -> tuple[int, int]:
    return int.from_bytes(octets[:4]), int.from_bytes(octets[4:8])


def _words(octets: bytes) -> tuple[int, int]:
    return int.from_bytes(octets[:4], sys.byteorder), int.from_bytes(octets[4:8], sys.byteorder)


def _sum(octets: bytes, first: int, second: int, *, swap: bool) -> tuple[int, int]:
    words = array("I", octets)
    if swap:
        words.byteswap()
    pairs = iter(words)
    for word, other in zip(pairs, pairs, strict=True):
        first = (first + word + second) & _MASK
        second = (second + other + first) & _MASK
    return first, second
