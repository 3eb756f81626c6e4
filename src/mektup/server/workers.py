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
import signal
import socket
import time
from collections.abc import Mapping

from structlog.typing import FilteringBoundLogger

from mektup.server.addresses import Endpoint, Service
from mektup.server.changes import AddressChange, Key, prepare_addresses
from mektup.server.channel import Abandon, Commit, Listen, Offer, Prepare, StopListening
from mektup.server.child import START_SECONDS, Child
from mektup.server.config import Config, ConfigError
from mektup.server.listeners import BACKLOG, bind_again, endpoint_of, remove_path
from mektup.server.logs import Log
from mektup.server.metrics import Status
from mektup.server.node import tidy, warn_of_data
from mektup.server.report import Report, process_figures
from mektup.server.status_page import StatusPage
from mektup.server.tls import Certificates
from mektup.store import system
from mektup.store.faults import in_words
from mektup.store.sqlite import Reserve, open_store
from mektup.terms.errors import Refused

KILL_SECONDS = 5.0
"""How long after its own bound a worker that does not stop is killed."""

SILENT_SECONDS = 2.0
"""How long a worker that left its last ping without an answer has for it, once the server stops."""

RESTART_SECONDS = (0.1, 10.0)
"""The first pause before a worker is started again, and the longest; it doubles each time."""

STEADY_SECONDS = 60.0
"""A worker that ran so long is started again without a pause when it dies."""

STOP_COMES_SECONDS = 0.2
"""Who stops a whole group of processes stops the workers and their parent, in any order, within this time."""

PREPARE_SECONDS = 5.0
"""How long a worker may take to say whether it can take up a new configuration."""

ASKED_TO_END = frozenset({0, -signal.SIGTERM, -signal.SIGINT})
"""How a worker ends that was told to."""


