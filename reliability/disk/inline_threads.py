"""A store without threads: everything runs in the event loop, which saves the time of waking threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TypeVar
from unittest.mock import patch

from mektup.store.threads import Caught, Over, Threads

T = TypeVar("T")


async def _sync(threads: Threads, work: Callable[[], T]) -> T:
    return work()


async def _read(threads: Threads, work: Callable[[], T], interrupt: Callable[[], None]) -> T:
    return work()


def _begin_sync(threads: Threads, work: Callable[[], object], over: Over) -> None:
    result = None
    with Caught() as caught:
        result = work()
    asyncio.get_running_loop().call_soon(partial(over, result, caught.error))


@contextmanager
def inline_threads() -> Iterator[None]:
    """A block in which the work of all stores runs in the loop."""
    with patch.multiple(Threads, sync=_sync, read=_read, begin_sync=_begin_sync):
        yield
