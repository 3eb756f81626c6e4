"""Does time grow faster than n log n? Runs inputs of sizes n, 2n, 4n and 8n that repeat something.

Families: a short text again and again, several texts in turn, openers closed at once, nested openers, and a stretch of
a good input that is repeated in its place. Time that grows like n squared is seen as two ratios of about 4 in sequence.
"""

from __future__ import annotations

import cProfile
import pstats
import random
from collections.abc import Callable
from pathlib import Path

from reliability.fuzz.judge import Judge
from reliability.fuzz.mutation import ODD
from reliability.fuzz.target import Target

Make = Callable[[int], bytes]
"""An input of about so many octets."""

SHORT_SECONDS = 0.004
"""Less is never judged: the largest input cannot do harm then."""

FIRST_RATIO, RATIO = 2.6, 2.8
"""Of the times for 2n and n. Linear time gives 2, n log n at most 2.2, n squared 4. The first look is not exact."""

TRIES, LONG_SECONDS = 5, 0.3
"""An input that takes long is measured well enough by one try."""

CONFIRMATIONS = 3
"""So often the ratios must be found in sequence: on a busy machine they are sometimes met by chance."""

PAIRS = {b"(": b")", b"[": b"]", b"{": b"}", b"<": b">", b'"': b'"', b"<!--": b"-->", b"(a ": b")", b"NOT (": b")"}


def family(rng: random.Random, target: Target, pool: list[bytes]) -> tuple[str, Make]:
    """A random family of inputs for *target*, with a text that says which."""
    before, after = rng.choice(list(target.frames))
    match rng.randrange(6):
        case 0:
            unit = _unit(rng, target)
        case 1:
            unit = _unit(rng, target) + _unit(rng, target)
        case 2:
            unit = _unit(rng, target) + _unit(rng, target) + _unit(rng, target)
        case 3:
            opener, closer = rng.choice(list(PAIRS.items()))
            unit = opener + rng.choice((b"", _unit(rng, target))) + closer
        case 4:
            opener, closer = rng.choice(list(PAIRS.items()))
            inner = _unit(rng, target)
            return (
                f"{before!r} {opener!r}... {inner!r} {closer!r}... {after!r}",
                lambda size: (
                    before
                    + opener * (size // (len(opener) + len(closer)))
                    + inner
                    + closer * (size // (len(opener) + len(closer)))
                    + after
                ),
            )
        case _:
            return _pumped(rng, rng.choice(pool))
    return f"{before!r} {unit!r}... {after!r}", lambda size: before + unit * (size // len(unit)) + after


def _unit(rng: random.Random, target: Target) -> bytes:
    return (
        rng.choice((rng.choice(list(target.words)), rng.choice(ODD), rng.choice((b" ", b"a", b"=", b",", b";"))))
        or b"a"
    )


def _pumped(rng: random.Random, octets: bytes) -> tuple[str, Make]:
    start = rng.randint(0, max(0, len(octets) - 1))
    unit = octets[start : start + rng.choice((1, 2, 3, 5, 8, 20, 80))] or b"a"
    head, tail = octets[:start], octets[start:]
    return f"{unit!r}... in a good input", lambda size: head + unit * (size // len(unit)) + tail


def check(judge: Judge, name: str, make: Make) -> None:
    """Reports a family whose time grows too fast."""
    most = judge.target.largest
    if (seconds := judge.run(make(most))) < SHORT_SECONDS:
        return
    if seconds < FIRST_RATIO * judge.run(make(most // 2)):
        return
    tries = TRIES if seconds < LONG_SECONDS else 1
    sizes = [most // 8, most // 4, most // 2, most]
    for _ in range(CONFIRMATIONS):
        # other sizes in each try, because some values are cached
        times = [min(judge.run(make(size + size // 100 * number)) for number in range(tries)) for size in sizes]
        if times[3] <= RATIO * times[2] or times[2] <= FIRST_RATIO * times[1]:
            return
    shown = ", ".join(f"{size}: {each * 1000:.1f} ms" for size, each in zip(sizes, times, strict=True))
    kind = f"time grows faster than n log n in {_hottest(judge, make(most // 2))}"
    judge.report(kind, f"{name}\n{shown}", make(most // 2))


def _hottest(judge: Judge, octets: bytes) -> str:
    """The function of mektup in which, with what it calls outside of mektup, most of the time is spent."""
    profile = cProfile.Profile()
    profile.runcall(judge.target.run, octets)
    spent: dict[str, float] = {}
    for (file, _line, name), (_, _, own, _, callers) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        if "/mektup/" in file:
            spent[_place(file, name)] = spent.get(_place(file, name), 0.0) + own
            continue
        for (calling, _, by), (_, _, part, _) in callers.items():
            if "/mektup/" in calling:
                spent[_place(calling, by)] = spent.get(_place(calling, by), 0.0) + part
    return max(spent, key=lambda place: spent[place], default="the target itself")


def _place(file: str, function: str) -> str:
    return f"{Path(file).name}:{function}"
