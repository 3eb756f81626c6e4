"""Work in a thread that asks the event loop in between, such as a sort that reads columns."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")


class Bridge:
    """The way back to the loop, for the thread of one piece of work."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._lock = Lock()
        self._pending: Future[Any] | None = None
        self._is_stopped = False

    def ask(self, question: Coroutine[Any, Any, T]) -> T:
        """The result of *question*, which runs in the loop. Raises CancelledError where nobody waits any more."""
        with self._lock:
            if self._is_stopped:
                question.close()
                raise CancelledError
            pending: Future[T] = asyncio.run_coroutine_threadsafe(question, self._loop)
            self._pending = pending
        return pending.result()

    def stop(self) -> None:
        """Ends the work at its next question."""
        with self._lock:
            self._is_stopped = True
            if self._pending is not None:
                self._pending.cancel()


async def in_thread(work: Callable[[Bridge], T]) -> T:
    """The result of *work*, which runs in a thread. Where this is cancelled, the work ends at its next question."""
    bridge = Bridge(asyncio.get_running_loop())
    try:
        return await asyncio.to_thread(work, bridge)
    finally:
        bridge.stop()
