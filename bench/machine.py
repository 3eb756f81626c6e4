"""Describes the machine: the parts that matter for the figures measured on it."""

from __future__ import annotations

import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

SYNCS = 50


def machine(folder: Path) -> str:
    """One line: processor, kernel, Python, and how long an fdatasync of 4 KiB takes on the disk under *folder*."""
    return (
        f"{_processor()}, {os.cpu_count()} cores; Linux {platform.release()}; Python {platform.python_version()};"
        f" fdatasync of 4 KiB: {sync_seconds(folder) * 1000:.1f} ms"
    )


def sync_seconds(folder: Path) -> float:
    """The median time of an fdatasync of 4 KiB; every durable write waits for at least one."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            os.write(file.fileno(), b"x" * 4096)
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            times.append(time.perf_counter() - begun)
    return median(times)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
