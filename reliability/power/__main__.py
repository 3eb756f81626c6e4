"""Cuts the power of seeded workloads, and prints what was tried: ``python -m reliability.power --cuts 1000``."""

from __future__ import annotations

import argparse
import asyncio
import pickle
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from random import Random

from reliability.disk.places import fast_directory
from reliability.power.cuts import Cut, Recorded, Tally, after, at_the_end, cuts_of, record, try_cuts
from reliability.report import heading, write

SHORT_CUTS = 240
CUTS_PER_ROUND = 240
LAST_VERSION = 6
VERSIONS = (2, 3, 4, 5, LAST_VERSION)
"""Older versions of an account's file, from which a workload begins with an upgrade.

Those before 6 cannot read the chunks that this version has compressed."""


def main() -> int:
    """Returns the exit status."""
    wanted = _arguments()
    if wanted.again is not None:
        return _again(wanted.again)
    begun = time.monotonic()
    total = Tally()
    rounds = -(-wanted.cuts // CUTS_PER_ROUND)
    with ProcessPoolExecutor(wanted.jobs) as pool:
        seeds = range(wanted.seed, wanted.seed + rounds)
        for seed, tally in zip(seeds, pool.map(partial(play, failing_syncs=wanted.failing_syncs), seeds), strict=True):
            total.add(tally)
            if not wanted.short:
                print(f"seed {seed}: {total.cuts} cuts, {len(total.failures)} failures", file=sys.stderr, flush=True)
    table = _table(total, wanted.seed, rounds, time.monotonic() - begun)
    print(table)
    for failure in total.failures[:10]:
        print(f"\n{failure}")
    if wanted.write:
        write("power", table)
    return 1 if total.failures else 0


def play(seed: int, failing_syncs: float = 0.0) -> Tally:
    """One round: a workload, one that goes on after a cut of it, and one that goes on with an older schema."""
    return asyncio.run(_play(seed, failing_syncs))


async def _play(seed: int, failing_syncs: float) -> Tally:
    tally = Tally(workloads=3)
    random = Random(f"round {seed}")
    base = Path(tempfile.mkdtemp(prefix="mektup-power-", dir=fast_directory()))
    try:
        first = await record(seed, 60, base / "recorded", failing_syncs=failing_syncs)
        cuts = cuts_of(first, CUTS_PER_ROUND // 2)
        await try_cuts(first, cuts, base / "cut", tally)
        cut = random.choice(cuts[len(cuts) // 2 :])
        version = random.choice(VERSIONS) if first.compression is None else LAST_VERSION
        for start in (after(first, cut), at_the_end(first, version)):
            recorded = await record(seed, 25, base / "recorded", start, failing_syncs=failing_syncs)
            await try_cuts(recorded, cuts_of(recorded, CUTS_PER_ROUND // 4), base / "cut", tally)
    except Exception as error:
        tally.failures.append(f"seed {seed}: the workload itself failed: {error!r}")
    finally:
        shutil.rmtree(base)
    return tally


def _again(file: Path) -> int:
    recorded, cut = pickle.loads(file.read_bytes())
    assert isinstance(recorded, Recorded)
    assert isinstance(cut, Cut)
    tally = Tally()
    base = Path(tempfile.mkdtemp(prefix="mektup-power-", dir=fast_directory()))
    try:
        asyncio.run(try_cuts(recorded, [cut], base / "cut", tally))
    finally:
        shutil.rmtree(base)
    print("\n".join(tally.failures) or f"{cut}: nothing is lost")
    return 1 if tally.failures else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m reliability.power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--short", action="store_true", help=f"{SHORT_CUTS} cuts")
    parser.add_argument("--failing-syncs", type=float, default=0.0, help="a share of the syncs that fail, such as 0.1")
    parser.add_argument("--write", action="store_true", help="puts the table into docs/reliability.md")
    parser.add_argument("--again", type=Path, metavar="FILE", help="tries a cut again that was kept after a failure")
    wanted = parser.parse_args()
    if wanted.short:
        wanted.cuts = SHORT_CUTS
    return wanted


def _table(total: Tally, seed: int, rounds: int, seconds: float) -> str:
    return "\n".join((heading(fast_directory()), "", *_lines(total, seed, rounds, seconds)))


def _lines(total: Tally, seed: int, rounds: int, seconds: float) -> Iterator[str]:
    yield f"seeds {seed} to {seed + rounds - 1}, {seconds:.0f} s"
    rows = {
        "power cuts": total.cuts,
        "different states of the disk opened": total.states,
        "workloads": total.workloads,
        "acknowledged operations found again": total.operations,
    }
    for name, fates in (("octets", total.by_data), ("names", total.by_names)):
        rows |= {f"  not synced {name} {fate}": count for fate, count in sorted(fates.items())}
    rows["losses"] = len(total.failures)
    for name, count in rows.items():
        yield f"{name:<44}{count:>12,}"


if __name__ == "__main__":
    sys.exit(main())
