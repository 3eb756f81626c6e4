"""Where programs put the many small directories that they make and remove."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def fast_directory() -> Path:
    """A directory in memory where the system has one, else that for temporary files."""
    memory = Path("/dev/shm")
    return memory if memory.is_dir() and os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
