"""``python -m reliability.fuzz.child``: runs targets, each in a process of its own, and prints a line of JSON for each.

A process for each target, because memory is judged by the peak of a process, and because libFuzzer never returns. They
are forked, because importing mektup with counters for coverage takes many seconds.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from contextlib import ExitStack, redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from typing import Any

from reliability.fuzz import engines, findings
from reliability.fuzz.judge import Finding, Judge, break_off_hanging_inputs, peak_bytes
from reliability.fuzz.target import Target

LEAST_GROWTH_SECONDS = 0.5

_COVERED = re.compile(rb"\bcov: ([0-9]+)")


def main() -> None:
    """Runs the targets that the words name."""
    options = _options()
    with ExitStack() as stack:
        if options.engine == "guided":
            import atheris  # only where it is installed; it must see the imports

            stack.enter_context(redirect_stderr(StringIO()))  # it names each module
            stack.enter_context(atheris.instrument_imports(include=["mektup"]))
        from reliability.fuzz.targets import TARGETS  # imports all that is instrumented
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        options.corpus = options.corpus or Path(folder)
        for word in options.targets:
            name, _, seconds = word.partition("=")
            print(json.dumps(_in_a_process(TARGETS[name], float(seconds), options)), flush=True)


def _in_a_process(target: Target, seconds: float, options: argparse.Namespace) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile() as log, tempfile.NamedTemporaryFile() as out:
        child = os.fork()
        if not child:
            os.setpgid(0, 0)
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            try:
                _run(target, seconds, options, Path(out.name))
            except BaseException as failure:
                print(repr(failure), file=sys.stderr, flush=True)
                os._exit(1)
        try:
            _, status = os.waitpid(child, 0)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child, signal.SIGKILL)  # what a target has started, if it could not stop it
        said, told = Path(log.name).read_bytes(), Path(out.name).read_bytes()
    if status or not told:
        options.findings.mkdir(parents=True, exist_ok=True)
        path = options.findings / f"{target.name}-died.txt"
        path.write_bytes(said[-20_000:])
        died = {"kind": f"the process ended with status {os.waitstatus_to_exitcode(status)}", "path": str(path)}
        return {"target": target.name, "found": [died]}
    covered = _COVERED.findall(said)
    return {**json.loads(told), "edges": int(covered[-1]) if covered else None}


def _run(target: Target, seconds: float, options: argparse.Namespace, out: Path) -> None:
    """Runs one target, writes to *out* what came of it, and ends the process."""
    found: list[dict[str, str]] = []
    began = time.monotonic()

    def note(finding: Finding) -> None:
        found.append({"kind": finding.kind, "path": str(findings.write(options.findings, finding))})

    def ended() -> None:
        target.close()
        told = {
            "target": target.name,
            "inputs": judge.inputs,
            "seconds": time.monotonic() - began,
            "slowest_seconds": judge.slowest_seconds,
            "slowest_bytes": judge.slowest_bytes,
            "peak_bytes": peak_bytes(),
            "found": found,
        }
        out.write_text(json.dumps(told), encoding="utf-8")
        os._exit(0)

    judge = Judge(target, note)
    break_off_hanging_inputs(judge)
    judge.run(b"")  # what the target needs is made at its first input
    judge.slowest_seconds, judge.slowest_bytes = 0.0, 0
    began = time.monotonic()
    # a generator of its own, because how many families are tried depends on the machine
    families, rng = (random.Random(f"{options.seed} {target.name} {use}") for use in ("growth", "inputs"))
    growth = max(LEAST_GROWTH_SECONDS, seconds * engines.GROWTH_SHARE) if target.grows else 0.0
    engines.grow(judge, families, growth)
    if options.engine == "guided" and target.is_guided:
        engines.guide(judge, rng, seconds - growth, options.corpus / target.name, ended)
    engines.mutate(judge, rng, seconds - growth, options.most)
    ended()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("targets", nargs="+", help="each with its seconds: search=10")
    parser.add_argument("--engine", choices=("guided", "mutating"), required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--findings", type=Path, required=True)
    parser.add_argument("--most", type=int, required=True, help="inputs without guidance of each target")
    parser.add_argument("--corpus", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
