"""How the cost of a row grows with the size of a mailbox."""

from __future__ import annotations

from collections.abc import Sequence

from bench.report import Report

GROWING = (
    "select status flags envelope structure thunderbird body partial store store-all unseen subject rare common sort "
    "thread copy qresync qresync-all"
).split()
"""The rows that depend on the number of messages."""


def scale_table(reports: Sequence[Report]) -> str:
    """A line for each row and server: the seconds at each size, and how much they grow from the first to the last."""
    sizes = [f"{report.messages:,}" for report in reports]
    growth = reports[-1].messages / reports[0].messages
    lines = [f"{'seconds, by messages in the mailbox':48}{'':9}" + "".join(f"{size:>11}" for size in sizes)]
    lines[0] += f"{f'of x{growth:g}':>10}"
    for place, result in enumerate(reports[-1].results):
        for number, name in enumerate(reports[-1].names):
            figures = [report.results[place].figure(name) for report in reports]
            line = f"{'' if number else result.row.title[:47]:48}{name:9}"
            line += "".join(f"{'-' if figure is None else f'{figure:.4f}':>11}" for figure in figures)
            first, last = figures[0], figures[-1]
            lines.append(line + (f"{'x' + format(last / first, '.3g'):>10}" if first and last else ""))
    return "\n".join(lines)
