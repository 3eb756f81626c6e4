"""The metrics: a server's state in the text format of Prometheus.

Each process counts in plain numbers (``session.services.Tally``) and reports them (``report``). Here the reports of all
workers are joined, as ``metric_table`` says, and rendered. A worker that has ended left its counters to the parent, so
no counter goes back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from mektup.server.metric_table import METRICS, Kind, Metric, Over
from mektup.server.report import MetricKey, Report
from mektup.terms.durations import BOUNDS, SECONDS, Counts


@dataclass(frozen=True, slots=True)
class Status:
    """The state of a server at one moment."""

    reports: Mapping[str, Report]
    """By worker; a parent process is included as ``parent``."""
    workers: int
    """The number of workers that should be up."""
    up: int
    """The number of workers that are up."""
    certificate_seconds: float
    """Seconds until the certificate expires."""
    troubles: tuple[str, ...] = ()
    """What is wrong now, as text. The server is healthy if this is empty."""
    warnings: tuple[str, ...] = ()
    """What somebody should look at, although mail goes on."""


def exposition(status: Status) -> bytes:
    """*status* in the text format of Prometheus."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(status))
    return generate_latest(registry)


class _Collector(Collector):
    def __init__(self, status: Status) -> None:
        self._numbers: dict[str, dict[tuple[str, ...], float]] = {name: {} for name in METRICS}
        self._histograms: dict[str, dict[tuple[str, ...], Counts]] = {name: {} for name in METRICS}
        for worker, report in status.reports.items():
            for key, number in report.numbers.items():
                self._add(worker, key, number)
            for (name, values), counts in report.histograms.items():
                at = _labelled(METRICS[name], values, worker)
                before = self._histograms[name].get(at)
                joined = counts if before is None else [a + b for a, b in zip(before, counts, strict=True)]
                self._histograms[name][at] = joined
        self._numbers["mektup_workers"][()] = status.workers
        self._numbers["mektup_workers_up"][()] = status.up
        self._numbers["mektup_certificate_expiry_seconds"][()] = status.certificate_seconds

    def _add(self, worker: str, key: MetricKey, number: float) -> None:
        name, values = key
        metric = METRICS[name]
        numbers, at = self._numbers[name], _labelled(metric, values, worker)
        if metric.over is Over.LARGEST:
            numbers[at] = max(number, numbers.get(at, number))
        else:
            numbers[at] = number + numbers.get(at, 0.0)

    def collect(self) -> Iterator[Family]:
        """As Collector.collect."""
        for name, metric in METRICS.items():
            labels = (*metric.labels, "worker") if metric.over is Over.EACH else metric.labels
            match metric.kind:
                case Kind.COUNTER:
                    family: Family = CounterMetricFamily(name.removesuffix("_total"), metric.text, labels=labels)
                case Kind.GAUGE:
                    family = GaugeMetricFamily(name, metric.text, labels=labels)
                case Kind.HISTOGRAM:
                    family = HistogramMetricFamily(name, metric.text, labels=labels)
                    for values, counts in self._histograms[name].items():
                        family.add_metric(values, _buckets(counts), counts[SECONDS])
            for values, number in self._numbers[name].items():
                family.add_metric(values, number)  # type: ignore[attr-defined]
            yield family


def _labelled(metric: Metric, values: tuple[str, ...], worker: str) -> tuple[str, ...]:
    return (*values, worker) if metric.over is Over.EACH else values


def _buckets(counts: Counts) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for position, bound in enumerate([*map(str, BOUNDS), "+Inf"]):
        total += counts[position]
        buckets.append((bound, float(total)))
    return buckets
