"""What a session waits for at its socket: a future in the small that is used again and again, and wakes at once.

A future of asyncio's lets its task go on in the next round of the event loop. For one command after the other that is a
round, and a look at all sockets, for every answer. When octets come, the loop runs nothing else, so the session may as
well go on there and then.

``PlainWakeup`` is for those who switch that off (``tuning.inline_wakeup``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from contextvars import Context
from typing import Any, Protocol


class Wakeup(Protocol):
    """What a connection asks of either kind."""

    @property
    def waits(self) -> bool:
        """Whether a task waits, and nothing has woken it yet."""

    def wake(self) -> None:
        """Lets the task go on in the next round of the loop, if one waits."""

    def wake_now(self) -> None:
        """Lets the task go on, if one waits: before this returns, where that can be."""

    def __await__(self) -> Generator[Any, None, None]: ...


class PlainWakeup:
    """Does the same with futures of asyncio's own: a task always goes on in the next round."""

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
    """To be awaited by one task at a time. asyncio takes whatever has these attributes for a future."""

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
        """Lets the task go on before this returns, if one waits. Only for what the loop itself calls, not for tasks."""
        go_on = self._go_on
        if go_on is not None:
            assert self._context is not None
            self._go_on = None
            self._context.run(go_on, self)

    def __await__(self) -> Generator[InlineWakeup, None, None]:
        self._cancelled = False
        self._asyncio_future_blocking = True
        yield self

    # What asyncio asks of a future

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Whose it is."""
        return self._loop

    def add_done_callback(self, go_on: Callable[[InlineWakeup], object], *, context: Context) -> None:
        """*go_on* is the task's next step."""
        self._go_on, self._context = go_on, context

    def cancel(self, msg: object = None) -> bool:
        """The task is cancelled; false when it is on its way already."""
        if self._go_on is None:
            return False
        self._cancelled = True
        self.wake()
        return True

    def result(self) -> None:
        """Nothing, or asyncio.CancelledError."""
        if self._cancelled:
            raise asyncio.CancelledError
