"""How a message is prepared on its way in: one that costs much in a thread, so that nobody else waits for it.

What a message costs to look at does not depend on its size alone: a quarter of a megabyte of parts, or of addresses,
takes a second. So what looks as if it could cost more than a few milliseconds, or cannot be judged quickly, goes to one
of few threads. There are few because each of them takes turns with the event loop's.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from mektup.store.arrival import Arrival, Octets, prepare
from mektup.terms.limits import DEFAULT_LIMITS, KIB, Limits

LARGE_BYTES = 256 * KIB
"""A message of this size is always prepared in a thread."""

SMALL_BYTES = 4 * KIB
"""One of this size costs little, whatever it is."""

HEADER_BYTES = 8 * KIB
"""What all headers of a message, those of its parts included, may have together to cost little."""

FEW_DASHES = 100
"""How many lines that may be boundaries it may have."""

PREPARING_THREADS = 2

_threads = ThreadPoolExecutor(PREPARING_THREADS, "mektup-prepare")


async def prepare_in_turn(raw: Octets, limits: Limits = DEFAULT_LIMITS) -> Arrival:
    """``prepare(raw, limits)``, in a thread where that may take long."""
    if may_cost_much(raw):
        return await asyncio.get_running_loop().run_in_executor(_threads, prepare, raw, limits)
    return prepare(raw, limits)


def may_cost_much(raw: Octets) -> bool:
    """Whether *raw* is not known to be prepared within milliseconds; to ask takes a small part of that."""
    if len(raw) <= SMALL_BYTES:
        return False
    if len(raw) >= LARGE_BYTES or not isinstance(raw, bytes):
        return True
    stop = raw.find(b"\r\n\r\n", 0, HEADER_BYTES)
    if stop < 0:
        return True
    header = raw[:stop].lower()
    if b"multipart" not in header and b"message" not in header.replace(b"message-id", b""):
        return False  # what follows is no part, and is not looked at
    return _has_much_header(raw)


def _has_much_header(raw: bytes) -> bool:
    """Whether *raw* may have many parts, or long headers of parts."""
    octets = start = 0
    for _ in range(FEW_DASHES):
        stop = raw.find(b"\r\n\r\n", start, start + HEADER_BYTES)
        header = raw[start : stop if stop >= 0 else start + HEADER_BYTES]
        octets += len(header)
        # a message in a message has a header that no boundary tells of
        if octets > HEADER_BYTES or b"message/" in header.lower():
            return True
        start = raw.find(b"\n--", start + 1)
        if start < 0:
            return False
    return True
