"""Lets each operation of each deed fail in turn, and prints what was tried: ``python -m reliability.faults``."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reliability.disk.places import fast_directory
from reliability.faults.deeds import DEEDS, Deed
from reliability.faults.plans import DISK, Kind, Plan
from reliability.faults.trial import Trial, furnished
from reliability.report import heading, write

HEAP_POINTS = 40
SHORT_POINTS = 3
"""How many points of each deed and kind the short form tries, at random."""
SHORT_KINDS = 4


@dataclass(slots=True)
class Tally:
    """Counts."""

    trials: int = 0
    failures: Counter[str] = field(default_factory=Counter)
    """The operations that were made to fail, by kind."""
    answers: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Adds the counts of another one."""
        self.trials += other.trials
        self.failures += other.failures
        self.answers += other.answers
        self.wrong += other.wrong


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is tried of one deed."""

    deed: str
    seed: int
    is_short: bool
    every: bool
    """Whether every point is tried; else the first ones, and then ever fewer."""
    points: int
    """The most points of each kind."""
    only: str
    """The text of the only plan that is tried; empty for all."""


def main() -> int:
    """Returns the exit status."""
    options = _options()
    begun = time.monotonic()
    wanted = [
        Wanted(deed.name, options.seed, options.short, options.every, options.points, options.plan)
        for deed in DEEDS
        if options.deed in ("", deed.name)
    ]
    total = Tally()
    with ProcessPoolExecutor(options.jobs) as pool:
        for one, tally in zip(wanted, pool.map(play, wanted), strict=True):
            total.add(tally)
            if not options.short:
                print(f"{one.deed}: {tally.trials} trials, {len(tally.wrong)} wrong", file=sys.stderr, flush=True)
    table = "\n".join((heading(fast_directory()), "", *_lines(total, options.seed, time.monotonic() - begun)))
    print(table)
    for wrong in total.wrong[:10]:
        print(f"\n{wrong}")
    if options.write:
        write("faults", table)
    return 1 if total.wrong else 0


def play(wanted: Wanted) -> Tally:
    """All trials of one deed."""
    return asyncio.run(_play(wanted))


async def _play(wanted: Wanted) -> Tally:
    tally = Tally()
    deed = next(deed for deed in DEEDS if deed.name == wanted.deed)
    base = Path(tempfile.mkdtemp(prefix="mektup-faults-", dir=fast_directory()))
    try:
        await furnished(base / "template", deed)
        for is_cold in (False,) if deed.opens else (False, True):
            trial = Trial(deed, base / "template", base / "trial", is_cold=is_cold)
            await trial.learn()
            for kind, is_lasting in _kinds(wanted, is_cold=is_cold):
                await _play_kind(wanted, deed, trial, kind, tally, is_lasting=is_lasting, is_cold=is_cold)
    finally:
        shutil.rmtree(base)
    return tally


def _kinds(wanted: Wanted, *, is_cold: bool) -> list[tuple[Kind, bool]]:
    """The kinds to try, each with whether it lasts. With cold files only the disk fails: the rest is the same."""
    tried = list(DISK) if is_cold else list(Kind)
    kinds = [(kind, is_lasting) for kind in tried for is_lasting in (False, True) if kind in DISK or not is_lasting]
    random = Random(f"{wanted.deed} {wanted.seed} {is_cold}")
    return random.sample(kinds, SHORT_KINDS) if wanted.is_short else kinds


async def _play_kind(
    wanted: Wanted, deed: Deed, trial: Trial, kind: Kind, tally: Tally, *, is_lasting: bool, is_cold: bool
) -> None:
    random = Random(f"{wanted.deed} {wanted.seed} {kind} {is_lasting}")
    point = 1
    tried = 0
    while True:
        plan = Plan(kind, point, is_lasting)
        what = f"{deed.name}{', cold' if is_cold else ''}: {plan}"
        if wanted.only in ("", str(plan)):
            tried += 1
            try:
                outcome = await trial.run(plan)
                if plan.failures:
                    tally.answers[outcome.answer.value] += 1
            except Exception as error:  # whatever it is, it is a finding
                tally.wrong.append(f"{what}\n{''.join(traceback.format_exception(error)[-3:])}")
            tally.trials += 1
            tally.failures[kind.value] += plan.failures
            if not plan.failures and kind is not Kind.HEAP:
                return
        if (kind is Kind.HEAP and point > HEAP_POINTS) or tried == wanted.points:
            return
        point = point + 1 if point < 3 or wanted.every else point * 3 // 2
        if wanted.is_short:
            point += random.randrange(4)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="chooses the points of the short form")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--short", action="store_true", help="a few points of each deed")
    parser.add_argument("--every", action="store_true", help="every point, not ever fewer of them")
    parser.add_argument("--points", type=int, default=2000, help="the most points of each deed and kind")
    parser.add_argument("--deed", default="", help="only this one")
    parser.add_argument("--plan", default="", help="only this one, as it is printed after a failure")
    parser.add_argument("--write", action="store_true", help="puts the table into docs/reliability.md")
    options = parser.parse_args()
    if options.short:
        options.points = SHORT_POINTS
    return options


def _lines(total: Tally, seed: int, seconds: float) -> Iterator[str]:
    yield f"seed {seed}, {seconds:.0f} s, {len(DEEDS)} deeds"
    rows = {"trials": total.trials, "operations that failed": total.failures.total()}
    rows |= {f"  {kind}": count for kind, count in sorted(total.failures.items()) if count}
    rows |= {f"answered {answer}": count for answer, count in sorted(total.answers.items())}
    rows["wrong"] = len(total.wrong)
    for name, count in rows.items():
        yield f"{name:<44}{count:>12,}"


if __name__ == "__main__":
    sys.exit(main())
