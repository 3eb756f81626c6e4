"""The two engines: one is guided by coverage (atheris), one is not and needs nothing to be installed."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from reliability.fuzz import growth
from reliability.fuzz.judge import Judge
from reliability.fuzz.mutation import Mutator

AT_ONCE = 20
"""Inputs between two looks at the clock."""

MOST_SEEDS = 400
"""More of them only delay libFuzzer, which runs all before it changes any; changes still take texts from all."""

GROWTH_SHARE = 0.15
"""The part of the time that goes to the growth check."""


def guided_is_available() -> bool:
    """Whether atheris is installed: ``pip install 'mektup[fuzz]'``, where there is a wheel for this Python."""
    return find_spec("atheris") is not None


def mutate(judge: Judge, rng: random.Random, seconds: float, most: int) -> None:
    """Runs seeds, then mutated ones, for *seconds*, until *most* inputs have been tried."""
    target = judge.target
    most += judge.inputs
    stop = time.monotonic() + seconds
    seeds = _seeds(judge, rng)
    for octets in seeds:
        if time.monotonic() > stop - seconds / 2 or judge.inputs >= most:
            break
        judge.run(octets)
    mutator = Mutator(rng, seeds, target.words, target.longest)
    while time.monotonic() < stop and judge.inputs < most:
        for _ in range(AT_ONCE if target.is_guided else 1):
            judge.run(mutator.made())


def _seeds(judge: Judge, rng: random.Random) -> list[bytes]:
    seeds = list(judge.target.seeds())
    rng.shuffle(seeds)
    return seeds


def grow(judge: Judge, rng: random.Random, seconds: float) -> None:
    """Checks for *seconds* how time grows with the size of the input."""
    pool = [octets for octets in judge.target.seeds() if octets] or [b"a"]
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        growth.check(judge, *growth.family(rng, judge.target, pool))


def guide(judge: Judge, rng: random.Random, seconds: float, corpus: Path, ended: Callable[[], None]) -> None:
    """Runs inputs for *seconds*, guided by coverage; then calls *ended*, which ends the process, as libFuzzer goes on.

    New inputs are kept in *corpus*, for the next run.
    """
    import atheris  # it starts libFuzzer's runtime

    target = judge.target
    corpus.mkdir(parents=True, exist_ok=True)
    seeds = _seeds(judge, rng)
    for number, octets in enumerate(seeds[:MOST_SEEDS]):
        (corpus / f"seed-{number}").write_bytes(octets[: target.longest])
    mutator = Mutator(rng, seeds, target.words, target.longest)
    stop = time.monotonic() + seconds

    def one(octets: bytes) -> None:
        judge.run(octets)
        if not judge.inputs & 15 and time.monotonic() >= stop:
            ended()

    def changed(octets: bytes, most: int, seed: int) -> bytes:
        return mutator.changed(octets)[:most] if seed & 3 else atheris.Mutate(octets, most)

    options = ("-timeout=0", "-rss_limit_mb=0", "-use_value_profile=0", f"-max_len={target.longest}")
    seed = f"-seed={rng.randrange(1, 2**31)}"
    atheris.Setup(["fuzz", *options, seed, str(corpus)], one, custom_mutator=changed)
    atheris.Fuzz()
