"""The lines of a set of figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(slots=True)
class Line:
    """One figure, of each server that was measured."""

    title: str
    unit: str
    figures: dict[str, float]
    asked: float | None = None
    """The bound for mektup's figure."""

    @property
    def is_above(self) -> bool:
        """Whether mektup misses the bound."""
        mine = self.figures.get("mektup")
        return self.asked is not None and mine is not None and mine > self.asked

    @property
    def ratio(self) -> float | None:
        """mektup's figure divided by the other server's."""
        mine = self.figures.get("mektup")
        theirs = next((figure for name, figure in self.figures.items() if name != "mektup"), None)
        return None if mine is None or not theirs else mine / theirs


def merged(found: Sequence[Line]) -> list[Line]:
    """One line for each title, with the median of each server's figures."""
    titles: dict[str, list[Line]] = {}
    for line in found:
        titles.setdefault(line.title, []).append(line)
    return [_merged(lines) for lines in titles.values()]


def _merged(lines: Sequence[Line]) -> Line:
    figures: dict[str, list[float]] = {}
    for line in lines:
        for name, figure in line.figures.items():
            figures.setdefault(name, []).append(figure)
    first = lines[0]
    return Line(first.title, first.unit, {name: median(values) for name, values in figures.items()}, first.asked)
