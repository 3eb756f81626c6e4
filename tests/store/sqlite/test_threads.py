"""Work that waits for the disk: the waiting caller gets its result, and closing always waits for its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator

import pytest

from mektup.store.threads import SYNCING_THREADS, Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    made = Threads()
    yield made
    await made.close()


async def test_the_result_or_error_of_the_work_is_passed_on(threads: Threads) -> None:
    def fail() -> None:
        raise OSError("no disk")

    assert await threads.sync(lambda: 7) == 7
    with pytest.raises(OSError, match="no disk"):
        await threads.sync(fail)
    assert await threads.sync(threading.get_ident) != threading.get_ident()


async def test_each_piece_has_a_thread_as_long_as_there_are_some(threads: Threads) -> None:
    all_there = threading.Barrier(SYNCING_THREADS, timeout=10)
    await asyncio.gather(*(threads.sync(all_there.wait) for _ in range(SYNCING_THREADS)))


async def test_a_cancelled_caller_waits_until_the_work_ends(threads: Threads) -> None:
    begun, may_end = threading.Event(), threading.Event()
    ended: list[bool] = []

    def work() -> None:
        begun.set()
        ended.append(may_end.wait(10))

    task = asyncio.create_task(threads.sync(work))
    await asyncio.to_thread(begun.wait, 10)
    for _ in range(3):
        task.cancel()
        done, _ = await asyncio.wait((task,), timeout=0)
        assert not done
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == [True]


async def test_cancelled_work_is_not_begun(threads: Threads) -> None:
    may_end = threading.Event()
    holding = [asyncio.create_task(threads.sync(lambda: may_end.wait(10))) for _ in range(SYNCING_THREADS)]
    begun: list[int] = []
    unwanted = asyncio.create_task(threads.sync(lambda: begun.append(1)))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.sleep(0)
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await unwanted
    assert await asyncio.gather(*holding) == [True] * SYNCING_THREADS
    assert begun == []


async def test_no_work_begins_after_the_end(threads: Threads) -> None:
    assert await threads.sync(lambda: True)
    await threads.close()
    with pytest.raises(RuntimeError):
        await threads.sync(lambda: True)
