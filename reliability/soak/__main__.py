"""Runs a soak, and prints its figures."""

from __future__ import annotations

import argparse
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.start import raise_descriptor_limit
from reliability import report
from reliability.soak.run import Soak

SHORT_SECONDS, SHORT_CLIENTS = 45.0, 40
SHOWN = ("login", "NOOP", "SELECT", "FETCH", "APPEND", "STORE", "COPY", "MOVE", "EXPUNGE", "CREATE")
"""Commands whose durations are printed."""


def seconds_of(text: str) -> float:
    """A duration such as 90s, 20m or 1h. Raises ValueError."""
    if (found := re.fullmatch(r"([\d.]+)([smh]?)", text)) is None:
        raise ValueError(text)
    return float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]]


def main() -> int:
    """Returns the exit status: 1 if a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m reliability.soak", description=main.__doc__)
    parser.add_argument("--time", type=seconds_of, default=3600.0, help="90s, 20m or 1h")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument(
        "--pace", type=float, default=1.0, help="seconds between two operations of a client, on average"
    )
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--short", action="store_true", help=f"{SHORT_CLIENTS} clients, {SHORT_SECONDS:.0f} s of load")
    parser.add_argument("--directory", type=Path, help="where the data is made; else in the directory for such files")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    wanted = parser.parse_args()
    if wanted.short:
        wanted.time, wanted.clients = SHORT_SECONDS, SHORT_CLIENTS
    raise_descriptor_limit()
    directory = Path(tempfile.mkdtemp(prefix="soak-", dir=wanted.directory))
    soak = Soak(directory, clients=wanted.clients, seed=wanted.seed, seconds=wanted.time, pace=wanted.pace)
    began = time.monotonic()
    soak.run()
    table = "\n".join(_table(soak, wanted, time.monotonic() - began))
    faults = soak.figures.faults
    if faults:
        _explain(soak)
    else:
        shutil.rmtree(directory)
    print(table)
    if wanted.write and not faults:
        report.write("soak", table)
    return 1 if faults else 0


def _table(soak: Soak, wanted: argparse.Namespace, seconds: float) -> Iterator[str]:
    figures, scene, troubles = soak.figures, soak.scene, soak.troubles
    yield report.heading(soak.directory if soak.directory.exists() else Path())
    yield f"{wanted.clients} clients, {len(scene.journals)} accounts, 2 workers; seed {wanted.seed}"
    yield ""
    commands = sum(each.count for each in scene.durations.values())
    load = max(figures.load_seconds, 1.0)
    yield _row("seconds of load, of the whole run", f"{figures.load_seconds:,.0f} of {seconds:,.0f}")
    yield _row("sessions of IMAP", f"{scene.sessions:,}")
    yield _row("commands of IMAP, a second of load", f"{commands:,}, {commands / load:,.0f}")
    yield _row("changes and deliveries acknowledged", f"{scene.answered:,}, {scene.answered / load:,.0f} a second")
    for trouble, count in sorted(troubles.counts.items() if troubles is not None else ()):
        yield _row(trouble, f"{count:,}")
    for end, count in sorted(scene.ends.items()):
        yield _row(f"sessions that the server ended: {end}", f"{count:,}")
    yield _row("comparisons of an account with its journal", f"{figures.comparisons:,}")
    yield _row("messages compared, their octets read", f"{soak.look.messages:,}, {soak.look.bodies:,}")
    yield _row("searches compared, QRESYNC clients compared", f"{soak.look.searches:,}, {soak.look.resyncs:,}")
    memory = [each.pss / 1e6 for each in figures.samples] or [0.0]
    yield _row("memory (PSS) of all processes, MB", f"{memory[0]:.1f} first, {max(memory):.1f} at most")
    for name, grown in figures.growth.items():
        yield _row(f"growth of {name} in the second half, MB an hour", f"{grown / 1e6:.2f}")
        quarters = ", ".join(f"{each / 1e6:.0f}" for each in figures.quarters[name])
        yield _row(f"resident memory of {name} after each quarter, MB", quarters)
    yield _row("descriptors without clients, before and after", f"{figures.files_before}, {figures.files_after}")
    yield _row(
        "files of accounts, MB; after all was expunged",
        f"{figures.octets_before / 1e6:.1f}; {figures.octets_after / 1e6:.1f}",
    )
    for name in SHOWN:
        if (each := scene.durations.get(name)) is not None:
            times = f"{each.share(50) * 1000:.1f}, {each.share(99) * 1000:.0f}, {each.longest * 1000:.0f}"
            yield _row(f"{name}, ms: median, p99, longest of {each.count:,}", times)
    yield _row("faults", f"{len(figures.faults)}")


def _row(what: str, value: str) -> str:
    return f"{what:<52}{value:>26}"


def _explain(soak: Soak) -> None:
    for fault in soak.figures.faults[:20]:
        print(f"FAULT: {fault}\n", file=sys.stderr)
    if soak.troubles is not None:
        print("What was done:", *soak.troubles.history, sep="\n", file=sys.stderr)
    print("Workers:", *soak.figures.worker_ends, sep="\n", file=sys.stderr)
    for name, journal in soak.scene.journals.items():
        if any(f"{name}:" in fault for fault in soak.figures.faults):
            print(f"The last lines of the journal of {name}:", *journal.lines, sep="\n", file=sys.stderr)
    if soak.server is not None:
        print("The server's log:", *soak.server.log, sep="\n", file=sys.stderr)
    print(f"The data directory is {soak.directory}; server.log there has the whole log", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
