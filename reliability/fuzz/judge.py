"""Runs inputs on a target, and judges each: no exception, little time, bounded memory."""

from __future__ import annotations

import hashlib
import math
import resource
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from reliability.fuzz.target import Target

SECONDS = 1.0
"""The most processor time that one input may take."""

HANGING_SECONDS = 20.0
"""Processor time after which an input is broken off."""

MIB = 1024 * 1024

ROOM_FOR_ONE = 64 * MIB
"""By so much a single input may raise the peak of memory; mutated inputs have a few KiB."""

ROOM_FOR_ALL = 256 * MIB
"""By so much all inputs together may raise it: caches fill up, and then stay as they are."""

WARM_UP = 2000
"""Inputs before memory is watched."""


class Hangs(Exception):
    """An input was broken off."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An input for which an invariant does not hold."""

    target: str
    kind: str
    """What is wrong, in one line; equal findings have equal ones."""
    detail: str
    octets: bytes

    @property
    def name(self) -> str:
        """Names the finding, and so its file."""
        return f"{self.target}-{hashlib.blake2b(self.kind.encode(), digest_size=5).hexdigest()}"


@dataclass(slots=True)
class Judge:
    """Judges the inputs of one target; keeps one finding of each kind."""

    target: Target
    found: Callable[[Finding], None]
    inputs: int = 0
    slowest_seconds: float = 0.0
    slowest_bytes: int = 0
    kinds: set[str] = field(default_factory=set)
    started: float = math.inf
    """The processor time at which the present input began."""
    _peak: int = 0
    _settled: int = 0

    def run(self, octets: bytes) -> float:
        """Runs *octets*, and reports what is wrong; returns the seconds of processor time."""
        self.started = started = time.process_time()
        try:
            self.target.run(octets)
        except Hangs:
            self.report(f"hangs: over {HANGING_SECONDS:.0f} s", "", octets)
        except Exception as failure:
            self.report(kind_of(failure), "".join(traceback.format_exception(failure)), octets)
        seconds = time.process_time() - started
        if seconds > self.slowest_seconds:
            self._note_slow(octets, seconds)
        self.started = math.inf
        self.inputs += 1
        self._watch_memory(octets)
        return seconds

    def _note_slow(self, octets: bytes, seconds: float) -> None:
        self.slowest_seconds, self.slowest_bytes = seconds, len(octets)
        if seconds > SECONDS and self.target.is_one_answer:
            self.report(f"slow: over {SECONDS:.0f} s", f"{seconds:.2f} s for {len(octets)} octets", octets)

    def _watch_memory(self, octets: bytes) -> None:
        peak = peak_bytes()
        if self.inputs > WARM_UP:
            self._settled = self._settled or peak
            if peak - self._peak > ROOM_FOR_ONE:
                detail = f"the peak rose by {(peak - self._peak) // MIB} MiB"
                self.report("memory: much for one input", detail, octets)
            if peak - self._settled > ROOM_FOR_ALL:
                detail = f"it rose by {(peak - self._settled) // MIB} MiB in {self.inputs} inputs"
                self.report("memory: grows", detail, octets)
        self._peak = peak

    def report(self, kind: str, detail: str, octets: bytes) -> None:
        """Reports a fault, the first of each kind."""
        if kind not in self.kinds:
            self.kinds.add(kind)
            self.found(Finding(self.target.name, kind, detail, octets))


def break_off_hanging_inputs(judge: Judge) -> None:
    """From now on, an input that runs for too long gets Hangs. Regular expressions are interrupted, too."""

    def look(_number: int, _frame: FrameType | None) -> None:
        if time.process_time() - judge.started > HANGING_SECONDS:
            judge.started = math.inf
            raise Hangs

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, 1.0, 1.0)


def peak_bytes() -> int:
    """The highest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def kind_of(failure: BaseException) -> str:
    """The exception and its innermost place in mektup, or in the target: the same for all inputs with one fault."""
    frames = traceback.extract_tb(failure.__traceback__)
    ours = [frame for frame in frames if "/mektup/" in frame.filename] or list(frames)
    where = f"{Path(ours[-1].filename).name}:{ours[-1].name}" if ours else "nowhere"
    text = str(failure).partition(":")[0][:80] if isinstance(failure, AssertionError) else ""
    return f"{type(failure).__name__} in {where} {text}".strip()
