"""``python -m reliability.fuzz``: throws mutated input at everything in mektup that reads what others wrote.

For each target it prints how many inputs it tried, how long the slowest took, and the peak of memory. A finding is an
exception that escapes, an input that takes over a second of processor time, memory that grows, time that grows faster
than n log n with the size of the input, or a property of the target that does not hold. Each is written to a folder
with its input and the command that repeats it. The exit status is 1 if there was one.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from reliability import report
from reliability.fuzz import engines, findings, table
from reliability.fuzz.judge import Judge, break_off_hanging_inputs
from reliability.fuzz.running import Plan, run
from reliability.fuzz.targets import TARGETS

SECONDS, SHORT_SECONDS = 600.0, 75.0
"""For all targets together."""

SHORT_SEED, SHORT_INPUTS = 1, 15_000
"""Of the short form, which checks a commit: it tries the same inputs of each target each time, on a fast machine, too.
Long runs look for new ones."""


def main(words: Sequence[str]) -> int:
    """Runs the targets; returns the exit status."""
    options = _parsed(words)
    if options.list:
        print(*(f"{target.name:18}{target.what}" for target in TARGETS.values()), sep="\n")
        return 0
    if options.repeat is not None:
        return _repeat(options.targets[0], options.repeat)
    seconds = options.time or (SHORT_SECONDS if options.short else SECONDS)
    chosen = options.targets or list(TARGETS)
    weights = sum(TARGETS[name].weight for name in chosen)
    outcomes = []
    began = time.monotonic()
    heading = f"{report.heading(Path.cwd())}\n{_engine_in_words(options.engine)}, seed {options.seed}\n\n{table.HEAD}"
    print(heading, flush=True)
    shares = {name: seconds * TARGETS[name].weight / weights for name in chosen}
    for outcome in run(shares, Plan(options.engine, options.seed, options.findings, options.inputs, options.corpus)):
        outcomes.append(outcome)
        print(table.line(outcome), flush=True)
        for each in outcome.found:
            print(f"  {each['kind']}\n  {findings.how_to_repeat(outcome.target, Path(each['path']))}", flush=True)
    print("", *table.findings(outcomes), table.total(outcomes), sep="\n")
    print(f"{time.monotonic() - began:.0f} seconds in all", file=sys.stderr)
    if options.write:
        lines = [heading, *map(table.line, outcomes), "", table.total(outcomes)]
        report.write("fuzz", "\n".join(lines))
    return 1 if any(outcome.found for outcome in outcomes) else 0


def _engine_in_words(engine: str) -> str:
    return "guided by coverage (atheris)" if engine == "guided" else "mutations without guidance (atheris is not used)"


def _repeat(name: str, path: Path) -> int:
    """Runs one input again, without catching anything, and looks at how its time grows."""
    octets = path.read_bytes()
    judge = Judge(TARGETS[name], lambda finding: print(finding.kind, finding.detail, sep="\n"))
    break_off_hanging_inputs(judge)
    seconds = judge.run(octets)
    half = judge.run(octets[: len(octets) // 2])
    print(f"{len(octets)} octets: {seconds * 1000:.1f} ms; its first half: {half * 1000:.1f} ms")
    return 1 if judge.kinds else 0


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", help="which; all when none is named")
    parser.add_argument("--time", type=float, help=f"seconds for all together; {SECONDS:.0f} unless said otherwise")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_SECONDS:.0f} seconds, without guidance")
    parser.add_argument("--engine", choices=("guided", "mutating"), help="guided where atheris is installed")
    parser.add_argument("--seed", type=int, help="repeats a run without guidance; a random one unless --short")
    parser.add_argument("--inputs", type=int, help="the most inputs without guidance of each target")
    parser.add_argument("--findings", type=Path, default=findings.FOLDER, help="the folder for findings")
    parser.add_argument(
        "--corpus", type=Path, help="a folder that keeps inputs which reached new code, for the next run"
    )
    parser.add_argument("--repeat", type=Path, metavar="FILE", help="runs the input in this file again")
    parser.add_argument("--write", action="store_true", help="puts the table into docs/reliability.md")
    parser.add_argument("--list", action="store_true", help="only name the targets")
    options = parser.parse_args(words)
    if unknown := set(options.targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if options.repeat is not None and len(options.targets) != 1:
        parser.error("name the target of the input")
    if options.seed is None:
        options.seed = SHORT_SEED if options.short else random.randrange(2**31)
    if options.inputs is None:
        options.inputs = SHORT_INPUTS if options.short else sys.maxsize
    if options.engine is None:
        options.engine = "guided" if engines.guided_is_available() and not options.short else "mutating"
    return options


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
