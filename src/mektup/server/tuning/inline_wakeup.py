"""The wake-up that a session awaits at its socket: a small reusable future that can resume its task at once.

A future of asyncio resumes its task in the next round of the event loop. With one command after the other, each answer
then costs one more round, and one more look at all sockets. When octets come, the loop runs nothing else, so the
session can go on at once.

``PlainWakeup`` is used where this is switched off (``tuning.inline_wakeup``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Protocol


class Wakeup(Protocol):
    """What a connection needs from both kinds."""

    @property
    def waits(self) -> bool:
        """Whether a task waits, and nothing has woken it yet."""

    def wake(self) -> None:
        """Lets the task go on in the next round of the loop, if one waits."""

    def wake_now(self) -> None:
        """Lets the task go on, if one waits. InlineWakeup does so before this returns."""

    def __await__(self) -> Generator[Any, None, None]: ...


class PlainWakeup:
    """Does the same with futures of asyncio: a task always goes on in the next round."""

    __slots__ = ("_future", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._future: asyncio.Future[None] | None = None

    @property
    def waits(self) -> bool:
        """See Wakeup."""
        return self._future is not None and not self._future.done()

    def wake(self) -> None:
        """See Wakeup."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    wake_now = wake

    def __await__(self) -> Generator[Any, None, None]:
        self._future = self._loop.create_future()
        yield from self._future.__await__()


class InlineWakeup:
    """Is awaited by one task at a time. asyncio treats any object with these attributes as a future."""

    __slots__ = ("_asyncio_future_blocking", "_cancelled", "_context", "_go_on", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._asyncio_future_blocking = False
        self._cancelled = False
        self._go_on: Callable[[InlineWakeup], object] | None = None
        self._context: Context | None = None

    @property
    def waits(self) -> bool:
        """Whether a task waits, and nothing has woken it yet."""
        return self._go_on is not None

    def wake(self) -> None:
        """Lets the task go on in the next round of the loop, if one waits."""
        go_on = self._go_on
        if go_on is not None:
            self._go_on = None
            self._loop.call_soon(go_on, self, context=self._context)

    def wake_now(self) -> None:
        """Lets the task go on before this returns, if one waits. Only callbacks of the loop may call it, not tasks."""
        go_on = self._go_on
        if go_on is not None:
            assert self._context is not None
            self._go_on = None
            self._context.run(go_on, self)

    def __await__(self) -> Generator[InlineWakeup, None, None]:
        self._cancelled = False
        self._asyncio_future_blocking = True
        yield self

    # What asyncio needs from a future

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop."""
        return self._loop

    def add_done_callback(self, go_on: Callable[[InlineWakeup], object], *, context: Context) -> None:
        """*go_on* is the task's next step."""
        self._go_on, self._context = go_on, context

    def cancel(self, msg: object = None) -> bool:
        """Cancels the wait; returns false if the task is woken already."""
        if self._go_on is None:
            return False
        self._cancelled = True
        self.wake()
        return True

    def result(self) -> None:
        """Returns nothing. Raises asyncio.CancelledError after ``cancel``."""
        if self._cancelled:
            raise asyncio.CancelledError
