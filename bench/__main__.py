"""``python -m bench``: mektup beside Dovecot, in turn, on the same mail.

Without a Dovecot it says so and measures mektup alone.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from bench import dovecot
from bench.client import ImapClient
from bench.dovecot import Dovecot
from bench.mail import Generator
from bench.mektup import Mektup
from bench.rows import PASSWORD, READER, ROWS, WRITER, Bench, Measured, Row
from bench.table import ratio, table

AT_ONCE = 50
"""How many messages are appended in one go while a mailbox is filled, which is not measured."""


def main(words: Sequence[str]) -> int:
    """Runs the benchmark; the exit status is 1 when the servers' answers differ."""
    options = parsed(words)
    chosen = chosen_rows(options.rows)
    say(f"making {options.messages:,} messages")
    mail = list(Generator().messages(options.messages))
    say(f"{sum(map(len, mail)) / 1e6:,.1f} MB")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mektup-bench-", dir=options.folder)))
        folder.chmod(0o755)
        benches = start(stack, folder, mail)
        results, wrong = measure(benches, chosen, options.runs)
    names = [bench.name for bench in benches]
    print(f"\n{options.messages:,} messages in INBOX, one client on loopback, no TLS; medians of {options.runs} runs\n")
    print(table(results, names))
    if len(names) > 1:
        print("\nratio: mektup's time over Dovecot's; below 1, mektup is faster")
    if options.json:
        Path(options.json).write_text(as_json(results, names, options.messages))
    for line in wrong:
        print(f"DIFFERENT ANSWERS: {line}")
    return 1 if wrong else 0


def parsed(words: Sequence[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    keys = ", ".join(row.key for row in ROWS)
    parser.add_argument("rows", nargs="*", help=f"which rows to measure, of {keys}; all when none is named")
    parser.add_argument("--messages", type=int, default=20_000, help="how many messages (default: 20000)")
    parser.add_argument("--runs", type=int, default=5, help="how many runs of each row (default: 5)")
    parser.add_argument("--folder", help="where both servers keep their mail; a temporary folder below it is made")
    parser.add_argument("--json", metavar="FILE", help="write every run's seconds to FILE")
    return parser.parse_args(words)


def chosen_rows(keys: Sequence[str]) -> list[Row]:
    """The rows named by *keys* (a key may hold several, with commas between), or all."""
    wanted = [key for word in keys for key in word.split(",") if key]
    unknown = set(wanted) - {row.key for row in ROWS}
    if unknown:
        raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(row.key for row in ROWS)}")
    return [row for row in ROWS if not wanted or row.key in wanted]


def start(stack: ExitStack, folder: Path, mail: Sequence[bytes]) -> list[Bench]:
    """Starts the servers, mektup first, and fills them."""
    mektup = stack.enter_context(Mektup(folder / "mektup", workers=1))
    for name in (READER, WRITER):
        mektup.add_user(name, PASSWORD)
    servers: list[Mektup | Dovecot] = [mektup]
    if reason := dovecot.missing():
        say(f"no Dovecot beside it: {reason}")
    else:
        users = {READER: PASSWORD, WRITER: PASSWORD}
        servers.append(stack.enter_context(Dovecot(folder / "dovecot", users)))
    benches = []
    for server in servers:
        say(f"filling {server.name} {server.version}")
        addresses = {protocol: ("127.0.0.1", port) for protocol, port in server.ports.items()}
        fill(addresses["imap"], mail)
        benches.append(Bench(server.name, addresses, mail))
    return benches


def fill(address: tuple[str, int], mail: Sequence[bytes]) -> None:
    """Appends all of *mail* to the reader's INBOX."""
    client = ImapClient(address, READER, PASSWORD)
    for place in range(0, len(mail), AT_ONCE):
        client.run(*[b"APPEND INBOX {%d+}\r\n%b" % (len(raw), raw) for raw in mail[place : place + AT_ONCE]])
    client.run(b"LOGOUT")
    client.close()


def measure(
    benches: Sequence[Bench], rows: Sequence[Row], runs: int
) -> tuple[dict[Row, dict[str, list[float]]], list[str]]:
    """The seconds of each row's runs by server, and a line for each row on which the servers disagree.

    The servers take turns, and a first turn that is not counted warms both up.
    """
    results: dict[Row, dict[str, list[float]]] = {}
    wrong = []
    for row in rows:
        say(row.title)
        results[row] = {bench.name: [] for bench in benches}
        last: dict[str, Measured] = {}
        for run in range(runs + 1):
            for bench in benches:
                last[bench.name] = row.measure(bench)
                if run:
                    results[row][bench.name].append(last[bench.name].seconds)
        checks = {name: measured.check for name, measured in last.items()}
        if len(set(map(repr, checks.values()))) > 1:
            wrong.append(f"{row.title}: {checks}")
    return results, wrong


def as_json(results: dict[Row, dict[str, list[float]]], names: Sequence[str], messages: int) -> str:
    """Everything that was measured, for programs."""
    rows = [
        {
            "key": row.key,
            "title": row.title,
            "operations": row.per_run,
            "seconds": times,
            "ratio": ratio(times, names[0], names[1]) if len(names) > 1 else None,
        }
        for row, times in results.items()
    ]
    return json.dumps({"messages": messages, "servers": list(names), "rows": rows}, indent=2) + "\n"


def say(text: str) -> None:
    """Tells how far it has come."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
