"""Reads the next item while the present one is used: the store reads in a thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

from mektup.terms.errors import Refused

T = TypeVar("T")


async def ahead(source: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """The items of *source*, one of which is always being read already. Close it, as any generator."""
    next_one = _begin(source)
    try:
        while True:
            await asyncio.wait((next_one,))
            try:
                item = next_one.result()
            except StopAsyncIteration:
                return
            next_one = _begin(source)
            await asyncio.sleep(0)  # lets it begin
            yield item
    finally:
        next_one.cancel()
        with suppress(asyncio.CancelledError, StopAsyncIteration, Refused):
            await next_one
        await source.aclose()


def _begin(source: AsyncGenerator[T, None]) -> asyncio.Task[T]:
    async def read() -> T:
        return await anext(source)

    reading: Coroutine[Any, Any, T] = read()
    return asyncio.get_running_loop().create_task(reading)
