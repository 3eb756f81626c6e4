"""The moments at which a process is killed."""

from __future__ import annotations

import os
import platform
import random
import time
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from pathlib import Path

LONGEST_SECONDS = 0.2
"""How long a moment is waited for, before the kill comes anyway."""

_FDATASYNC = {"x86_64": "75", "aarch64": "83"}.get(platform.machine())
"""The number of the system call."""


class Moment(Enum):
    """When a process is killed."""

    ANY = "at any moment"
    COMMIT = "while the log of an account is written"
    SYNC = "while the log of an account is synced"


def wait_for(moment: Moment, pids: Iterable[int], data: Path, chance: random.Random) -> Moment:
    """Waits until one of *pids*, which serve *data*, is at *moment*; returns the moment that it was."""
    deadline = time.monotonic() + LONGEST_SECONDS
    match moment:
        case Moment.SYNC if _FDATASYNC is not None:
            threads = [thread for pid in pids for thread in Path(f"/proc/{pid}/task").glob("*/syscall")]
            while time.monotonic() < deadline:
                if any(_call_of(thread) == _FDATASYNC for thread in threads):
                    return moment
        case Moment.COMMIT:
            before = _last_writes(data)
            while time.monotonic() < deadline:
                if _last_writes(data) != before:
                    return moment
        case _:
            time.sleep(chance.random() * 0.01)
    return Moment.ANY


def _call_of(thread: Path) -> str:
    """The number of the system call that a thread waits in."""
    with suppress(OSError):
        return thread.read_text().split(" ", 1)[0]
    return ""


def _last_writes(data: Path) -> list[tuple[int, int]]:
    """When each write-ahead log was last written, and its size."""
    found = []
    for path in (data / "accounts").glob("*/*-wal"):
        with suppress(OSError):
            status = os.stat(path)
            found.append((status.st_mtime_ns, status.st_size))
    return found
