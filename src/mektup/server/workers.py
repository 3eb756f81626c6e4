"""The parent of several workers: opens the addresses, starts the workers, watches them, and restarts those that die.

The parent serves no mail. For each TCP address it holds a socket that is bound but does not listen, which
keeps the address; each worker gets one of its own there, which dies with it, so that no connection is ever
queued for a process that is gone. A worker is a fresh process, not a fork: nothing of an event loop, a thread
or a database can be inherited by accident.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import socket
import sys
import time
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from mektup.server.addresses import Endpoint, Service
from mektup.server.channel import (
    AskReport,
    Channel,
    Failed,
    Listen,
    Message,
    Ready,
    Reload,
    Reported,
    Start,
    StopListening,
    channel_pair,
)
from mektup.server.config import Config, ConfigError
from mektup.server.listeners import BACKLOG, bind_again, endpoint_of, open_sockets, remove_path
from mektup.server.logs import Log
from mektup.server.metrics import Status
from mektup.server.node import warn_of_data
from mektup.server.report import Report, process_figures
from mektup.server.status_page import StatusPage
from mektup.server.tls import Certificates
from mektup.store.faults import in_words
from mektup.store.sqlite import Reserve, open_store
from mektup.terms.errors import Refused

START_SECONDS = 60.0
REPORT_SECONDS = 2.0
KILL_SECONDS = 5.0
"""How long after its own bound a worker that does not stop is killed."""

RESTART_SECONDS = (0.1, 10.0)
"""The first pause before a worker is started again, and the longest; it doubles each time."""

STEADY_SECONDS = 60.0
"""A worker that ran so long is started again without a pause when it dies."""

Key = tuple[Service, Endpoint]


class Child:
    """One worker process, as its parent knows it."""

    def __init__(self, parent: Parent, number: int) -> None:
        """Is started by ``start``."""
        self._parent = parent
        self.number = number
        self.ready = False
        self.failure: str | None = None
        self._report: asyncio.Future[Report] | None = None

    async def start(self) -> None:
        """Makes the process and tells it what to do."""
        ours, theirs = channel_pair()
        self.channel = Channel(ours, self._received, lambda: None)
        with theirs:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "mektup.server.worker",
                str(theirs.fileno()),
                pass_fds=(theirs.fileno(),),
                stdin=asyncio.subprocess.DEVNULL,
            )
        self.channel.send(Start(self._parent.config, self.number))

    async def report(self) -> Report | None:
        """What happened in it so far; None where it does not say."""
        if not self.ready:
            return None
        if self._report is None:
            self._report = asyncio.get_running_loop().create_future()
            self.channel.send(AskReport())
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(asyncio.shield(self._report), REPORT_SECONDS)
        return None

    def _received(self, message: Message, sockets: list[socket.socket]) -> None:
        match message:
            case Ready():
                self.ready = True
                self._parent.news.set()
            case Failed(reason):
                self.failure = reason
                self._parent.news.set()
                self._parent.log.error("worker_failed", worker=self.number, reason=reason)
            case Reported(report):
                if self._report is not None:
                    self._report.set_result(report)
                    self._report = None
            case _:
                raise TypeError(f"a worker does not say {message}")


class Parent:
    """Starts and keeps worker processes."""

    def __init__(self, config: Config, workers: int, log: FilteringBoundLogger, own: Log | None = None) -> None:
        """To be made by ``open_parent``."""
        self.config = config
        self._workers = workers
        self.log = log
        self._own = own
        self._certificates = Certificates(config, log)
        self._kept: dict[Key, list[socket.socket]] = {}
        self._pages: dict[Key, StatusPage] = {}
        self._children: dict[int, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self.news = asyncio.Event()
        """Set when a worker says that it serves, or that it cannot."""

    @property
    def endpoints(self) -> Mapping[Service, tuple[Endpoint, ...]]:
        """Where it listens, ports known; services that are off are not there."""
        found: dict[Service, tuple[Endpoint, ...]] = {}
        for (service, _), kept in self._kept.items():
            found[service] = found.get(service, ()) + tuple(endpoint_of(each) for each in kept)
        return found

    @property
    def pids(self) -> tuple[int, ...]:
        """Of the workers that are up."""
        return tuple(child.process.pid for child in self._children.values() if child.ready)

    async def start(self) -> None:
        """Opens the addresses and starts the workers; returns when all serve. Raises ConfigError."""
        await self._listen(self.config.listen)
        self._keepers = [asyncio.get_running_loop().create_task(self._keep(number)) for number in range(self._workers)]
        try:
            async with asyncio.timeout(START_SECONDS):
                while len(self.pids) < self._workers:
                    await self.news.wait()
                    self.news.clear()
                    for child in self._children.values():
                        if child.failure is not None:
                            raise ConfigError(child.failure)
        except TimeoutError as error:
            raise ConfigError("the workers do not start") from error

    async def reload(self, config: Config) -> None:
        """Passes *config* on to the workers; no session is dropped. Raises ConfigError."""
        self._certificates.reload(config)
        self.config = dataclasses.replace(config, data=self.config.data)
        for child in self._children.values():
            child.channel.send(Reload(self.config))
        await self._listen(config.listen)

    async def stop(self) -> None:
        """Has the workers finish within ``limits.stop_seconds``, and kills those that do not."""
        self._stopping = True
        for key in tuple(self._pages):
            await self._close(key)
        for child in self._children.values():
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=self.config.limits.stop_seconds + KILL_SECONDS)
            for child in self._children.values():
                with contextlib.suppress(ProcessLookupError):
                    child.process.kill()
            await asyncio.gather(*late)
        for key in tuple(self._kept):
            await self._close(key)

    async def status(self) -> Status:
        """For the metrics."""
        with contextlib.suppress(ConfigError):  # the workers complain of it
            self._certificates.refresh()
        children = tuple(self._children.values())
        reports = await asyncio.gather(*(child.report() for child in children))
        up = {str(child.number): report for child, report in zip(children, reports, strict=True) if report is not None}
        troubles = tuple(f"worker {number}: {each}" for number, report in up.items() for each in report.troubles)
        seconds = self._certificates.seconds_left
        return Status({**up, "parent": self._own_report()}, self._workers, len(up), seconds, troubles)

    def _own_report(self) -> Report:
        counters: dict[str, float] = {}
        if self._own is not None:
            counters["log_lines_dropped"] = self._own.dropped
        return Report(protocols={}, counters=counters, process=process_figures())

    # Addresses

    async def _listen(self, listen: Mapping[Service, tuple[Endpoint, ...]]) -> None:
        wanted = [(service, endpoint) for service, endpoints in listen.items() for endpoint in endpoints]
        for key in [key for key in self._kept if key not in wanted]:
            await self._close(key)
        for key in wanted:
            if key not in self._kept:
                await self._open(key)

    async def _open(self, key: Key) -> None:
        service, configured = key
        if service is Service.METRICS:
            bound = open_sockets(configured, shared=False)
            self._pages[key] = StatusPage(self.status)
            await self._pages[key].open([each.dup() for each in bound])
        else:
            bound = open_sockets(configured, shared=True)
            for each in bound:
                if each.family == socket.AF_UNIX:
                    # all workers accept from this one, so what comes before the first of them is there can wait
                    each.listen(BACKLOG)
        self._kept[key] = bound
        for child in self._children.values():
            self._hand_out(key, child)

    async def _close(self, key: Key) -> None:
        if key in self._pages:
            await self._pages.pop(key).close()
        for child in self._children.values():
            child.channel.send(StopListening(*key))
        for kept in self._kept.pop(key):
            endpoint = endpoint_of(kept)
            kept.close()
            remove_path(endpoint)

    def _hand_out(self, key: Key, child: Child) -> None:
        service, configured = key
        if service is Service.METRICS:
            return
        handed = [each.dup() if each.family == socket.AF_UNIX else bind_again(each) for each in self._kept[key]]
        child.channel.send(Listen(service, configured), handed)
        for each in handed:
            each.close()

    # Workers

    async def _keep(self, number: int) -> None:
        pause = RESTART_SECONDS[0]
        while not self._stopping:
            began = time.monotonic()
            child = Child(self, number)
            await child.start()
            self._children[number] = child
            for key in self._kept:
                self._hand_out(key, child)
            if self._stopping:
                child.process.terminate()
            status = await child.process.wait()
            child.channel.close()
            child.ready = False
            if self._stopping:
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = RESTART_SECONDS[0]
            self.log.error("worker_died", worker=number, status=status, restart_seconds=pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, RESTART_SECONDS[1])


async def open_parent(config: Config, workers: int, log: FilteringBoundLogger, own: Log | None = None) -> Parent:
    """A parent of so many workers, which serve. Raises ConfigError, and then nothing is left running."""
    try:
        # what is to be made or brought up to date there is done once, not by all of them at the same time
        await (await open_store(config.data, limits=config.limits, reserve=Reserve(config.data))).close()
    except Refused as error:
        raise ConfigError(f"data: {in_words(error)}") from error
    warn_of_data(config.data, log)
    parent = Parent(config, workers, log, own)
    try:
        await parent.start()
    except ConfigError:
        await parent.stop()
        raise
    return parent


def workers_wanted(config: Config) -> int:
    """How many processes *config* asks for; one where the system cannot spread connections over several."""
    if sys.platform != "linux" or config.data is None:
        return 1
    return config.workers or len(os.sched_getaffinity(0))
