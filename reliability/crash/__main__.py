"""Runs the crash test, and prints what it did."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from reliability import report
from reliability.crash.layouts import LAYOUTS
from reliability.crash.run import Fault, Run

SHORT_KILLS, SHORT_SECONDS = 150, 75.0


def main() -> int:
    """Returns the exit status: 1 if a fault was found."""
    parser = argparse.ArgumentParser(prog="python -m reliability.crash", description=main.__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after so many seconds")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--layouts", default="one,one,pair,pair,workers", help="of one, pair and workers; how often")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_KILLS} kills, in {SHORT_SECONDS:.0f} s at most")
    parser.add_argument("--directory", type=Path, help="where the data is made; else in the directory for such files")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    wanted = parser.parse_args()
    if wanted.short:
        wanted.kills, wanted.seconds = SHORT_KILLS, SHORT_SECONDS
    layouts = tuple(wanted.layouts.split(","))
    if not set(layouts) <= LAYOUTS.keys():
        parser.error(f"layouts are {', '.join(LAYOUTS)}")
    directory = Path(tempfile.mkdtemp(prefix="crash-", dir=wanted.directory))
    run = Run(directory, seed=wanted.seed, layouts=layouts)
    began = time.monotonic()
    fault: Fault | None = None
    try:
        run.kill_so_often(wanted.kills, began + wanted.seconds, lambda kills: print(kills, "kills", file=sys.stderr))
    except Fault as error:
        fault = error
    table = "\n".join(_table(run, wanted.seed, time.monotonic() - began, fault))
    if fault is not None:
        _explain(run, fault, directory)
    else:
        shutil.rmtree(directory)
    print(table)
    if wanted.write and fault is None:
        report.write("crash", table)
    return 0 if fault is None else 1


def _table(run: Run, seed: int, seconds: float, fault: Fault | None) -> Iterator[str]:
    figures, look = run.figures, run.look
    yield report.heading(run.directory if run.directory.exists() else Path())
    yield f"seed {seed}"
    yield ""
    for kind, count in sorted(figures.kills.items()):
        yield f"{'killed: ' + kind:<44}{count:>14,}"
    yield f"{'kills':<44}{figures.kills.total():>14,}"
    for moment, count in sorted(figures.moments.items(), key=lambda each: each[0].value):
        yield f"{'  ' + moment.value:<44}{count:>14,}"
    journals = run.scene.journals.values()
    yield f"{'operations acknowledged':<44}{sum(each.acknowledged for each in journals):>14,}"
    yield f"{'operations in flight when a process died':<44}{figures.unanswered:>14,}"
    yield f"{'messages compared (flags, date, UID, modseq)':<44}{look.messages:>14,}"
    yield f"{'  their octets read, and digests compared':<44}{look.bodies:>14,}"
    yield f"{'octets sent':<44}{run.scene.post.octets:>14,}"
    yield f"{'octets read and compared':<44}{look.octets:>14,}"
    yield f"{'searches compared with a scan':<44}{look.searches:>14,}"
    yield f"{'QRESYNC clients compared':<44}{look.resyncs:>14,}"
    yield f"{'copies of the files checked without a server':<44}{figures.copies:>14,}"
    yield f"{'seconds':<44}{seconds:>14,.0f}"
    yield f"{'faults':<44}{int(fault is not None):>14,}"


def _explain(run: Run, fault: Fault, directory: Path) -> None:
    print(f"FAULT in round {run.round}:\n{fault}\n", file=sys.stderr)
    for name, journal in run.scene.journals.items():
        if f"{name}:" in str(fault) or f"{name}:" not in "".join(f"{each}:" for each in run.scene.journals):
            print(f"The last lines of the journal of {name}:", *journal.lines, sep="\n", file=sys.stderr)
    print("The servers' logs:", *run.log, sep="\n", file=sys.stderr)
    print(f"The data directory is {directory}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
