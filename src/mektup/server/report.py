"""The report of one process, for the metrics."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mektup.store import system
from mektup.terms.durations import Counted


@dataclass(frozen=True, slots=True)
class Report:
    """Plain numbers, which a worker sends to its parent."""

    protocols: Mapping[str, Mapping[str, int]]
    """By protocol, and by field of Tally."""
    durations: Mapping[str, Counted] = field(default_factory=dict)
    """By protocol."""
    counters: Mapping[str, float] = field(default_factory=dict)
    """Counters of the whole process, by the name of the metric without ``mektup_`` and ``_total``."""
    remembered: Mapping[str, tuple[int, int, int]] = field(default_factory=dict)
    """Hits, misses and octets of what is remembered of the mail, by ``memo.MemoKind``."""
    faults: Mapping[str, int] = field(default_factory=dict)
    """Faults of the machine, by kind."""
    process: Mapping[str, float] = field(default_factory=dict)
    """Figures of the system about the process, by the name of the metric without ``process_``."""
    troubles: tuple[str, ...] = ()
    """What is wrong now, as text, for ``/health``."""


def process_figures() -> dict[str, float]:
    """Processor time, memory, descriptors and start time of this process, as far as the system tells them."""
    times = os.times()
    figures = {"cpu_seconds_total": times.user + times.system}
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        virtual, resident = Path("/proc/self/statm").read_text().split()[:2]
        figures["virtual_memory_bytes"] = float(int(virtual) * page)
        figures["resident_memory_bytes"] = float(int(resident) * page)
        if (most := system.most_descriptors()) is not None:
            figures["max_fds"] = float(most)
        figures["open_fds"] = float(len(os.listdir("/proc/self/fd")))
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
        figures["start_time_seconds"] = round(time.time() - up + started / os.sysconf("SC_CLK_TCK"), 2)
    except (OSError, ValueError, AttributeError):
        # not Linux: report only the figures found so far
        return figures
    return figures
