"""``python -m bench.plot RESULTS.json PICTURE.svg`` draws the results that ``--json`` wrote, without a library.

Results of one size become a bar for each row: mektup's figure divided by Dovecot's, with a mark at the bound. Results
of several sizes become a small chart for each row: the seconds of both servers by the size of the mailbox.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from statistics import median
from typing import Any

INK, FAINT, GOOD, BAD = "#24292f", "#d0d7de", "#1a7f64", "#b35900"
COLOURS = {"mektup": GOOD, "Dovecot": "#57606a"}

Object = dict[str, Any]
"""A JSON object."""


def bars(found: Object) -> str:
    """For one size: mektup's figures divided by Dovecot's, on a logarithmic scale."""
    rows = [row for row in found["rows"] if row["ratio"]]
    step, left, right, top = 22, 420, 880, 64
    lowest, highest = -3.0, 1.0

    def place(ratio: float) -> float:
        share = (math.log10(ratio) - lowest) / (highest - lowest)
        return left + (right - left) * min(1.0, max(0.0, share))

    def drawn() -> Iterator[str]:
        for power in range(int(lowest), int(highest) + 1):
            across = place(10.0**power)
            yield _line(across, top - 12, across, top + step * len(rows), INK if power == 0 else FAINT)
            yield _text(across, top - 18, f"{10.0**power:g}", anchor="middle")
        for number, row in enumerate(rows):
            down = top + step * number
            colour = BAD if row["is_above"] else GOOD
            begin, end = sorted((place(row["ratio"]), place(1.0)))
            yield _text(left - 10, down + 14, row["title"], anchor="end")
            yield f'<rect x="{begin:.1f}" y="{down + 3}" width="{end - begin:.1f}" height="14" fill="{colour}"/>'
            if not row["asked_is_absolute"]:
                asked = place(row["asked"])
                yield _line(asked, down, asked, down + 20, INK, width=2)
            yield _text(right + 60, down + 14, f"{row['ratio']:.3g}", anchor="end")

    titles = [
        _text(left - 10, 20, "mektup's figure over Dovecot's: left of 1, mektup is ahead", anchor="end", size=13),
        _text(left - 10, 38, "a black stroke is the ratio that is asked for", anchor="end"),
    ]
    return _picture(right + 80, top + step * len(rows) + 16, [*titles, *drawn()])


def charts(found: Sequence[Object]) -> str:
    """For several sizes: a chart for each row, both axes logarithmic."""
    wide, high, columns = 280, 190, 4
    shapes = []
    for number, row in enumerate(found[-1]["rows"]):
        left, top = 50 + wide * (number % columns), 56 + high * (number // columns)
        shapes += list(_chart(found, row["key"], row["title"], left, top, wide - 80, high - 80))
    lines = -(-len(found[-1]["rows"]) // columns)
    legend = [
        _text(50 + 90 * place, 18, name, colour=COLOURS[name], size=13)
        for place, name in enumerate(found[-1]["servers"])
    ]
    return _picture(wide * columns + 20, high * lines, [*legend, *shapes])


def _chart(
    found: Sequence[Object], key: str, title: str, left: float, top: float, wide: float, high: float
) -> Iterator[str]:
    sizes = [each["messages"] for each in found]
    series = {name: [_figure(each, key, name) for each in found] for name in found[-1]["servers"]}
    known = [figure for figures in series.values() for figure in figures if figure]
    if not known:
        return
    lowest, highest = math.floor(math.log10(min(known))), math.ceil(math.log10(max(known)))
    highest = max(highest, lowest + 1)
    first, last = math.log10(sizes[0]), math.log10(sizes[-1])

    def spot(size: int, figure: float) -> tuple[float, float]:
        across = left + wide * (math.log10(size) - first) / (last - first)
        return across, top + high * (highest - math.log10(figure)) / (highest - lowest)

    yield _text(left, top - 6, title if len(title) <= 38 else f"{title[:37]}…")
    for power in range(lowest, highest + 1):
        down = spot(sizes[0], 10.0**power)[1]
        yield _line(left, down, left + wide, down, FAINT)
        yield _text(left - 5, down + 4, f"{10.0**power:g} s", anchor="end", size=9)
    for size in sizes:
        yield _text(spot(size, 10.0**lowest)[0], top + high + 13, f"{size:,}", anchor="middle", size=9)
    for name, figures in series.items():
        spots = [spot(size, figure) for size, figure in zip(sizes, figures, strict=True) if figure]
        points = " ".join(f"{across:.1f},{down:.1f}" for across, down in spots)
        yield f'<polyline points="{points}" fill="none" stroke="{COLOURS[name]}" stroke-width="2"/>'
        for across, down in spots:
            yield f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3" fill="{COLOURS[name]}"/>'


def _figure(found: Object, key: str, server: str) -> float | None:
    for row in found["rows"]:
        if row["key"] == key and row["figures"].get(server):
            return float(median(row["figures"][server]))
    return None


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, *, width: int = 1) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" stroke-width="{width}"/>'


def _text(x: float, y: float, text: str, *, anchor: str = "start", colour: str = INK, size: int = 11) -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} font-size="{size}" fill="{colour}">{escape(text)}</text>'


def _picture(wide: float, high: float, shapes: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" font-family="sans-serif">'
    return "\n".join([head, f'<rect width="{wide:.0f}" height="{high:.0f}" fill="#ffffff"/>', *shapes, "</svg>", ""])


def main(words: Sequence[str]) -> int:
    """Reads results, writes a picture."""
    if len(words) != 2:
        print("usage: python -m bench.plot RESULTS.json PICTURE.svg", file=sys.stderr)
        return 2
    found = json.loads(Path(words[0]).read_text(encoding="utf-8"))
    Path(words[1]).write_text(charts(found) if isinstance(found, list) else bars(found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
