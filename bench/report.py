"""All results, as JSON for programs and as remarks that do not fit into the table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field

from bench.sets.lines import Line
from bench.turns import Result


@dataclass(slots=True)
class Report:
    """The results for one size of mailbox."""

    messages: int
    names: list[str]
    """The names of the servers."""
    heading: str
    results: list[Result] = field(default_factory=list)
    sets: dict[str, list[Line]] = field(default_factory=dict)


def remarks(results: Sequence[Result]) -> Iterator[str]:
    """Remarks that do not fit into the table, one a line."""
    for result in results:
        for remark in result.remarks:
            yield f"{result.row.key}: not measured: {remark}"
        for failure in result.failures:
            yield f"{result.row.key}: FAILED: {failure}"
        if result.difference:
            yield f"{result.row.key}: DIFFERENT ANSWERS: {result.difference}"


def as_json(reports: Sequence[Report]) -> str:
    """Everything that was measured: an object, or a list of objects if several sizes were measured."""
    objects = [_object(report) for report in reports]
    return json.dumps(objects if len(objects) > 1 else objects[0], indent=2) + "\n"


def _object(report: Report) -> dict[str, object]:
    rows = [
        {
            "key": result.row.key,
            "title": result.row.title,
            "unit": result.row.unit.value,
            "figures": result.figures,
            "cpu_seconds": result.cpus,
            "ratio": result.ratio(),
            "asked": result.row.asked,
            "asked_is_absolute": result.row.is_absolute,
            "is_above": result.is_above,
            "remarks": result.remarks,
            "failures": result.failures,
            "difference": result.difference,
        }
        for result in report.results
    ]
    sets = {key: [{**asdict(line), "is_above": line.is_above} for line in lines] for key, lines in report.sets.items()}
    return {
        "heading": report.heading,
        "messages": report.messages,
        "servers": report.names,
        "rows": rows,
        "sets": sets,
    }
