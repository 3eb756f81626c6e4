"""The metrics: a server's state in the text format of Prometheus.

Each process counts in plain numbers (``session.services.Tally``). Here they are only rendered, with one sample for each
worker, so that a restart of a worker shows as a restart of its own counters.
"""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from mektup.server.report import Report
from mektup.terms.durations import BOUNDS

_TALLIES: Mapping[str, tuple[str, str]] = {
    "connections": ("mektup_connections", "Connections accepted"),
    "refused_connections": ("mektup_refused_connections", "Connections over a limit"),
    "logins": ("mektup_logins", "Logins that succeeded"),
    "refused_logins": ("mektup_refused_logins", "Logins that were refused"),
    "commands": ("mektup_commands", "Commands answered"),
    "messages": ("mektup_messages", "Messages taken into a mailbox"),
    "bugs": ("mektup_bugs", "Internal errors"),
    "uncertain": ("mektup_uncertain_changes", "Changes that were refused, and perhaps made nevertheless"),
    "octets_in": ("mektup_received_bytes", "Octets received, by connections that have ended"),
    "octets_out": ("mektup_sent_bytes", "Octets sent, by connections that have ended"),
}

_WITHOUT_LOGIN = frozenset({"lmtp"})
"""Protocols without login."""

_COUNTERS: Mapping[str, str] = {
    "log_lines_dropped": "Lines of the log that could not be written",
    "log_lines_left_out": "Lines of the log that were left out, because a client caused too many",
}
"""Help texts of Report.counters."""

_PROCESS: Mapping[str, str] = {
    "cpu_seconds_total": "Processor time used",
    "virtual_memory_bytes": "Address space",
    "resident_memory_bytes": "Memory in use",
    "open_fds": "Open descriptors",
    "max_fds": "Descriptors that may be open",
    "start_time_seconds": "When the process began, in seconds since 1970",
}
"""Help texts of Report.process."""

_NOT_TIMED = frozenset({"IDLE"})
"""Commands that last as long as the client wants."""


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a server at one moment."""

    reports: Mapping[str, Report]
    """By worker, for those that are up; a parent process is included as ``parent``."""
    workers: int
    """The number of workers that should be up."""
    up: int
    """The number of workers that are up."""
    certificate_seconds: float
    """Seconds until the certificate expires."""
    troubles: tuple[str, ...] = ()
    """What is wrong now, as text. The server is healthy if this is empty."""


def exposition(status: Status) -> bytes:
    """*status* in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(status))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, status: Status) -> None:
        self._status = status

    def collect(self) -> Iterator[Metric]:
        status = self._status
        yield _build()
        yield from self._tallies()
        yield self._durations()
        for name, text in _COUNTERS.items():
            yield self._counter(f"mektup_{name}", text, name)
        yield from self._remembered()
        yield self._faults()
        yield from self._processes()
        yield GaugeMetricFamily("mektup_workers", "Workers that should be up", value=status.workers)
        yield GaugeMetricFamily("mektup_workers_up", "Workers that are up", value=status.up)
        yield GaugeMetricFamily(
            "mektup_certificate_expiry_seconds",
            "Seconds until the certificate expires; negative when it has",
            value=status.certificate_seconds,
        )

    def _tallies(self) -> Iterator[Metric]:
        for field, (name, text) in _TALLIES.items():
            counter = CounterMetricFamily(name, text, labels=("worker", "protocol"))
            for worker, report in self._status.reports.items():
                for protocol, tally in report.protocols.items():
                    if not (field.endswith("logins") and protocol in _WITHOUT_LOGIN):
                        counter.add_metric((worker, protocol), tally[field])
            yield counter
        gauge = GaugeMetricFamily("mektup_open_connections", "Connections open now", labels=("worker", "protocol"))
        for worker, report in self._status.reports.items():
            for protocol, tally in report.protocols.items():
                gauge.add_metric((worker, protocol), tally["open"])
        yield gauge

    def _durations(self) -> Metric:
        histogram = HistogramMetricFamily(
            "mektup_command_duration_seconds",
            "From a command to its answer, the client's own slowness in uploads and downloads included",
            labels=("worker", "protocol", "command"),
        )
        bounds = [*(str(bound) for bound in BOUNDS), "+Inf"]
        for worker, report in self._status.reports.items():
            for protocol, commands in report.durations.items():
                for command, (counts, seconds) in commands.items():
                    if command in _NOT_TIMED:
                        continue
                    total, buckets = 0, []
                    for bound, count in zip(bounds, counts, strict=True):
                        total += count
                        buckets.append((bound, float(total)))
                    histogram.add_metric((worker, protocol, command), buckets, seconds)
        return histogram

    def _counter(self, metric: str, text: str, name: str) -> Metric:
        counter = CounterMetricFamily(metric, text, labels=("worker",))
        for worker, report in self._status.reports.items():
            if name in report.counters:
                counter.add_metric((worker,), report.counters[name])
        return counter

    def _remembered(self) -> Iterator[Metric]:
        labels = ("worker", "kind")
        families: tuple[CounterMetricFamily | GaugeMetricFamily, ...] = (
            CounterMetricFamily("mektup_remembered_hits", "Uses of what is remembered of the mail", labels=labels),
            CounterMetricFamily("mektup_remembered_misses", "Times that it was not remembered", labels=labels),
            GaugeMetricFamily("mektup_remembered_bytes", "Memory of what is remembered of the mail", labels=labels),
        )
        for worker, report in self._status.reports.items():
            for kind, numbers in report.remembered.items():
                for family, number in zip(families, numbers, strict=True):
                    family.add_metric((worker, kind), number)
        yield from families

    def _faults(self) -> Metric:
        counter = CounterMetricFamily(
            "mektup_store_faults", "What the store refused because the machine failed it", labels=("worker", "kind")
        )
        for worker, report in self._status.reports.items():
            for kind, count in report.faults.items():
                counter.add_metric((worker, kind), count)
        return counter

    def _processes(self) -> Iterator[Metric]:
        for name, text in _PROCESS.items():
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            family = kind(f"process_{name.removesuffix('_total')}", text, labels=("worker",))
            for worker, report in self._status.reports.items():
                if name in report.process:
                    family.add_metric((worker,), report.process[name])
            yield family


def _build() -> Metric:
    info = GaugeMetricFamily("mektup_build_info", "What runs here, always 1", labels=("version", "python"))
    info.add_metric((version("mektup"), platform.python_version()), 1)
    return info
