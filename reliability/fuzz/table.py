"""The table of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from reliability.fuzz.running import Outcome

MIB = 1024 * 1024

SHOWN_BYTES = 200
"""Of the input of a finding, so many octets are shown: enough to repeat most of them without its file."""

HEAD = (
    f"{'target':18}{'inputs':>12}{'inputs/s':>10}{'branches':>10}{'slowest ms':>12}{'of octets':>11}"
    f"{'peak MiB':>10}{'findings':>10}"
)


def line(outcome: Outcome) -> str:
    """The line of one target."""
    pace = outcome.inputs / outcome.seconds if outcome.seconds else 0.0
    edges = "-" if outcome.edges is None else str(outcome.edges)
    return (
        f"{outcome.target:18}{outcome.inputs:12}{pace:10.0f}{edges:>10}{outcome.slowest_seconds * 1000:12.1f}"
        f"{outcome.slowest_bytes:11}{outcome.peak_bytes / MIB:10.0f}{len(outcome.found):10}"
    )


def findings(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each finding, with the beginning of its input."""
    for outcome in outcomes:
        for each in outcome.found:
            octets = Path(each["path"]).read_bytes()
            yield f"finding: {outcome.target}: {each['kind']}: {len(octets)} octets, {octets[:SHOWN_BYTES]!r}"


def total(outcomes: Sequence[Outcome]) -> str:
    """The last line."""
    inputs, seconds = sum(each.inputs for each in outcomes), sum(each.seconds for each in outcomes)
    found = sum(len(each.found) for each in outcomes)
    return f"{len(outcomes)} targets, {inputs} inputs in {seconds:.0f} seconds, {found} findings"
