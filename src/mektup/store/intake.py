"""How a session has a message prepared: a large one off the loop, so that nobody else waits for it."""

from __future__ import annotations

import asyncio

from mektup.store.arrival import Arrival, Octets, prepare

LARGE_BYTES = 256 * 1024


async def prepare_in_turn(raw: Octets) -> Arrival:
    """``prepare(raw)``, in a thread where *raw* is large."""
    if len(raw) < LARGE_BYTES:
        return prepare(raw)
    return await asyncio.to_thread(prepare, raw)
