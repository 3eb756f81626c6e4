"""A data directory that a restore is still filling. No server may use it: its users would see half of their mail."""

from __future__ import annotations

from pathlib import Path
from typing import Final

MARK: Final = "restore.unfinished"
"""The file in a data directory that has the time of the backup, until the restore of everything has ended."""


def is_unfinished(directory: Path) -> bool:
    """Whether a restore into *directory* has begun and not ended. Raises OSError."""
    return (directory / MARK).exists()
