"""Runs rows on the servers in turn, and reports where their answers differ."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from bench.answers import difference
from bench.rows.registry import Bench, Measured, Row, Stage

FEWEST_RUNS = 3
"""How often a row is run on each server, if it takes long."""

LONG = 8.0
"""If the runs of a row take so many seconds together, ``FEWEST_RUNS`` are enough."""


@dataclass(slots=True)
class Result:
    """The result of a row."""

    row: Row
    figures: dict[str, list[float]] = field(default_factory=dict)
    """The figures of all runs in the row's unit, by server; none if it could not be measured."""
    cpus: dict[str, list[float]] = field(default_factory=dict)
    """The processor seconds of all runs, by server; empty if the row does not measure them."""
    remarks: list[str] = field(default_factory=list)
    """Why a server was not measured."""
    failures: list[str] = field(default_factory=list)
    """How a server failed in it."""
    difference: str | None = None
    """Where the servers' answers differ."""

    def figure(self, server: str) -> float | None:
        """The median of a server's runs, in the row's unit."""
        return median(self.figures[server]) if self.figures.get(server) else None

    def cpu(self, server: str) -> float | None:
        """The median of the processor time of a server's runs, in seconds."""
        return median(self.cpus[server]) if self.cpus.get(server) else None

    def add(self, server: str, measured: Measured) -> None:
        """One more run."""
        self.figures.setdefault(server, []).append(measured.figure)
        if measured.cpu is not None:
            self.cpus.setdefault(server, []).append(measured.cpu)

    def ratio(self) -> float | None:
        """mektup's figure divided by the other server's; below 1, mektup is ahead.

        The median of the ratios of the turns, because a machine that is slow for a while slows both servers.
        """
        theirs = next((runs for name, runs in self.figures.items() if name != "mektup"), [])
        ratios = [mine / other for mine, other in zip(self.figures.get("mektup", []), theirs, strict=False)]
        return median(ratios) if ratios else None

    @property
    def is_above(self) -> bool:
        """Whether mektup missed its bound, or could not be measured."""
        mine = self.figure("mektup") if self.row.is_absolute else self.ratio()
        if mine is None:
            return not self.figures.get("mektup")
        return mine > self.row.asked


def measure(benches: Sequence[Bench], rows: Sequence[Row], runs: int, say: Callable[[str], None]) -> list[Result]:
    """The results of *rows*, in their order. The servers are restarted for each stage."""
    results = {row.key: Result(row) for row in rows}
    for stage, group in itertools.groupby(sorted(rows, key=lambda row: list(Stage).index(row.stage)), _stage):
        if stage is not Stage.FRESH:
            _restart(benches, stage)
        for row in group:
            begun = time.monotonic()
            _run(benches, results[row.key], runs)
            say(f"{row.key}: {row.title} (in {time.monotonic() - begun:.1f} s)")
    return list(results.values())


def _stage(row: Row) -> Stage:
    return row.stage


def _restart(benches: Sequence[Bench], stage: Stage) -> None:
    for bench in benches:
        bench.restart(stage.workers)
    for bench in benches:
        bench.wait_for_rest()


def _run(benches: Sequence[Bench], result: Result, runs: int) -> None:
    row = result.row
    if row.stage is Stage.FRESH:
        for bench in benches:
            bench.open_all()
        _restart(benches, row.stage)
    able = [bench for bench in benches if _is_able(bench, result)]
    if row.stage is Stage.FRESH:
        # a process reuses memory that it has allocated, so a second run would show less
        for bench in able:
            if measured := _measured(bench, result):
                result.add(bench.name, measured)
        return
    last = {bench.name: measured for bench in able if (measured := _measured(bench, result))}
    begun = time.monotonic()
    for number in range(runs):
        if number >= FEWEST_RUNS and time.monotonic() - begun > LONG:
            break
        # the order changes with each turn, because the first server runs with cold processor caches
        for bench in able if number % 2 == 0 else reversed(able):
            if bench.name not in last:
                continue
            if measured := _measured(bench, result):
                last[bench.name] = measured
                result.add(bench.name, measured)
            else:
                del last[bench.name]
    result.difference = _compare([measured.check() for measured in last.values()])


def _measured(bench: Bench, result: Result) -> Measured | None:
    """One more run; None if the server failed, so that the rest can still be measured."""
    try:
        return result.row.measure(bench)
    except OSError as error:
        result.failures.append(f"{bench.name}: {error}")
        result.figures.pop(bench.name, None)
        result.cpus.pop(bench.name, None)
        bench.hang_up()
        return None


def _is_able(bench: Bench, result: Result) -> bool:
    missing = [name for name in result.row.needs if name not in bench.capabilities]
    if missing:
        result.remarks.append(f"{bench.name} does not announce {', '.join(missing)}")
    return not missing


def _compare(answers: Sequence[Any]) -> str | None:
    if len(answers) < 2 or answers[0] == answers[1]:
        return None
    return difference(answers[0], answers[1])
