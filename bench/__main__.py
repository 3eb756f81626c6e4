"""``python -m bench``: mektup beside Dovecot, in turn, on the same mail.

Without a Dovecot it says so and measures mektup alone.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from bench.machine import machine
from bench.report import Report, as_json, remarks
from bench.rows import ROWS
from bench.rows.registry import Bench, Row
from bench.scale import GROWING, scale_table
from bench.sets import ROUNDS, SETS
from bench.sets.idle_scale import ACCOUNTS
from bench.sets.lines import Line, merged
from bench.start import filled, filled_beside_before, raise_descriptor_limit, say
from bench.table import set_table, table
from bench.turns import FEWEST_RUNS, measure

SLOWER = 1.03
"""With ``--before``, a row may take at most so many times its earlier time."""


def main(words: Sequence[str]) -> int:
    """Runs the benchmark; the exit status is 1 when the servers' answers differ, or one failed."""
    options = parsed(words)
    rows, sets = chosen(options.rows, is_scale=len(options.messages) > 1)
    begun = time.monotonic()
    raise_descriptor_limit()
    reports = []
    for messages in options.messages:
        reports.append(measured(options, messages, rows, sets))
        print(*remarks(reports[-1].results), sep="\n", flush=True)
    if len(reports) > 1:
        print(f"\n{scale_table(reports)}")
    say(f"{time.monotonic() - begun:.0f} seconds in all")
    if options.json:
        Path(options.json).write_text(as_json(reports))
    return 1 if any(result.difference or result.failures for report in reports for result in report.results) else 0


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    keys = ", ".join([*(row.key for row in ROWS), *SETS])
    parser.add_argument("rows", nargs="*", help=f"what to measure, of {keys}; every row when nothing is named")
    parser.add_argument(
        "--messages",
        type=lambda text: [int(number) for number in text.split(",")],
        default=[20_000],
        help="how many messages (default: 20000); several numbers with commas between show how costs grow",
    )
    parser.add_argument("--runs", type=int, default=5, help="how many runs of each row (default: 5)")
    parser.add_argument(
        "--before",
        metavar="CHECKOUT",
        type=Path,
        help="another checkout of mektup, where make has made .venv: it is measured in Dovecot's place, and a ratio"
        f" above {SLOWER:g} is marked",
    )
    parser.add_argument("--folder", help="where both servers keep their mail; a temporary folder below it is made")
    parser.add_argument("--json", metavar="FILE", help="write every run's figures to FILE")
    return parser.parse_args(words)


def chosen(keys: Sequence[str], *, is_scale: bool) -> tuple[list[Row], list[str]]:
    """The rows and the sets named by *keys*; one key may hold several names, separated by commas.

    Without keys: every row, or with *is_scale* the rows that depend on the size of a mailbox.
    """
    wanted = [key for word in keys for key in word.split(",") if key]
    known = [*(row.key for row in ROWS), *SETS]
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if not wanted:
        wanted = list(GROWING) if is_scale else known
        return [row for row in ROWS if row.key in wanted], []
    return [row for row in ROWS if row.key in wanted], [key for key in SETS if key in wanted]


def measured(options: argparse.Namespace, messages: int, rows: Sequence[Row], sets: Sequence[str]) -> Report:
    """Measures the chosen rows and sets for a mailbox of *messages*, and prints the results one by one."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mektup-bench-", dir=options.folder)))
        folder.chmod(0o755)
        accounts = ACCOUNTS if "idle-scale" in sets else ()
        if options.before is None:
            benches = filled(stack, folder, messages, accounts)
        else:
            benches = filled_beside_before(stack, folder, messages, options.before.absolute(), accounts)
            rows = [replace(row, asked=SLOWER, is_absolute=False) for row in rows]
        report = Report(messages, [bench.name for bench in benches], described(benches, folder, options.runs))
        report.results = measure(benches, rows, options.runs, say)
        print(f"\n{report.heading}")
        if rows:
            print("", table(report.results, report.names), sep="\n", flush=True)
        for key in sets:
            say(key)
            report.sets[key] = measured_set(benches, key)
            print("", set_table(key, report.sets[key], report.names), sep="\n", flush=True)
    return report


def measured_set(benches: Sequence[Bench], key: str) -> list[Line]:
    """Measures a set on each server in turn."""
    return merged([line for _ in range(ROUNDS.get(key, 1)) for bench in benches for line in SETS[key](bench)])


def described(benches: Sequence[Bench], folder: Path, runs: int) -> str:
    """A line about what is measured, and one about the machine."""
    servers = " and ".join(f"{bench.server.name} {bench.server.version}" for bench in benches)
    return (
        f"{servers}; INBOX of {benches[0].messages:,} messages, {benches[0].octets / 1e6:,.0f} MB;"
        f" medians of {runs} runs, of {min(FEWEST_RUNS, runs)} where they take long\n{machine(folder)}"
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
