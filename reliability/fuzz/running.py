"""Runs targets in children, and gathers what the children say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Plan:
    """How targets are run."""

    engine: str
    seed: int
    findings: Path
    most: int
    """Inputs of each target without guidance."""
    corpus: Path | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one target."""

    target: str
    inputs: int = 0
    seconds: float = 0.0
    edges: int | None = None
    """Branches of mektup's code that were taken, as coverage counts them; None without guidance."""
    slowest_seconds: float = 0.0
    slowest_bytes: int = 0
    peak_bytes: int = 0
    found: list[dict[str, str]] = field(default_factory=list)
    """Each with its ``kind`` and the ``path`` of its input."""


def run(seconds: Mapping[str, float], plan: Plan) -> Iterator[Outcome]:
    """Runs each target for its *seconds*, one after the other."""
    command = [sys.executable, "-m", "reliability.fuzz.child", *(f"{name}={each}" for name, each in seconds.items())]
    command += ["--engine", plan.engine, "--seed", str(plan.seed), "--findings", str(plan.findings)]
    command += ["--most", str(plan.most)]
    if plan.corpus is not None:
        command += ["--corpus", str(plan.corpus)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            yield Outcome(**json.loads(line))
    if child.returncode:
        raise RuntimeError(f"the program that runs the targets ended with status {child.returncode}")