class Parent:
    """Starts and keeps worker processes."""

    def __init__(
        self,
        config: Config,
        workers: int,
        log: FilteringBoundLogger,
        own: Log | None = None,
        stopping: asyncio.Event | None = None,
    ) -> None:
        """To be made by ``open_parent``; from when *stopping* is set, no worker is started again."""
        self.config = config
        self._workers = workers
        self.log = log
        self._own = own
        self._certificates = Certificates(config, log)
        self._kept: dict[Key, list[socket.socket]] = {}
        self._pages: dict[Key, StatusPage] = {}
        self._children: dict[int, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = stopping or asyncio.Event()
        self._changes = 0
        self._failing: dict[int, str] = {}
        """By worker, why it does not stay up."""
        self._news = asyncio.Event()
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
        return tuple(child.process.pid for child in self._children.values() if child.is_ready)

    async def start(self) -> None:
        """Opens the addresses and starts the workers; returns when all serve, or it is to stop. Raises ConfigError."""
        await self._take_up(prepare_addresses(self.config.listen, {}))
        loop = asyncio.get_running_loop()
        self._keepers = [loop.create_task(self._keep(number)) for number in range(self._workers)]
        stopped = loop.create_task(self._stopping.wait())
        stopped.add_done_callback(lambda _: self._news.set())
        try:
            async with asyncio.timeout(START_SECONDS):
                while len(self.pids) < self._workers and not self._stopping.is_set():
                    await self._news.wait()
                    self._news.clear()
                    for child in self._children.values():
                        if child.failure is not None:
                            raise ConfigError(child.failure)
        except TimeoutError as error:
            raise ConfigError("the workers do not start") from error
        finally:
            stopped.cancel()

    async def reload(self, config: Config) -> None:
        """Has all workers take up *config*, or none; no session is dropped. Raises ConfigError; all is as it was."""
        addresses = {key: [endpoint_of(each) for each in kept] for key, kept in self._kept.items()}
        change = prepare_addresses(config.listen, addresses)
        config = dataclasses.replace(config, data=self.config.data)
        self._changes += 1
        children = tuple(self._children.values())
        try:
            certificates = self._certificates.prepare(config)
            await self._prepare(config, change, children)
        except BaseException:
            for child in children:
                child.channel.send(Abandon())
            change.abandon()
            raise
        self._certificates.commit(certificates)
        self.config = config
        for child in children:
            child.channel.send(Commit(self._changes))
        await self._take_up(change, told=children)
        for child in self._children.values():
            if child not in children:
                # it was started meanwhile, with what was before
                child.kill()

    async def stop(self) -> None:
        """Has the workers finish within ``limits.stop_seconds``, and kills those that do not."""
        self._stopping.set()
        # first of all, so that nobody waits at a Unix socket, which all share, until the last worker has ended
        for key in tuple(self._kept):
            await self._close(key)
        for child in self._children.values():
            child.terminate()
        silent = [child for child in self._children.values() if child.is_silent]
        if silent and self._keepers:
            # one that was only slow still answers its ping, and has clients to say goodbye to
            await asyncio.wait(self._keepers, timeout=SILENT_SECONDS)
        for child in silent:
            if child.is_silent:
                child.kill()
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=self.config.limits.stop_seconds + KILL_SECONDS)
            for child in self._children.values():
                child.kill()
            await asyncio.gather(*late)

    async def status(self) -> Status:
        """For the metrics."""
        with contextlib.suppress(ConfigError):  # the workers complain of it
            self._certificates.refresh()
        children = tuple(child for child in self._children.values() if child.is_ready)
        reports = await asyncio.gather(*(child.report() for child in children))
        up: dict[str, Report] = {}
        troubles: list[str] = []
        for child, report in zip(children, reports, strict=True):
            if report is not None:
                up[str(child.number)] = report
                troubles += [f"worker {child.number}: {each}" for each in report.troubles]
            else:
                troubles.append(f"worker {child.number} does not answer")
        there = {child.number for child in children}
        troubles += [f"worker {number} {why}" for number, why in self._failing.items() if number not in there]
        seconds = self._certificates.seconds_left
        return Status({**up, "parent": self._own_report()}, self._workers, len(up), seconds, tuple(troubles))

    def _own_report(self) -> Report:
        counters: dict[str, float] = {}
        if self._own is not None:
            counters["log_lines_dropped"] = self._own.dropped
        return Report(protocols={}, counters=counters, process=process_figures())

    # Addresses

    async def _prepare(self, config: Config, change: AddressChange, children: tuple[Child, ...]) -> None:
        """Raises ConfigError where one of *children* cannot take up *config*, or has no socket for what is new."""
        for child in children:
            for (service, configured), bound in change.added.items():
                if service is not Service.METRICS:
                    self._hand_out(child, Offer(service, configured), bound)
            child.channel.send(Prepare(self._changes, config))
        asked = [child.until_prepared(self._changes, PREPARE_SECONDS) for child in children]
        for outcome in await asyncio.gather(*asked, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def _take_up(self, change: AddressChange, told: tuple[Child, ...] = ()) -> None:
        """Those *told* have what is new already."""
        for key in change.removed:
            await self._close(key)
        for key, bound in change.added.items():
            self._kept[key] = bound
            if key[0] is Service.METRICS:
                self._pages[key] = StatusPage(self.status)
                await self._pages[key].open([each.dup() for each in bound])
                continue
            for each in bound:
                if each.family == system.UNIX_SOCKETS:
                    # all workers accept from this one, so what comes before the first of them is there can wait
                    each.listen(BACKLOG)

    async def _close(self, key: Key) -> None:
        if key in self._pages:
            await self._pages.pop(key).close()
        for child in self._children.values():
            child.channel.send(StopListening(*key))
        for kept in self._kept.pop(key):
            endpoint = endpoint_of(kept)
            kept.close()
            remove_path(endpoint)

    def _hand_out(self, child: Child, message: Listen | Offer, bound: list[socket.socket]) -> None:
        """Raises ConfigError where there is no descriptor left for it."""
        handed: list[socket.socket] = []
        try:
            handed.extend(each.dup() if each.family == system.UNIX_SOCKETS else bind_again(each) for each in bound)
            child.channel.send(message, handed)
        except OSError as error:
            raise ConfigError(f"cannot listen at {message.configured}: {error.strerror or error}") from error
        finally:
            for each in handed:
                each.close()

    # Workers

    async def _keep(self, number: int) -> None:
        """Keeps worker *number* running until the server stops, whatever goes wrong."""
        pause = RESTART_SECONDS[0]
        while not self._stopping.is_set():
            began = time.monotonic()
            event: str
            how: dict[str, object]
            try:
                event, how = "worker_died", {"status": await self._run_worker(number)}
            except Exception as error:
                # no process can be made, no descriptor is left: that passes, and nobody else would try again
                unforeseen = None if isinstance(error, (OSError, ConfigError)) else error
                event, how = "worker_not_started", {"reason": str(error), "exc_info": unforeseen}
            if how.get("status") in ASKED_TO_END and await self._stops_within(STOP_COMES_SECONDS):
                return
            if self._stopping.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                pause = RESTART_SECONDS[0]
                self._failing.pop(number, None)
            if event == "worker_not_started":
                self._failing[number] = f"cannot be started: {how['reason']}"
            elif pause > RESTART_SECONDS[0]:
                self._failing[number] = "dies again and again"
            self.log.error(event, worker=number, restart_seconds=pause, **how)
            if await self._stops_within(pause):
                return
            pause = min(pause * 2, RESTART_SECONDS[1])

    async def _run_worker(self, number: int) -> int:
        """Starts a worker and waits for its end; returns its status. Raises OSError, ConfigError."""
        child = Child(number, self.log, self._news.set)
        await child.start(self.config)
        self._children[number] = child
        watch = asyncio.get_running_loop().create_task(child.watch(self._patience))
        try:
            for (service, configured), bound in self._kept.items():
                if service is not Service.METRICS:
                    self._hand_out(child, Listen(service, configured), bound)
            if self._stopping.is_set():
                child.terminate()
            return await child.end()
        except BaseException:
            child.kill()
            await child.end()
            raise
        finally:
            watch.cancel()

    def _patience(self) -> float:
        return self.config.limits.worker_silence_seconds

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)
        return self._stopping.is_set()


async def open_parent(
    config: Config,
    workers: int,
    log: FilteringBoundLogger,
    own: Log | None = None,
    stopping: asyncio.Event | None = None,
) -> Parent:
    """A parent of so many workers, which serve. Raises ConfigError, and then nothing is left running."""
    try:
        # what is to be made or brought up to date there is done once, not by all of them at the same time
        store = await open_store(config.data, limits=config.limits, reserve=Reserve(config.data))
        try:
            await tidy(store, log)
        finally:
            await store.close()
    except Refused as error:
        raise ConfigError(f"data: {in_words(error)}") from error
    warn_of_data(config.data, log)
    parent = Parent(config, workers, log, own, stopping)
    try:
        await parent.start()
    except ConfigError:
        await parent.stop()
        raise
    return parent


def workers_wanted(config: Config) -> int:
    """How many processes *config* asks for; one where the system cannot spread connections over several."""
    if not system.CAN_HAVE_WORKERS or config.data is None:
        return 1
    return config.workers or system.processors()
