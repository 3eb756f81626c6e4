"""Prepares the messages of an import; small ones in other processes, so that this one can store meanwhile."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections.abc import Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import chain
from types import TracebackType
from typing import Final, Self

import msgspec

from mektup.store.arrival import Arrival, Octets, prepare
from mektup.store.system import processors
from mektup.terms.limits import Limits

FEW_MESSAGES: Final = 1000
"""An import of fewer messages is over before other processes have started."""

MOST_PROCESSES: Final = 4
"""This process reads and stores no faster than so many prepare."""


class Preparing:
    """Prepares messages, for use in an ``async with``. *messages*: about how many there will be, where known."""

    def __init__(self, limits: Limits, messages: int | None) -> None:
        self._limits = limits
        self._processes: Executor | None = None
        self._count = min(MOST_PROCESSES, processors())
        self._wants_processes = messages is None or messages >= FEW_MESSAGES

    async def __aenter__(self) -> Self:
        if self._wants_processes:
            spawning = multiprocessing.get_context("spawn")
            self._processes = ProcessPoolExecutor(self._count, spawning, _begin)
            for _ in range(self._count):
                # each call starts a process: they start while the messages are listed
                self._processes.submit(_ready)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._processes is not None:
            await asyncio.to_thread(self._processes.shutdown, cancel_futures=True)

    async def arrivals(self, messages: Sequence[Octets]) -> list[Arrival]:
        """The Arrival of each of *messages*."""
        small = [each for each in messages if isinstance(each, bytes)]
        if self._processes is None or len(small) < len(messages):
            return await asyncio.to_thread(partial(_prepare_all, messages, self._limits))
        loop, size = asyncio.get_running_loop(), -(-len(small) // self._count)
        parts = [small[start : start + size] for start in range(0, len(small), size)]
        try:
            asked = [loop.run_in_executor(self._processes, _prepare_bare, part, self._limits) for part in parts]
            prepared = chain.from_iterable(await asyncio.gather(*asked))
        except BrokenProcessPool:
            # such as by a system without memory left: here it may still be possible
            self._processes = None
            return await asyncio.to_thread(partial(_prepare_all, messages, self._limits))
        return [msgspec.structs.replace(each, raw=raw) for each, raw in zip(prepared, small, strict=True)]


def _begin() -> None:
    """Makes a process end with its parent, whatever ends that, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    assert parent is not None
    threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _ready() -> None:
    """What a process is asked at first."""


def _end_with(parent: int) -> None:
    multiprocessing.connection.wait([parent])
    os._exit(1)


def _prepare_all(messages: Sequence[Octets], limits: Limits) -> list[Arrival]:
    return [prepare(each, limits) for each in messages]


def _prepare_bare(messages: Sequence[bytes], limits: Limits) -> list[Arrival]:
    """Without the octets, which the caller has."""
    return [msgspec.structs.replace(prepare(each, limits), raw=b"") for each in messages]
