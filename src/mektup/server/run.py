"""Runs a server as a program: signals, logs, and one process or several."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

from structlog.typing import FilteringBoundLogger

from mektup.server.addresses import Endpoint, Service
from mektup.server.config import Config, ConfigError, blamed_on
from mektup.server.control.service import Processes, open_control
from mektup.server.log_file import LogFile
from mektup.server.logs import Log
from mektup.server.single import open_single
from mektup.server.systemd import Systemd
from mektup.server.tuning.garbage import search_each_object_once
from mektup.server.workers import open_parent, workers_wanted
from mektup.store import files, system
from mektup.terms.texts import ABOUT

Endpoints = Mapping[Service, tuple[Endpoint, ...]]


class Running(Processes, Protocol):
    """A running server: in one process, or as the parent of several."""

    @property
    def endpoints(self) -> Endpoints:
        """The addresses that it listens at, with actual ports."""

    async def reload(self, config: Config) -> None:
        """Applies *config*; drops no session. Raises ConfigError."""

    async def stop(self) -> None:
        """Lets sessions finish, and ends."""


def serve(load: Callable[[], Config], announce: Callable[[Endpoints], None], file: Path | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then lets sessions finish. At SIGHUP it applies what *load* returns then.

    Calls *announce* when it listens. Raises ConfigError if it cannot start; the error names *file*, which *load* reads.
    """
    config = load()
    with blamed_on(file):
        _serve_blamed(config, load, announce, file)


def _serve_blamed(
    config: Config, load: Callable[[], Config], announce: Callable[[Endpoints], None], file: Path | None
) -> None:
    raise_descriptor_limit()
    occupy_standard_descriptors()
    log = Log(config.log_level, config.log_format, file=writable_log(config))
    log.take_over()
    try:
        with asyncio.Runner(loop_factory=system.new_event_loop) as runner:
            runner.run(_serve(config, load, announce, log, file))
    finally:
        log.close()


async def _serve(
    config: Config,
    load: Callable[[], Config],
    announce: Callable[[Endpoints], None],
    own: Log,
    file: Path | None,
) -> None:
    # before anything is opened: a server that is stopped while it starts must still close what it has opened
    requested = stop_requested()
    loop = asyncio.get_running_loop()
    started: asyncio.Future[Running] = loop.create_future()
    log = own.logger
    reloads: set[asyncio.Task[None]] = set()
    one_at_a_time = asyncio.Lock()
    systemd = Systemd()

    async def reload() -> None:
        running = await started
        async with one_at_a_time:
            with systemd.reloading():
                config = load()
                with blamed_on(file):
                    await running.reload(config)

    def hang_up() -> None:
        task = loop.create_task(_told(reload(), log))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, hang_up)
    running = await _opened(config, own, requested)
    if config.tuning.freeze_objects:
        search_each_object_once()
    control = await open_control(config.data, running, log)
    if not requested.is_set():
        announce(running.endpoints)
        where = {service.value: _listed(at) for service, at in running.endpoints.items()}
        log.info("serving", workers=workers_wanted(config), **where)
        systemd.ready()
    started.set_result(running)
    await requested.wait()
    log.info("stopping")
    systemd.stopping()
    loop.remove_signal_handler(signal.SIGHUP)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    await asyncio.gather(*reloads)
    await running.stop()
    await control.close()
    systemd.close()
    log.info("stopped")


async def _opened(config: Config, own: Log, requested: asyncio.Event) -> Running:
    """The server, which listens. Raises ConfigError."""
    workers = workers_wanted(config)
    if workers == 1:
        return await open_single(config, own.logger, own)
    return await open_parent(config, workers, own.logger, own, requested)


async def _told(reloading: Coroutine[Any, Any, None], log: FilteringBoundLogger) -> None:
    try:
        await reloading
    except ConfigError as error:
        log.error("not_reloaded", reason=str(error), consequence="all stays as it was")
    else:
        log.info(
            "reloaded",
            note="data, workers, compression, tuning, level, format and file of the log change at the next start, "
            "the hostname and the rules of the log for sessions that begin",
        )


def stop_requested() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set from now on. A second Ctrl-C ends the process at once."""
    requested = asyncio.Event()
    loop = asyncio.get_running_loop()

    def interrupted() -> None:
        requested.set()
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    loop.add_signal_handler(signal.SIGTERM, requested.set)
    loop.add_signal_handler(signal.SIGINT, interrupted)
    return requested


def writable_log(config: Config) -> Path | None:
    """The file of the log, made if needed; None for standard error. Raises ConfigError if it cannot be written."""
    if config.log_file is not None:
        file = LogFile(config.log_file)
        try:
            file.descriptor()
        except OSError as error:
            raise ConfigError(ABOUT.of(place="log.file", problem=files.reason(error, config.log_file))) from error
        file.close()
    return config.log_file


def raise_descriptor_limit() -> None:
    """Allows this process as many open files as the system permits: a connection is one, an account a few."""
    system.raise_descriptor_limit()


def occupy_standard_descriptors() -> None:
    """Opens stdin, stdout and stderr if they are closed, so that no file of ours gets one of their numbers."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # the system assigns the lowest free number
            os.open(os.devnull, os.O_RDWR)


def _listed(endpoints: tuple[Endpoint, ...]) -> str:
    return " ".join(map(str, endpoints))
