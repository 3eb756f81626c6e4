"""Lets parts of a cluster fail under writers, and prints what was found: ``python -m reliability.cluster``."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from reliability.cluster.million import simulate
from reliability.cluster.scene import Outcome
from reliability.cluster.trials import TRIALS
from reliability.report import heading, write

SIZE = 500
SHORT_SIZE = 60
MILLION = 1_000_000


def main() -> int:
    """Returns the exit status."""
    options = _options()
    logging.getLogger("psycopg").setLevel(logging.CRITICAL)  # it warns of each connection that is lost here on purpose
    outcomes = [] if options.accounts else asyncio.run(_play(options))
    lines = [f"seed {options.seed}", "", *_table(outcomes)] if outcomes else []
    if options.accounts:
        lines = asyncio.run(simulate(options.accounts, options.seed))
    table = "\n".join((heading(Path(tempfile.gettempdir())), "", *lines))
    print(table)
    wrong = [f"{each.name}: {problem}" for each in outcomes for problem in each.wrong]
    print("\n".join(wrong[:50]), file=sys.stderr)
    if options.write and not wrong:
        write("million" if options.accounts else "cluster", table)
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    reading = argparse.ArgumentParser(prog="python -m reliability.cluster")
    reading.add_argument("--seed", type=int, default=1)
    reading.add_argument("--size", type=int, default=SIZE, help="changes before, during and after each fault")
    reading.add_argument("--short", action="store_true")
    reading.add_argument("--trial", default="", help="only the one with this name")
    reading.add_argument("--accounts", type=int, default=0, help="only the simulation of so many accounts")
    reading.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    return reading.parse_args()


async def _play(options: argparse.Namespace) -> list[Outcome]:
    outcomes = []
    for trial in TRIALS:
        if options.trial in ("", trial.__name__):
            outcomes.append(await trial(options.seed, SHORT_SIZE if options.short else options.size))
            print(*_table(outcomes[-1:]), sep="\n", file=sys.stderr, flush=True)
    return outcomes


def _table(outcomes: list[Outcome]) -> list[str]:
    rows = [("fault", "acknowledged", "refused", "not known", "longest wait", "wrong", "")]
    for each in outcomes:
        counts = (f"{each.acknowledged:,}", f"{each.refused:,}", f"{each.uncertain:,}")
        rows.append((each.name, *counts, f"{each.longest:.1f} s", str(len(each.wrong)), each.more))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


if __name__ == "__main__":
    sys.exit(main())
