"""The results as a table, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bench.rows import Row

Times = Mapping[str, Sequence[float]]
"""The seconds of each run, by server."""


def ratio(times: Times, mine: str, theirs: str) -> float | None:
    """My time over theirs: below 1, I am the faster one. None where one of them was not measured."""
    if not times.get(mine) or not times.get(theirs):
        return None
    return median(times[mine]) / median(times[theirs])


def shown(row: Row, seconds: Sequence[float]) -> str:
    """The median of the runs, in the unit of the row."""
    if not seconds:
        return "-"
    middle = median(seconds)
    return f"{row.per_run / middle:,.0f} /s" if row.is_rate else f"{middle:.4f} s"


def table(results: Mapping[Row, Times], names: Sequence[str]) -> str:
    """One line for each row: its title, each server's median, and the ratio of the first two servers' times."""
    lines = [["", *names, *(["ratio"] if len(names) > 1 else [])]]
    for row, times in results.items():
        line = [row.title, *(shown(row, times.get(name, ())) for name in names)]
        if len(names) > 1:
            quotient = ratio(times, names[0], names[1])
            line.append("-" if quotient is None else f"{quotient:.2f}")
        lines.append(line)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )
