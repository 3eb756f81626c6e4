"""A screen that nobody sees, for programs with windows: Xvfb."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.clients.programs import Program


@contextmanager
def screen(xvfb: Program) -> Iterator[str]:
    """The value of DISPLAY for a screen that lasts as long as the ``with``."""
    reading, writing = os.pipe()
    command = [xvfb.path, "-displayfd", str(writing), "-screen", "0", "1280x900x24", "-nolisten", "tcp"]
    process = subprocess.Popen(command, pass_fds=[writing], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as number:
            yield f":{number.readline().decode().strip()}"
    finally:
        process.terminate()
        process.wait(30)
