"""How servers run on the data directory: one process, two servers beside each other, or a parent with workers."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Protocol

from reliability.crash.moments import Moment, wait_for
from reliability.crash.nursery import Nursery
from reliability.crash.servers import CONFIG, SECONDS, RunningServer
from reliability.own_address import HOST

MOST_WORKER_KILLS = 3
"""A parent waits longer after each death of a worker, so after so many it is killed, too."""


class Layout(Protocol):
    """Servers that run, and can be killed."""

    @property
    def servers(self) -> list[RunningServer]:
        """Those that run."""

    def kill_some(self, chance: random.Random) -> tuple[str, Moment]:
        """Kills one or more processes; returns which, and at which moment. Without servers, all are dead."""


class One:
    """One process."""

    def __init__(self, directory: Path, nursery: Nursery | None, chance: random.Random) -> None:
        self._data = directory / "data"
        self.servers = [_start(directory, nursery, chance)]

    def kill_some(self, chance: random.Random) -> tuple[str, Moment]:
        """Kills it."""
        moment = kill([self.servers[0].pid], self._data, chance)
        self.servers.pop().wait()
        return "the only process", moment


class Pair:
    """Two servers of one process each, on the same data."""

    def __init__(self, directory: Path, nursery: Nursery | None, chance: random.Random) -> None:
        self._data = directory / "data"
        self._start = partial(_start, directory, nursery, chance)
        self.servers = [self._start(), self._start()]

    def kill_some(self, chance: random.Random) -> tuple[str, Moment]:
        """Kills one, which is started again, or both."""
        if chance.random() < 0.3:
            moment = kill([each.pid for each in self.servers], self._data, chance)
            while self.servers:
                self.servers.pop().wait()
            return "both of two servers", moment
        doomed = self.servers.pop(chance.randrange(2))
        moment = kill([doomed.pid], self._data, chance)
        doomed.wait()
        self.servers.append(self._start())
        return "one of two servers", moment


class Workers:
    """``mektup serve`` with two workers, as new processes."""

    def __init__(self, directory: Path, nursery: Nursery | None, chance: random.Random) -> None:
        self._data = directory / "data"
        self._start = partial(_start, directory, None, chance, workers=2)
        self.servers = [self._start()]
        self._worker_kills = 0

    def kill_some(self, chance: random.Random) -> tuple[str, Moment]:
        """Kills a worker or both, the parent, or all of them."""
        server = self.servers[0]
        workers = server.workers()
        kind = chance.choice(("worker", "worker", "workers", "parent", "everything"))
        if self._worker_kills >= MOST_WORKER_KILLS or not workers:
            kind = chance.choice(("parent", "everything"))
        if kind in ("worker", "workers"):
            doomed = [chance.choice(workers)] if kind == "worker" else workers
            moment = kill(doomed, self._data, chance)
            for pid in doomed:
                wait_for_end(pid)
            self._worker_kills += 1
            return "one of two workers" if len(doomed) < len(workers) else "all workers", moment
        self._worker_kills = 0
        self.servers.pop()
        if kind == "parent":
            moment = kill([server.pid], self._data, chance, watched=workers)
            # its workers end by themselves, while the next server starts
            self.servers.append(self._start())
            server.wait()
            return "the parent of workers", moment
        moment = kill([server.pid, *workers], self._data, chance)
        for pid in server.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        server.wait()
        return "the parent and all workers", moment


LAYOUTS: dict[str, Callable[[Path, Nursery | None, random.Random], Layout]] = {
    "one": One,
    "pair": Pair,
    "workers": Workers,
}


def _start(directory: Path, nursery: Nursery | None, chance: random.Random, *, workers: int = 1) -> RunningServer:
    return RunningServer(configured(directory, chance, workers=workers), nursery)


def configured(directory: Path, chance: random.Random, *, workers: int = 1) -> Path:
    """Writes a configuration."""
    config = directory / f"mektup-{workers}.toml"
    config.write_text(
        CONFIG.format(data=directory / "data", workers=workers, host=HOST, compression=chance.choice((0, 0, 3)))
    )
    return config


def kill(pids: Iterable[int], data: Path, chance: random.Random, watched: Iterable[int] = ()) -> Moment:
    """Kills *pids*, which serve *data*, when one of them or of *watched* is at a moment of interest."""
    pids = list(pids)
    moment = wait_for(chance.choice(tuple(Moment)), [*pids, *watched], data, chance)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return moment


def wait_for_end(pid: int) -> None:
    """Waits until a process has ended, reaped or not."""
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        try:
            status = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return
        if status.rpartition(")")[2].split()[0] in "ZX":
            return
        time.sleep(0.001)
    raise AssertionError(f"process {pid} does not end")
