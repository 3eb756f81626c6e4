"""Prepares received messages; an expensive one in a thread, so that no other client waits.

The cost does not depend on the size alone: 256 KiB of parts or of addresses take a second. A message that may cost
more than a few milliseconds, or that cannot be judged quickly, goes to one of a few threads. They are few because each
of them competes with the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from mektup.message.binary_parts import without_binary
from mektup.store.arrival import Arrival, Octets, prepare
from mektup.store.spool import MEMORY_BYTES, Spool
from mektup.terms.limits import DEFAULT_LIMITS, KIB, Limits

LARGE_BYTES = 256 * KIB
"""A message of this size is always prepared in a thread."""

SMALL_BYTES = 4 * KIB
"""A message of this size is always cheap."""

HEADER_BYTES = 8 * KIB
"""The most octets of all headers of a cheap message, with those of its parts."""

FEW_DASHES = 100
"""The most lines of a cheap message that may be boundaries."""

PREPARING_THREADS = 2

_threads = ThreadPoolExecutor(PREPARING_THREADS, "mektup-prepare")


async def prepare_in_turn(raw: Octets, limits: Limits = DEFAULT_LIMITS) -> Arrival:
    """Returns ``prepare(raw, limits)``; runs it in a thread where it may take long."""
    if may_cost_much(raw):
        return await asyncio.get_running_loop().run_in_executor(_threads, prepare, raw, limits)
    return prepare(raw, limits)


async def spool_without_binary(raw: Octets, spool: Callable[[int], Spool], limits: Limits = DEFAULT_LIMITS) -> Spool:
    """A spool with ``without_binary(raw)``; filled in a thread where that may take long.

    *spool* makes it, with the most octets that it holds in memory. The memory that spools share is not for threads.
    """
    if not may_cost_much(raw):
        return _filled(spool(MEMORY_BYTES), raw, limits)
    return await asyncio.get_running_loop().run_in_executor(_threads, _filled, spool(0), raw, limits)


def _filled(spool: Spool, raw: Octets, limits: Limits) -> Spool:
    for piece in without_binary(raw, limits):
        spool.write(piece)
    return spool


def may_cost_much(raw: Octets) -> bool:
    """Whether preparing *raw* may take more than milliseconds. The check itself is much cheaper."""
    if len(raw) <= SMALL_BYTES:
        return False
    if len(raw) >= LARGE_BYTES or not isinstance(raw, bytes):
        return True
    stop = raw.find(b"\r\n\r\n", 0, HEADER_BYTES)
    if stop < 0:
        return True
    header = raw[:stop].lower()
    if b"multipart" not in header and b"message" not in header.replace(b"message-id", b""):
        return False  # the body has no parts and is not parsed
    return _has_much_header(raw)


def _has_much_header(raw: bytes) -> bool:
    """Whether *raw* may have many parts, or parts with long headers."""
    octets = start = 0
    for _ in range(FEW_DASHES):
        stop = raw.find(b"\r\n\r\n", start, start + HEADER_BYTES)
        header = raw[start : stop if stop >= 0 else start + HEADER_BYTES]
        octets += len(header)
        # an embedded message has a header without a boundary before it
        if octets > HEADER_BYTES or b"message/" in header.lower():
            return True
        start = raw.find(b"\n--", start + 1)
        if start < 0:
            return False
    return True
