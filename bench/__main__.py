"""``python -m bench``: mektup beside Dovecot, in turn, on the same mail.

Without a Dovecot it says so and measures mektup alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

from bench import dovecot
from bench.dovecot import Dovecot
from bench.fill import MektupFilling, fill_dovecot
from bench.machine import machine
from bench.mail import generate
from bench.mektup import Mektup
from bench.rows import ROWS
from bench.rows.registry import CROWD, CROWD_MESSAGES, FOLDERS, PASSWORD, READER, WRITER, Bench, Row, Server
from bench.sets import ROUNDS, SETS
from bench.sets.idle_scale import ACCOUNTS
from bench.sets.lines import Line, merged
from bench.table import set_table, table
from bench.turns import FEWEST_RUNS, Result, measure
from mektup.server.self_signed import pair_under

LIMITS = "[limits]\nconnections_per_account = 2000\nconnections_per_address_before_login = 1000\n"


def main(words: Sequence[str]) -> int:
    """Runs the benchmark; the exit status is 1 when the servers' answers differ."""
    options = parsed(words)
    rows, sets = chosen(options.rows)
    begun = time.monotonic()
    raise_descriptor_limit()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mektup-bench-", dir=options.folder)))
        folder.chmod(0o755)
        benches = prepared(stack, folder, options.messages, sets)
        heading = described(benches, folder, options)
        names = [bench.name for bench in benches]
        results = measure(benches, rows, options.runs, say)
        print(f"\n{heading}")
        if results:
            print("", table(results, names), *remarks(results), sep="\n", flush=True)
        figures = {}
        for key in sets:
            say(key)
            figures[key] = measured_set(benches, key)
            print("", set_table(key, figures[key], names), sep="\n", flush=True)
    say(f"{time.monotonic() - begun:.0f} seconds in all")
    if options.json:
        Path(options.json).write_text(as_json(results, figures, names, heading))
    return 1 if any(result.difference for result in results) else 0


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    keys = ", ".join([*(row.key for row in ROWS), *SETS])
    parser.add_argument("rows", nargs="*", help=f"what to measure, of {keys}; every row when nothing is named")
    parser.add_argument("--messages", type=int, default=20_000, help="how many messages (default: 20000)")
    parser.add_argument("--runs", type=int, default=5, help="how many runs of each row (default: 5)")
    parser.add_argument("--folder", help="where both servers keep their mail; a temporary folder below it is made")
    parser.add_argument("--json", metavar="FILE", help="write every run's figures to FILE")
    return parser.parse_args(words)


def chosen(keys: Sequence[str]) -> tuple[list[Row], list[str]]:
    """The rows and the sets named by *keys* (a key may hold several, with commas between); every row for none."""
    wanted = [key for word in keys for key in word.split(",") if key]
    known = [*(row.key for row in ROWS), *SETS]
    if unknown := set(wanted) - set(known):
        raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return [row for row in ROWS if not wanted or row.key in wanted], [key for key in SETS if key in wanted]


def prepared(stack: ExitStack, folder: Path, messages: int, sets: Sequence[str]) -> list[Bench]:
    """Both servers, filled and stopped, mektup first; each ends with *stack*."""
    plan = {READER: messages, WRITER: 0, FOLDERS: 0} | dict.fromkeys(CROWD, CROWD_MESSAGES)
    if "idle-scale" in sets:
        plan |= dict.fromkeys(ACCOUNTS, 0)
    mektup = Mektup(folder / "mektup", workers=1, settings=LIMITS)
    say(f"filling {mektup.name} {mektup.version} with {messages:,} messages")
    filling = MektupFilling(mektup.data, plan)
    servers: list[Server] = [mektup]
    if reason := dovecot.missing():
        say(f"no Dovecot beside it: {reason}")
    else:
        pair = pair_under(mektup.data / "tls", "mektup")
        users = dict.fromkeys(plan, PASSWORD)
        beside = Dovecot(folder / "dovecot", users, certificate=pair.cert, key=pair.key)
        say(f"filling {beside.name} {beside.version}")
        fill_dovecot(beside, plan)
        servers.append(beside)
    filling.wait()
    mail = list(generate(messages))
    benches = [Bench(server, mail) for server in servers]
    for bench in benches:
        stack.callback(bench.server.stop)
        stack.callback(bench.hang_up)
    return benches


def described(benches: Sequence[Bench], folder: Path, options: argparse.Namespace) -> str:
    """What was measured, and where."""
    servers = " and ".join(f"{bench.server.name} {bench.server.version}" for bench in benches)
    octets = sum(len(mail.raw) for mail in benches[0].mail)
    return (
        f"{servers}; INBOX of {options.messages:,} messages, {octets / 1e6:,.0f} MB; medians of {options.runs} runs,"
        f" of {min(FEWEST_RUNS, options.runs)} where they take long\n{machine(folder)}"
    )


def remarks(results: Sequence[Result]) -> Iterator[str]:
    """What the table cannot say."""
    for result in results:
        for remark in result.remarks:
            yield f"{result.row.key}: not measured: {remark}"
        if result.difference:
            yield f"{result.row.key}: DIFFERENT ANSWERS: {result.difference}"


def measured_set(benches: Sequence[Bench], key: str) -> list[Line]:
    """The figures of a set, of each server in turn."""
    return merged([line for _ in range(ROUNDS.get(key, 1)) for bench in benches for line in SETS[key](bench)])


def as_json(
    results: Sequence[Result], figures: Mapping[str, Sequence[Line]], names: Sequence[str], heading: str
) -> str:
    """Everything that was measured, for programs."""
    rows = [
        {
            "key": result.row.key,
            "title": result.row.title,
            "unit": result.row.unit.value,
            "figures": result.figures,
            "cpu_seconds": result.cpus,
            "ratio": result.ratio(),
            "asked": result.row.asked,
            "asked_is_absolute": result.row.is_absolute,
            "is_above": result.is_above,
            "remarks": result.remarks,
            "difference": result.difference,
        }
        for result in results
    ]
    sets = {key: [{**asdict(line), "is_above": line.is_above} for line in lines] for key, lines in figures.items()}
    return json.dumps({"heading": heading, "servers": list(names), "rows": rows, "sets": sets}, indent=2) + "\n"


def raise_descriptor_limit() -> None:
    """As many open files as this user may have, for the clients here and for the servers, which inherit it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def say(text: str) -> None:
    """Tells how far it has come."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
