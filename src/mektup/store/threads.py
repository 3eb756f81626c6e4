"""Where the store's slow work is done: threads for what waits for the disk, and others for what reads long.

They are apart so that searches, however many and long, never keep a delivery from being acknowledged. Every delivery
goes to a thread and back where the disk is slow, so those that wait for the disk have a queue of their own: a
``concurrent.futures`` executor costs four times as much as the rest of the way.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from mektup.store.searches import SEARCHES

T = TypeVar("T")

SYNCING_THREADS = 8
"""Each waits for the disk most of the time."""

INTERRUPT_SECONDS = 0.02

READING_THREADS = 2 * SEARCHES
"""So others than searches always find one."""

Over = Callable[[Any, BaseException | None], None]
"""Hears in the event loop what a piece of work came to: its result, or what it raised."""


class Caught:
    """Holds what is raised within, for those who wait for the outcome elsewhere: they raise it."""

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.error = error
        return True


class Threads:
    """The threads of one store. Work in a thread cannot be stopped: whoever is cancelled still waits for its end."""

    def __init__(self) -> None:
        self._syncing = _Crew(SYNCING_THREADS, "mektup-sync")
        self._reading = ThreadPoolExecutor(READING_THREADS, "mektup-read")

    async def sync(self, work: Callable[[], T]) -> T:
        """Does *work*, which writes or waits for the disk."""
        piece = _Piece(work)
        self._syncing.begin(piece.do, piece.over)
        return await piece.outcome()

    def begin_sync(self, work: Callable[[], object], over: Over) -> None:
        """As ``sync``, for who does not wait: *over* is called in the loop in any case."""
        self._syncing.begin(work, over)

    async def read(self, work: Callable[[], T], interrupt: Callable[[], None]) -> T:
        """Does *work*, which may take long; *interrupt* makes it end early when nobody waits for it any more."""
        return await _outcome(self._reading.submit(work), interrupt)

    async def close(self) -> None:
        """Waits for all that is under way."""
        await self._syncing.close()
        await asyncio.to_thread(partial(self._reading.shutdown, wait=True))


Work = tuple[Callable[[], object], Over]


class _Crew:
    """Threads, of which the one that was at work last is the next to be asked: what it needs is at hand.

    To be used from the event loop's thread.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._members: list[_Member] = []
        self._idle: list[_Member] = []
        self._waiting: deque[Work] = deque()
        self._is_closed = False
        self._all_idle = asyncio.Event()

    def begin(self, work: Callable[[], object], over: Over) -> None:
        """Raises RuntimeError once it is closed, and where the system has no thread."""
        if self._is_closed:
            raise RuntimeError("The threads have ended")
        if self._idle:
            self._idle.pop().queue.put((work, over))
        elif len(self._members) >= self._most or not self._start(work, over):
            self._waiting.append((work, over))

    def _start(self, work: Callable[[], object], over: Over) -> bool:
        member = _Member(f"{self._name}_{len(self._members)}", asyncio.get_running_loop(), self._rest)
        try:
            member.thread.start()
        except RuntimeError:
            if not self._members:
                raise
            return False
        self._members.append(member)
        member.queue.put((work, over))
        return True

    def _rest(self, member: _Member) -> None:
        if self._waiting:
            member.queue.put(self._waiting.popleft())
            return
        self._idle.append(member)
        if self._is_closed and len(self._idle) == len(self._members):
            self._all_idle.set()

    async def close(self) -> None:
        """Takes no more, and returns when all that has begun is done. May be called twice."""
        self._is_closed = True
        if len(self._idle) < len(self._members):
            await self._all_idle.wait()
        for member in self._members:
            member.queue.put(None)
            member.thread.join()


class _Member:
    """A thread, and its queue, which holds one piece of work at most."""

    __slots__ = ("_loop", "_rest", "queue", "thread")

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, rest: Callable[[_Member], None]) -> None:
        """*rest* is called in the *loop* when it has nothing to do."""
        self._loop = loop
        self._rest = rest
        self.queue: SimpleQueue[Work | None] = SimpleQueue()
        # a daemon: who forgets to close a store can end all the same
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        while (piece := self.queue.get()) is not None:
            work, over = piece
            result = None
            with Caught() as caught:
                result = work()
            with suppress(RuntimeError):  # where the loop has ended, nobody waits
                self._loop.call_soon_threadsafe(self._note_over, over, result, caught.error)
            del piece, work, over, result, caught  # nothing is kept alive until the next comes

    def _note_over(self, over: Over, result: object, raised: BaseException | None) -> None:
        self._rest(self)
        over(result, raised)


class _Piece(Generic[T]):
    """A piece of work that one task waits for."""

    __slots__ = ("_is_over", "_is_wanted", "_raised", "_result", "_waiter", "_work")

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._is_wanted = True
        self._is_over = False
        self._result: T | None = None
        self._raised: BaseException | None = None
        self._waiter = asyncio.get_running_loop().create_future()

    def do(self) -> T | None:
        """In the thread."""
        return self._work() if self._is_wanted else None

    def over(self, result: T | None, raised: BaseException | None) -> None:
        """In the loop."""
        self._is_over = True
        self._result, self._raised = result, raised
        if not self._waiter.done():
            self._waiter.set_result(None)

    async def outcome(self) -> T:
        """Returns or raises what the work did; when cancelled, not before the work has ended or will not begin."""
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._is_wanted = False
            while not self._is_over:
                self._waiter = asyncio.get_running_loop().create_future()
                with suppress(asyncio.CancelledError):  # what it uses is in use until it ends
                    await self._waiter
            raise
        if self._raised is not None:
            raise self._raised
        return self._result  # type: ignore[return-value]


async def _outcome(work: Future[T], interrupt: Callable[[], None]) -> T:
    future = asyncio.wrap_future(work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        work.cancel()  # where it has not begun
        while not future.done():
            interrupt()  # again and again: one that comes between two statements is lost
            try:
                await asyncio.wait((future,), timeout=INTERRUPT_SECONDS)
            except asyncio.CancelledError:
                continue  # its connection is in use until it ends, however often one is told to stop
        if not future.cancelled():
            future.exception()  # seen, and of no interest now
        raise
