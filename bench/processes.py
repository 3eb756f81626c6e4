"""The cost of a server: processor time and memory of its whole tree of processes, as Linux reports them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessTree:
    """A process and all its descendants, looked up again at each call."""

    def __init__(self, root: int) -> None:
        self.root = root

    def pids(self) -> Iterator[int]:
        """Its processes, parents before children."""
        waiting = [self.root]
        while waiting:
            pid = waiting.pop()
            yield pid
            waiting += _children(pid)

    def cpu(self) -> float:
        """Seconds of processor time, user and system, since it began.

        The resolution is a nanosecond for a running process. The time of an ended process comes from its parent, in
        ticks of 10 ms.
        """
        return sum(map(_cpu, self.pids()))

    def proportional_memory(self) -> int:
        """Octets of memory (PSS): a page that several processes share is counted once in all.

        If the kernel does not give it (the processes belong to another user), the private memory is returned.
        """
        try:
            return sum(map(_pss, self.pids()))
        except PermissionError:
            return self.private_memory()

    def private_memory(self) -> int:
        """Octets of memory that belong to no file. It is quick to read, so growth can be watched with it."""
        return sum(map(_private, self.pids()))


def _children(pid: int) -> list[int]:
    found = []
    for task in _listed(f"/proc/{pid}/task"):
        found += _read(f"/proc/{pid}/task/{task}/children").split()
    return [int(child) for child in found]


def _cpu(pid: int) -> float:
    try:
        # clock_getcpuclockid(3): the clock of another process; it counts ended threads too
        living = time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0
    # proc(5): the name, in parentheses, may hold anything; cutime and cstime are fields 16 and 17
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return living + (sum(map(int, fields[13:15])) / TICKS if fields else 0.0)


def _pss(pid: int) -> int:
    for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def _private(pid: int) -> int:
    fields = _read(f"/proc/{pid}/statm").split()
    return (int(fields[1]) - int(fields[2])) * PAGE if fields else 0


def _read(path: str) -> str:
    """The content of a file of /proc; empty if the process has ended."""
    try:
        return Path(path).read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _listed(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, ProcessLookupError):
        return []


def owner(tree: ProcessTree, port: int) -> int | None:
    """The process of *tree* that serves the connection from the local TCP port *port*; None if it is not found."""
    wanted = f":{port:04X}"
    inodes = {
        f"socket:[{fields[9]}]"
        for fields in map(str.split, _read("/proc/net/tcp").splitlines())
        if fields[2].endswith(wanted)
    }
    for pid in tree.pids():
        for descriptor in _listed(f"/proc/{pid}/fd"):
            try:
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") in inodes:
                    return pid
            except FileNotFoundError:
                continue
    return None
