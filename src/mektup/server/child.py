"""One worker process as its parent sees it: the parent starts, watches and ends it, and asks it for reports."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable

from structlog.typing import FilteringBoundLogger

from mektup.server import texts
from mektup.server.channel import (
    Asked,
    AskReport,
    Channel,
    Failed,
    Message,
    Ping,
    Pong,
    Prepared,
    Ready,
    Reported,
    Start,
    channel_pair,
)
from mektup.server.config import Config, ConfigError
from mektup.server.control.messages import Question
from mektup.server.report import Report
from mektup.terms.texts import Text

START_SECONDS = 60.0
REPORT_SECONDS = 2.0

PINGS = 4
"""A worker that misses so many pings in a row hangs. Pings are counted and no time is measured, so a machine that
slept, or a parent that was stopped, does not make a worker look like one that hangs."""


class Child:
    """One worker process."""

    def __init__(self, number: int, log: FilteringBoundLogger, news: Callable[[], None]) -> None:
        """Call ``start`` next. *news* is called when the worker is ready, and when it fails."""
        self.number = number
        self.is_ready = False
        self.is_silent = False
        """Whether it did not answer the last ping."""
        self.failure: Text | str | None = None
        """Why it could not start."""
        self.prepared: int | None = None
        """The number of the change that it has prepared."""
        self.last_report: Report | None = None
        """The newest report that came: of a scrape, of a ping, or of the end."""
        self.hangs = 0
        """How often it was killed because it hung: 0 or 1."""
        self._log = log
        self._news = news
        self._answered = True
        self._began = asyncio.Event()
        self._report: asyncio.Future[Report] | None = None
        self._preparing: asyncio.Future[None] | None = None

    async def start(self, config: Config) -> None:
        """Starts the process and sends it *config*. Raises OSError."""
        ours, theirs = channel_pair()
        with theirs:
            try:
                self.process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "mektup.server.worker",
                    str(theirs.fileno()),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                )
            except BaseException:
                ours.close()
                raise
        self.channel = Channel(ours, self._received, lambda: None)
        self.channel.send(Start(config, self.number))

    async def end(self) -> int:
        """Waits until the process has ended; returns its exit status."""
        try:
            status = await self.process.wait()
            self.channel.read_rest()
            return status
        finally:
            self.channel.close()
            self.is_ready = False
            # the next worker starts with the configuration of that time
            self._settle_preparing(None)

    def terminate(self) -> None:
        """Asks it to finish."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def kill(self) -> None:
        """Kills it."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()

    async def watch(self, patience: Callable[[], float]) -> None:
        """Kills it if it does not become ready, or answers no ping for *patience* seconds."""
        try:
            await asyncio.wait_for(self._began.wait(), START_SECONDS)
        except TimeoutError:
            self._log.error("worker_hangs", worker=self.number, seconds=START_SECONDS, since="its start")
            self.hangs = 1
            self.kill()
            return
        missed = 0
        while missed < PINGS:
            self._answered = False
            self.channel.send(Ping())
            # if it dies before the next ping, only what it counts from now on is lost
            self.channel.send(AskReport())
            seconds = patience()
            await asyncio.sleep(seconds / PINGS)
            missed = 0 if self._answered else missed + 1
            self.is_silent = not self._answered
        self._log.error("worker_hangs", worker=self.number, seconds=seconds, consequence="it is killed")
        self.hangs = 1
        self.kill()

    def ask(self, question: Question, end: socket.socket) -> None:
        """Hands it a question, and *end* for its answers."""
        with end:
            self.channel.send(Asked(question, self.number), [end])

    async def report(self) -> Report | None:
        """Its report; None if it does not answer."""
        if not self.is_ready:
            return None
        if self._report is None:
            self._report = asyncio.get_running_loop().create_future()
            self.channel.send(AskReport())
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._report), REPORT_SECONDS)
        return None

    async def until_prepared(self, change: int, seconds: float) -> None:
        """Waits until it has prepared *change*, for at most *seconds*. Raises ConfigError if it cannot, or is late."""
        if self.prepared == change:
            return
        self._preparing = asyncio.get_running_loop().create_future()
        try:
            await asyncio.wait_for(self._preparing, seconds)
        except TimeoutError:
            raise ConfigError(texts.WORKER_DOES_NOT_ANSWER.of(number=self.number)) from None
        finally:
            self._preparing = None

    def _received(self, message: Message, sockets: list[socket.socket]) -> None:
        match message:
            case Ready():
                self.is_ready = True
                self._began.set()
                self._news()
            case Pong():
                self._answered = True
                self.is_silent = False
            case Failed(reason):
                if self._preparing is not None:
                    self._settle_preparing(ConfigError(reason))
                    return
                self.failure = reason
                self._log.error("worker_failed", worker=self.number, reason=str(reason))
                self._news()
            case Prepared(change):
                self.prepared = change
                self._settle_preparing(None)
            case Reported(report):
                self.last_report = report
                if self._report is not None:
                    self._report.set_result(report)
                    self._report = None
            case _:
                raise TypeError(f"a worker does not say {message}")

    def _settle_preparing(self, failure: ConfigError | None) -> None:
        if self._preparing is None or self._preparing.done():
            return
        if failure is None:
            self._preparing.set_result(None)
        else:
            self._preparing.set_exception(failure)
