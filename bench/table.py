"""Prints the results as a table of at most 120 columns."""

from __future__ import annotations

from collections.abc import Sequence

from bench.rows.registry import Unit
from bench.sets.lines import Line
from bench.turns import Result

TITLE = 53


def table(results: Sequence[Result], names: Sequence[str]) -> str:
    """A line for each row: figure and processor time of each server, the ratio, the bound, ``!`` if it was missed."""
    is_pair = len(names) > 1
    head = f"{'':13}{'':{TITLE}}" + "".join(f"{name:>10}{'CPU':>8}" for name in names)
    lines = [head + (f"{'ratio':>8}{'asked':>8}" if is_pair else "")]
    for result in results:
        line = f"{result.row.key:13}{result.row.title:{TITLE}}"
        for name in names:
            line += f"{_figure(result.figure(name), result.row.unit):>10}{_figure(result.cpu(name), Unit.SECONDS):>8}"
        if is_pair:
            line += f"{_ratio(result.ratio()):>8}{_asked(result):>8}{' !' if result.is_above else ''}"
        lines.append(line.rstrip())
    return "\n".join(lines)


def set_table(key: str, lines: Sequence[Line], names: Sequence[str]) -> str:
    """One line for each figure of the set *key*."""
    is_pair = len(names) > 1
    head = f"{key:13}{'':{TITLE}}" + "".join(f"{name:>15}" for name in names)
    shown = [head + (f"{'ratio':>9}{'asked':>8}" if is_pair else f"{'asked':>8}")]
    for line in lines:
        text = f"{'':2}{line.title:{TITLE + 11}}"
        for name in names:
            figure = line.figures.get(name)
            text += f"{'-' if figure is None else f'{_plain(figure)} {line.unit}'.rstrip():>15}"
        if is_pair:
            text += f"{_ratio(line.ratio):>9}"
        text += f"{'' if line.asked is None else f'{line.asked:g}':>8}{' !' if line.is_above else ''}"
        shown.append(text.rstrip())
    return "\n".join(shown)


def _plain(figure: float) -> str:
    return f"{figure:,.0f}" if figure >= 1000 or figure == int(figure) else f"{figure:.3g}"


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
