"""Measures the processes and the files of a server."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reliability.clients.line import Ports


@dataclass(frozen=True, slots=True)
class Size:
    """The size of one process."""

    pss: int
    """Octets of memory; what several processes share is counted once in all."""
    rss: int
    files: int
    """Open descriptors."""
    threads: int


@dataclass(frozen=True, slots=True)
class Sample:
    """All processes at one moment."""

    seconds: float
    """Since the beginning."""
    sizes: dict[int, Size]
    """By process id."""

    @property
    def pss(self) -> int:
        """Of all processes."""
        return sum(size.pss for size in self.sizes.values())

    @property
    def files(self) -> int:
        """Of all processes."""
        return sum(size.files for size in self.sizes.values())


def size_of(pid: int) -> Size:
    """Raises OSError if the process has ended."""
    memory = _fields(f"/proc/{pid}/smaps_rollup")
    status = _fields(f"/proc/{pid}/status")
    return Size(
        pss=memory["Pss"] * 1024,
        rss=memory["Rss"] * 1024,
        files=len(os.listdir(f"/proc/{pid}/fd")),
        threads=status["Threads"],
    )


def _fields(path: str) -> dict[str, int]:
    lines = [line.split() for line in Path(path).read_text(encoding="ascii", errors="replace").splitlines()]
    return {words[0][:-1]: int(words[1]) for words in lines if len(words) > 1 and words[1].isdecimal()}


def slope(samples: Sequence[tuple[float, float]]) -> float:
    """How much a value grows in an hour, by least squares over pairs of seconds and value; 0 with fewer than three."""
    if len(samples) < 3:
        return 0.0
    seconds, values = zip(*samples, strict=True)
    return statistics.linear_regression(seconds, values).slope * 3600


def octets_of(directory: Path) -> int:
    """What all files below *directory* take."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.stat(Path(folder, name)).st_size
            except FileNotFoundError:
                continue
    return total


def clients_of(pid: int, ports: frozenset[int]) -> set[Ports]:
    """The connections of the process *pid* at its *ports*."""
    inodes = set()
    for name in os.listdir(f"/proc/{pid}/fd"):
        try:
            inodes.add(os.readlink(f"/proc/{pid}/fd/{name}"))
        except FileNotFoundError:
            continue
    found = set()
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        words = line.split()
        local, remote = (int(words[at].partition(":")[2], 16) for at in (1, 2))
        # a listening socket has no remote port
        if remote and local in ports and f"socket:[{words[9]}]" in inodes:
            found.add((local, remote))
    return found
