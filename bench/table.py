"""The results as a table, for people: at most 120 columns."""

from __future__ import annotations

from collections.abc import Sequence

from bench.rows.registry import Unit
from bench.turns import Result

TITLE = 51


def table(results: Sequence[Result], names: Sequence[str]) -> str:
    """One line for each row: each server's figure and processor time, the ratio, what was asked, ``!`` where missed."""
    is_pair = len(names) > 1
    head = f"{'':13}{'':{TITLE}}" + "".join(f"{name:>11}{'CPU':>8}" for name in names)
    lines = [head + (f"{'ratio':>9}{'asked':>8}" if is_pair else "")]
    for result in results:
        line = f"{result.row.key:13}{result.row.title:{TITLE}}"
        for name in names:
            line += f"{_figure(result.figure(name), result.row.unit):>11}{_figure(result.cpu(name), Unit.SECONDS):>8}"
        if is_pair:
            line += f"{_ratio(result.ratio()):>9}{_asked(result):>8}{' !' if result.is_above else ''}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def _figure(figure: float | None, unit: Unit) -> str:
    if figure is None:
        return "-"
    if unit is Unit.SECONDS:
        return f"{figure:.4f}" if figure < 1 else f"{figure:.3f}"
    return f"{figure:.1f} {unit.value}"


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return "-"
    return f"{ratio:.4f}" if ratio < 0.1 else f"{ratio:.2f}"


def _asked(result: Result) -> str:
    asked = f"{result.row.asked:g}"
    return f"{asked} {result.row.unit.value}" if result.row.is_absolute else asked
