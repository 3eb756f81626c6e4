"""The parent of several workers: opens the addresses, starts and watches the workers, and restarts those that die.

The parent serves no mail. For each TCP address it holds a socket that is bound but does not listen, to keep the
address. Each worker gets its own socket there, which closes with the worker, so no connection is queued for a dead
process. A worker is a new process, not a fork, so it inherits no event loop, thread or database by accident.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import signal
import socket
import time
from collections.abc import Callable, Mapping

from structlog.typing import FilteringBoundLogger

from mektup.server import texts
from mektup.server.addresses import Endpoint, Service
from mektup.server.changes import AddressChange, Key, prepare_addresses
from mektup.server.channel import Abandon, Commit, Listen, Offer, Prepare, StopListening
from mektup.server.child import START_SECONDS, Child
from mektup.server.config import Config, ConfigError
from mektup.server.control.service import Hand
from mektup.server.engines import open_engine, open_relay, reserve_of, warn_of_databases
from mektup.server.listeners import BACKLOG, bind_again, endpoint_of, remove_path
from mektup.server.logs import Log
from mektup.server.metrics import Status
from mektup.server.node import require_restored, tidy, warn_of_data
from mektup.server.nodes.relay import Relay
from mektup.server.report import MetricKey, Report, lasting, process_figures, total
from mektup.server.reporter import log_figures, log_warnings
from mektup.server.status_page import StatusPage
from mektup.server.tls import Certificates
from mektup.store import system
from mektup.store.faults import in_words
from mektup.terms.errors import Refused
from mektup.terms.texts import ABOUT

KILL_SECONDS = 5.0
"""A worker that has not ended so long after ``limits.stop_seconds`` is killed."""

SILENT_SECONDS = 2.0
"""When the server stops: how long a worker that missed its last ping may take to answer before it is killed."""

RESTART_SECONDS = (0.1, 10.0)
"""The first pause before a worker is started again, and the longest; it doubles each time."""

STEADY_SECONDS = 60.0
"""After a worker has run so long, the pause before its restart is the first one again."""

STOP_COMES_SECONDS = 0.2
"""When a whole process group is stopped, the workers and their parent get the signal in any order within this time."""

PREPARE_SECONDS = 5.0
"""How long a worker may take to prepare a new configuration."""

ASKED_TO_END = frozenset({0, -signal.SIGTERM, -signal.SIGINT})
"""The exit statuses of a worker that was told to end."""


class Parent:
    """Starts worker processes and keeps them running."""

    def __init__(
        self,
        config: Config,
        workers: int,
        log: FilteringBoundLogger,
        own: Log | None = None,
        stopping: asyncio.Event | None = None,
    ) -> None:
        """Use ``open_parent``. Once *stopping* is set, no worker is started again."""
        self.config = config
        self._workers = workers
        self.log = log
        self._own = own
        self._certificates = Certificates(config, log)
        self._relay: Relay | None = None
        self._kept: dict[Key, list[socket.socket]] = {}
        self._pages: dict[Key, StatusPage] = {}
        self._children: dict[int, Child] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = stopping or asyncio.Event()
        self._changes = 0
        self._failing: dict[int, str] = {}
        """By worker: why it does not stay up."""
        none = Report({("mektup_worker_restarts_total", ()): 0.0, ("mektup_worker_hangs_total", ()): 0.0})
        self._ended = dict.fromkeys(range(workers), none)
        """By number: what the workers that have ended have counted."""
        self.on_process: Callable[[int, Hand], None] | None = None
        """See ``control.service.Processes``."""
        self._news = asyncio.Event()
        """Set when a worker is ready, or has failed."""

    @property
    def endpoints(self) -> Mapping[Service, tuple[Endpoint, ...]]:
        """The addresses of each service, with actual ports; without services that are off."""
        found: dict[Service, tuple[Endpoint, ...]] = {}
        for (service, _), kept in self._kept.items():
            found[service] = found.get(service, ()) + tuple(endpoint_of(each) for each in kept)
        return found

    def hands(self, *, starting: bool) -> Mapping[int, Hand]:
        """See ``control.service.Processes``."""
        return {child.number: child.ask for child in self._children.values() if child.is_ready or starting}

    @property
    def pids(self) -> tuple[int, ...]:
        """The process ids of the workers that are up."""
        return tuple(child.process.pid for child in self._children.values() if child.is_ready)

    async def start(self) -> None:
        """Opens the addresses and starts the workers; returns when all are up, or on a stop. Raises ConfigError."""
        self._relay = open_relay(self.config.store, self.config.data, self.log)
        await self._take_up(prepare_addresses(self.config.listen, {}, self.config.sockets))
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
            raise ConfigError(texts.WORKERS_DO_NOT_START) from error
        finally:
            stopped.cancel()

    async def reload(self, config: Config) -> None:
        """Applies *config* in all workers or in none; drops no session. Raises ConfigError, and then none has it."""
        addresses = {key: [endpoint_of(each) for each in kept] for key, kept in self._kept.items()}
        change = prepare_addresses(config.listen, addresses, config.sockets)
        config = dataclasses.replace(config, data=self.config.data, store=self.config.store)
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
                # it was started meanwhile, with the old configuration
                child.kill()

    async def stop(self) -> None:
        """Lets the workers finish within ``limits.stop_seconds``, and kills those that do not."""
        self._stopping.set()
        # first, because all share a Unix socket, and a client must not wait there until the last worker has ended
        for key in tuple(self._kept):
            await self._close(key)
        for child in self._children.values():
            child.terminate()
        silent = [child for child in self._children.values() if child.is_silent]
        if silent and self._keepers:
            # a worker that was only slow still answers its ping, and its clients must get their farewell
            await asyncio.wait(self._keepers, timeout=SILENT_SECONDS)
        for child in silent:
            if child.is_silent:
                child.kill()
        if self._keepers:
            _, late = await asyncio.wait(self._keepers, timeout=self.config.limits.stop_seconds + KILL_SECONDS)
            for child in self._children.values():
                child.kill()
            await asyncio.gather(*late)
        if self._relay is not None:
            # the last notices of the workers have come
            await self._relay.close()

    async def status(self) -> Status:
        """The status for the metrics."""
        with contextlib.suppress(ConfigError):  # the workers log it
            self._certificates.refresh()
        children = tuple(child for child in self._children.values() if child.is_ready)
        answers = await asyncio.gather(*(child.report() for child in children))
        up = 0
        troubles: list[str] = []
        warnings = [*log_warnings(self._own), *(self._relay.warnings() if self._relay else ())]
        for child, report in zip(children, answers, strict=True):
            if report is not None:
                up += 1
                troubles += [f"worker {child.number}: {each}" for each in report.troubles]
                warnings += [f"worker {child.number}: {each}" for each in report.warnings]
            else:
                troubles.append(f"worker {child.number} does not answer")
        there = {child.number for child in children}
        troubles += [f"worker {number} {why}" for number, why in self._failing.items() if number not in there]
        seconds = self._certificates.seconds_left
        return Status(self._reports(), self._workers, up, seconds, tuple(troubles), tuple(warnings))

    def _reports(self) -> dict[str, Report]:
        """What each worker and its predecessors have counted; of a worker that hangs, what it reported last."""
        relayed = self._relay.figures() if self._relay else {}
        reports = {"parent": Report({**process_figures(), **log_figures(self._own), **relayed})}
        for number in range(self._workers):
            child = self._children.get(number)
            present = None if child is None else child.last_report
            reports[str(number)] = total(each for each in (self._ended.get(number), present) if each is not None)
        return reports

    def _keep_counters(self, child: Child) -> None:
        """Keeps what *child*, which has ended, has counted, and counts its end."""
        ended: dict[MetricKey, float] = {
            ("mektup_worker_restarts_total", ()): 0.0 if self._stopping.is_set() else 1.0,
            ("mektup_worker_hangs_total", ()): float(child.hangs),
        }
        left = Report() if child.last_report is None else lasting(child.last_report)
        child.last_report = None
        self._ended[child.number] = total((self._ended[child.number], left, Report(ended)))

    # Addresses

    async def _prepare(self, config: Config, change: AddressChange, children: tuple[Child, ...]) -> None:
        """Prepares *config* in all *children*. Raises ConfigError if one cannot, or has no socket for an address."""
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
        """Opens and closes addresses. The workers in *told* have the new sockets already."""
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
                    # all workers accept from this socket, so clients may connect before the first worker is ready
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
        """Sends *message* with a copy of each socket in *bound*. Raises ConfigError if there is no descriptor left."""
        handed: list[socket.socket] = []
        try:
            handed.extend(each.dup() if each.family == system.UNIX_SOCKETS else bind_again(each) for each in bound)
            child.channel.send(message, handed)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError(texts.CANNOT_LISTEN.of(address=message.configured, reason=reason)) from error
        finally:
            for each in handed:
                each.close()

    # Workers

    async def _keep(self, number: int) -> None:
        """Keeps worker *number* running until the server stops, after any error."""
        pause = RESTART_SECONDS[0]
        while not self._stopping.is_set():
            began = time.monotonic()
            event: str
            how: dict[str, object]
            try:
                event, how = "worker_died", {"status": await self._run_worker(number)}
            except Exception as error:
                # for example no process or descriptor is left: that passes, and only this loop tries again
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
            if self.on_process is not None:
                # it obeys as soon as it is up, before any client comes
                self.on_process(number, child.ask)
            if self._stopping.is_set():
                child.terminate()
            return await child.end()
        except BaseException:
            child.kill()
            await child.end()
            raise
        finally:
            watch.cancel()
            self._keep_counters(child)

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
    """A parent whose *workers* are up. Raises ConfigError, and then no process is left."""
    require_restored(config.data)
    try:
        # creates or upgrades the store once, before all workers open it at the same time
        reserve = reserve_of(config.store, config.data)
        store = await open_engine(config.store, config.data, limits=config.limits, reserve=reserve)
        try:
            await tidy(store, log)
        finally:
            await store.close()
    except Refused as error:
        raise ConfigError(ABOUT.of(place="data", problem=in_words(error))) from error
    warn_of_data(config.data, log)
    await warn_of_databases(config.store, log)
    parent = Parent(config, workers, log, own, stopping)
    try:
        await parent.start()
    except ConfigError:
        await parent.stop()
        raise
    return parent


def workers_wanted(config: Config) -> int:
    """The number of workers in *config*; one if the system cannot spread connections over several processes."""
    if not system.CAN_HAVE_WORKERS or config.data is None:
        return 1
    return config.workers or system.processors()
