"""A file lends few connections at a time, and the longest waiting caller gets the next one that is given back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import apsw
import pytest

from mektup.store.open_files import OpenFiles
from mektup.store.sqlite.file.thread_connection import MOST_LENT, ThreadConnections
from mektup.store.threads import Threads


@pytest.fixture
async def threads() -> AsyncIterator[Threads]:
    threads = Threads()
    yield threads
    await threads.close()


@pytest.fixture
def spare(threads: Threads) -> ThreadConnections:
    return ThreadConnections(threads, OpenFiles(9, threads))


class Opened:
    """Opens connections to a file, and counts them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.connections: list[apsw.Connection] = []
        self.fails = False

    def __call__(self) -> apsw.Connection:
        if self.fails:
            raise apsw.CantOpenError
        self.connections.append(apsw.Connection(str(self._path)))
        return self.connections[-1]


@pytest.fixture
def connect(tmp_path: Path) -> Opened:
    return Opened(tmp_path / "file")


async def _begin(
    spare: ThreadConnections, connect: Callable[[], apsw.Connection], count: int
) -> list[asyncio.Task[apsw.Connection]]:
    """Starts *count* callers that want a connection; returns when as many as possible have one."""
    asking = [asyncio.create_task(spare.take(connect, at_once=False)) for _ in range(count)]
    await asyncio.gather(*asking[:MOST_LENT])
    return asking


async def test_many_callers_share_few_connections(spare: ThreadConnections, connect: Opened) -> None:
    asking = await _begin(spare, connect, 20)
    for each in asking:
        spare.give_back(await each)
    assert len(connect.connections) == MOST_LENT
    assert len(spare.part_with()) == MOST_LENT


async def test_a_writer_does_not_wait(spare: ThreadConnections, connect: Opened) -> None:
    await _begin(spare, connect, MOST_LENT)
    assert await spare.take(connect, at_once=True) not in connect.connections[:MOST_LENT]


async def test_a_writers_connection_is_not_lent_to_a_reader(spare: ThreadConnections, connect: Opened) -> None:
    *having, waiting = await _begin(spare, connect, MOST_LENT + 1)
    spare.give_back(await spare.take(connect, at_once=True))
    await asyncio.sleep(0)
    assert not waiting.done()
    spare.give_back(having[0].result())
    await waiting


async def test_the_longest_waiting_is_next(spare: ThreadConnections, connect: Opened) -> None:
    *having, first, second = await _begin(spare, connect, MOST_LENT + 2)
    spare.give_back(having[0].result())
    await first
    assert not second.done()


async def test_a_cancelled_caller_passes_its_connection_on(spare: ThreadConnections, connect: Opened) -> None:
    *having, first, second, third = await _begin(spare, connect, MOST_LENT + 3)
    second.cancel()
    spare.give_back(having[0].result())
    first.cancel()  # the caller got the connection, but has not run yet
    assert await third is having[0].result()
    assert first.cancelled()
    assert second.cancelled()


async def test_a_connection_with_an_open_transaction_is_closed_and_replaced(
    spare: ThreadConnections, connect: Opened
) -> None:
    *having, next_one = await _begin(spare, connect, MOST_LENT + 1)
    broken = having[0].result()
    broken.execute("BEGIN")
    spare.give_back(broken)
    assert await next_one is not broken
    with pytest.raises(apsw.ConnectionClosedError):
        broken.execute("SELECT 1")


async def test_a_failed_opening_does_not_block_others(spare: ThreadConnections, connect: Opened) -> None:
    connect.fails = True
    asking = [asyncio.create_task(spare.take(connect, at_once=False)) for _ in range(3 * MOST_LENT)]
    told = await asyncio.gather(*asking, return_exceptions=True)
    assert {type(each) for each in told} == {apsw.CantOpenError}
    connect.fails = False
    await _begin(spare, connect, MOST_LENT)


async def test_at_rest_one_connection_stays(spare: ThreadConnections, connect: Opened) -> None:
    for each in await _begin(spare, connect, MOST_LENT):
        spare.give_back(each.result())
    spare.shrink()
    assert len(spare.part_with()) == 1
