"""Threads for the store's slow work: some wait for the disk, others do long reads.

They are separate, so that many long searches never delay the acknowledgement of a delivery. Where the disk is slow,
every delivery goes through a thread, and so does every slice of bodies. The threads use their own queues, because a
``concurrent.futures`` executor costs four times as much as the rest of the path.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from mektup.store.searches import SEARCHES

T = TypeVar("T")

SYNCING_THREADS = 8
"""Each of these threads waits for the disk most of the time."""

INTERRUPT_SECONDS = 0.02

READING_THREADS = 2 * SEARCHES
"""Twice the number of searches, so that other reads always find a thread."""

Over = Callable[[Any, BaseException | None], None]
"""Called in the event loop with the result of a piece of work, or with the exception that it raised."""


class Caught:
    """Catches any exception in its block and keeps it, for the code that waits for the outcome and raises it."""

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
    """The threads of one store. Work in a thread cannot be stopped, so a cancelled caller still waits for its end."""

    def __init__(self) -> None:
        self._syncing = _Crew(SYNCING_THREADS, "mektup-sync")
        self._reading = _Crew(READING_THREADS, "mektup-read")

    async def sync(self, work: Callable[[], T]) -> T:
        """Does *work*, which writes or waits for the disk."""
        return await _Piece(work).done_by(self._syncing)

    def begin_sync(self, work: Callable[[], object], over: Over) -> None:
        """Starts *work* as ``sync`` does, but does not wait. Always calls *over* in the loop at the end."""
        self._syncing.begin(work, over)

    async def read(self, work: Callable[[], T], interrupt: Callable[[], None]) -> T:
        """Does *work*, which may take long. Calls *interrupt* to end it early when the caller is cancelled."""
        return await _Piece(work).done_by(self._reading, interrupt)

    async def close(self) -> None:
        """Waits until all work has ended."""
        await self._syncing.close()
        await self._reading.close()


Work = tuple[Callable[[], object], Over]


class _Crew:
    """A pool of threads. The thread that worked last gets the next work, because its caches are warm.

    Use it only from the event loop's thread.
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
        """Starts *work*. Raises RuntimeError after ``close``, and where the system cannot start any thread."""
        if self._is_closed:
            raise RuntimeError("The threads have ended")
        if self._idle:
            self._idle.pop().queue.put((work, over))
        elif len(self._members) >= self._most or not self._start(work, over):
            self._waiting.append((work, over))

    def withdraw(self, work: Callable[[], object]) -> bool:
        """Removes *work* from the queue; false when a thread has it already. *over* is not called for it."""
        for waiting in self._waiting:
            if waiting[0] == work:
                self._waiting.remove(waiting)
                return True
        return False

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
        """Accepts no more work, and returns when all started work is done. May be called twice."""
        self._is_closed = True
        if len(self._idle) < len(self._members):
            await self._all_idle.wait()
        for member in self._members:
            member.queue.put(None)
            member.thread.join()


class _Member:
    """A thread and its queue, which holds at most one piece of work."""

    __slots__ = ("_loop", "_rest", "queue", "thread")

    def __init__(self, name: str, loop: asyncio.AbstractEventLoop, rest: Callable[[_Member], None]) -> None:
        """The member calls *rest* in *loop* when it has nothing to do."""
        self._loop = loop
        self._rest = rest
        self.queue: SimpleQueue[Work | None] = SimpleQueue()
        # a daemon, so that a process can end even where it did not close its store
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def _run(self) -> None:
        while (piece := self.queue.get()) is not None:
            work, over = piece
            result = None
            with Caught() as caught:
                result = work()
            with suppress(RuntimeError):  # the loop has ended, so nobody waits
                self._loop.call_soon_threadsafe(self._note_over, over, result, caught.error)
            del piece, work, over, result, caught  # keeps nothing alive while the thread waits for the next work

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
        """Does the work; runs in the thread."""
        return self._work() if self._is_wanted else None

    def over(self, result: T | None, raised: BaseException | None) -> None:
        """Takes the outcome; runs in the loop."""
        self._is_over = True
        self._result, self._raised = result, raised
        if not self._waiter.done():
            self._waiter.set_result(None)

    async def done_by(self, crew: _Crew, interrupt: Callable[[], None] | None = None) -> T:
        """Returns the work's result or raises its error. When cancelled, first waits until the work has ended.

        *interrupt* ends the work early. It is called repeatedly, because a call between two statements is lost.
        """
        crew.begin(self.do, self.over)
        try:
            await self._waiter
        except asyncio.CancelledError:
            self._is_wanted = False
            while not (self._is_over or crew.withdraw(self.do)):
                if interrupt is not None:
                    interrupt()
                self._waiter = asyncio.get_running_loop().create_future()
                with suppress(asyncio.CancelledError):  # the work uses its resources until it ends
                    await asyncio.wait((self._waiter,), timeout=None if interrupt is None else INTERRUPT_SECONDS)
            raise
        if self._raised is not None:
            raise self._raised
        return self._result  # type: ignore[return-value]
