"""Reads the metrics of a server."""

from __future__ import annotations

import urllib.request
from collections import defaultdict

from reliability.own_address import HOST


def read(port: int) -> dict[str, float]:
    """Each metric's sum over all its labels."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=30) as answer:
        return totals(answer.read().decode())


def totals(exposition: str) -> dict[str, float]:
    """The same for the text of the metrics."""
    found: dict[str, float] = defaultdict(float)
    for line in exposition.splitlines():
        if line and not line.startswith("#"):
            series, _, number = line.rpartition(" ")
            found[series.partition("{")[0]] += float(number)
    return found
