"""The bus between nodes: notices go out and come in over a carrier, whose connection is kept up.

A notice that was sent but not confirmed is sent again after a reconnect. While there is no connection, the newest
notice of each mailbox is kept, up to a bound. Nothing waits for any of this. What other nodes said meanwhile is lost;
so ``missed`` is called every few seconds while the connection is down, and when it is up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence

from structlog.typing import FilteringBoundLogger

from mektup.store.notices import LOST, ONLY_LOST, Carrier, CarrierDown, Notices, add, payloads, unpacked
from mektup.terms.numbers import MAX_MODSEQ, AccountId, MailboxId, ModSeq

CONNECT_SECONDS = 5.0
SEND_SECONDS = 5.0
"""A carrier that does not confirm for so long is taken for dead."""
QUIET_SECONDS = 10.0
"""After so long without anything to send, the carrier is asked whether it is still there."""
CLOSE_SECONDS = 2.0
RETRY_SECONDS = (0.1, 2.0)
"""The first pause before another attempt to connect, and the longest."""
MISSED_SECONDS = 5.0
"""While the carrier is down, ``missed`` is called so often."""
MAX_KEPT = 100_000
"""Notices kept for a carrier that does not take them. More are dropped, and the other nodes are told so."""


class NodeBus:
    """This node on the bus of all nodes. It is an ``interface.Bus``."""

    def __init__(self, carrier: Carrier, log: FilteringBoundLogger) -> None:
        """Connects at ``start``; what is published before then waits."""
        self._carrier = carrier
        self._log = log
        self._lock = threading.Lock()
        self._pending: Notices = {}
        self._news = asyncio.Event()
        self._closing = asyncio.Event()
        self._ended = False
        """Whether the present connection is known to be gone."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._while_down: asyncio.TimerHandle | None = None
        self._changed: Callable[[AccountId, MailboxId, ModSeq | None], None] | None = None
        self._missed: Callable[[], None] | None = None
        self.is_up = False
        """Whether there is a connection now."""
        self.trouble = ""
        """Why there is none; empty where there is one, or was no attempt yet."""
        self.sent = 0
        """Notices sent and confirmed."""
        self.heard = 0
        """Notices received."""
        self.disconnects = 0

    def start(self, changed: Callable[[AccountId, MailboxId, ModSeq | None], None], missed: Callable[[], None]) -> None:
        """From now on *changed* is called in this event loop, once for each notice of another node.

        *missed* is called where notices may be lost.
        """
        self._loop = asyncio.get_running_loop()
        self._changed, self._missed = changed, missed
        self._await_connection()
        self._task = self._loop.create_task(self._run())

    def publish(self, account: AccountId, mailbox: MailboxId, modseq: ModSeq | None) -> None:
        """Tells the other nodes. May be called from any thread; never blocks, never raises."""
        with self._lock:
            first = not self._pending
            self._keep({(account, mailbox): modseq or MAX_MODSEQ})
        if first and self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._news.set)

    def publish_lost(self) -> None:
        """Tells the other nodes that notices of this one may be lost."""
        self.publish(*LOST, None)

    async def close(self) -> None:
        """Sends what is pending, if that is possible soon, and ends the connection."""
        self._closing.set()
        self._news.set()
        self._await_nothing()
        if self._task is not None:
            if self.is_up or self._pending:
                await asyncio.wait([self._task], timeout=CLOSE_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    # Within

    def _keep(self, notices: Notices) -> None:
        """Adds to what is pending, within the bound; the lock is held."""
        for key, modseq in notices.items():
            add(self._pending, key, modseq)
        if len(self._pending) > MAX_KEPT:
            self._pending = dict(ONLY_LOST)

    async def _run(self) -> None:
        pause, tried = RETRY_SECONDS[0], False
        # a command may end before there is a connection
        while not self._closing.is_set() or (self._pending and not tried):
            self._ended, tried = False, True
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    await self._carrier.open(self._hear, self._lose, self._end)
                self._note_up()
                pause = RETRY_SECONDS[0]
                await self._send_until_closed()
            except (CarrierDown, TimeoutError) as error:
                self._note_down(str(error) or "it does not answer")
            finally:
                self.is_up = False
                await self._carrier.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), pause)
            pause = min(pause * 2, RETRY_SECONDS[1])

    async def _send_until_closed(self) -> None:
        """Raises CarrierDown, TimeoutError."""
        while True:
            self._news.clear()
            if self._ended:
                raise CarrierDown("the connection ended")
            with self._lock:
                pending, self._pending = self._pending, {}
            if pending:
                await self._send_all(pending)
            elif self._closing.is_set():
                return
            else:
                try:
                    async with asyncio.timeout(QUIET_SECONDS):
                        await self._news.wait()
                except TimeoutError:
                    await self._send(())

    async def _send_all(self, pending: Notices) -> None:
        try:
            await self._send(payloads(pending))
        except BaseException:
            with self._lock:
                self._keep(pending)
            raise
        self.sent += len(pending)

    async def _send(self, octets: Sequence[bytes]) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._carrier.send(octets)

    # What the carrier says

    def _hear(self, payload: bytes) -> None:
        if self._changed is None or self._missed is None:
            return
        for key, modseq in unpacked(payload):
            self.heard += 1
            if key == LOST:
                self._missed()
            else:
                self._changed(*key, ModSeq(modseq) if modseq < MAX_MODSEQ else None)

    def _lose(self) -> None:
        if self._missed is not None:
            self._missed()

    def _end(self) -> None:
        self._ended = True
        self._news.set()

    # Up and down

    def _note_up(self) -> None:
        self.is_up = True
        if self.trouble:
            self._log.info("bus_is_back")
        self.trouble = ""
        self._await_nothing()
        self._lose()

    def _note_down(self, reason: str) -> None:
        if not self.trouble:
            self._log.warning("bus_is_down", reason=reason, consequence="changes of other nodes are seen later")
            self.disconnects += 1
            self._await_connection()
        self.trouble = reason

    def _await_connection(self) -> None:
        assert self._loop is not None
        self._await_nothing()
        if not self._closing.is_set():
            self._while_down = self._loop.call_later(MISSED_SECONDS, self._still_down)

    def _await_nothing(self) -> None:
        if self._while_down is not None:
            self._while_down.cancel()

    def _still_down(self) -> None:
        self._lose()
        self._await_connection()
