"""The report of one process for the metrics: plain numbers, which a worker sends to its parent."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mektup.server.metric_table import METRICS, Kind
from mektup.store import system
from mektup.terms.durations import Counts

MetricKey = tuple[str, tuple[str, ...]]
"""A metric and the values of its labels, without ``worker``."""


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of a process, and what is wrong with it."""

    numbers: Mapping[MetricKey, float] = field(default_factory=dict)
    histograms: Mapping[MetricKey, Counts] = field(default_factory=dict)
    troubles: tuple[str, ...] = ()
    """What is wrong now, as text, for ``/health``."""
    warnings: tuple[str, ...] = ()
    """What somebody should look at, although mail goes on."""


def lasting(report: Report) -> Report:
    """What stays true after the process of *report* has ended: its counters and histograms."""
    numbers = {key: number for key, number in report.numbers.items() if METRICS[key[0]].kind is Kind.COUNTER}
    return Report(numbers, report.histograms)


def total(reports: Iterable[Report]) -> Report:
    """The sum of *reports*, without what is wrong."""
    numbers: dict[MetricKey, float] = {}
    histograms: dict[MetricKey, Counts] = {}
    for report in reports:
        for key, number in report.numbers.items():
            numbers[key] = numbers.get(key, 0.0) + number
        for key, counts in report.histograms.items():
            before = histograms.get(key)
            histograms[key] = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
    return Report(numbers, histograms)


def process_figures() -> dict[MetricKey, float]:
    """Processor time, memory, descriptors and start time of this process, as far as the system tells them."""
    times = os.times()
    figures = {"process_cpu_seconds_total": times.user + times.system}
    try:
        page = os.sysconf("SC_PAGE_SIZE")
        virtual, resident = Path("/proc/self/statm").read_text().split()[:2]
        figures["process_virtual_memory_bytes"] = float(int(virtual) * page)
        figures["process_resident_memory_bytes"] = float(int(resident) * page)
        if (most := system.most_descriptors()) is not None:
            figures["process_max_fds"] = float(most)
        figures["process_open_fds"] = float(len(os.listdir("/proc/self/fd")))
        started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        up = float(Path("/proc/uptime").read_text().split()[0])
        figures["process_start_time_seconds"] = round(time.time() - up + started / os.sysconf("SC_CLK_TCK"), 2)
    except (OSError, ValueError, AttributeError):
        # not Linux: report only the figures found so far
        pass
    return {(name, ()): value for name, value in figures.items()}
