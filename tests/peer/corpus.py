"""Real mail to compare servers with: a folder of messages, at any depth, beside the checkout."""

from __future__ import annotations

import os
import re
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def folder() -> Path | None:
    """``MEKTUP_CORPUS``, or ``../shared/corpus``; None if neither exists."""
    path = Path(os.environ.get("MEKTUP_CORPUS", CHECKOUT.parent / "shared" / "corpus"))
    return path if path.is_dir() else None


def messages() -> dict[str, bytes]:
    """The messages by their path in the folder, with CRLF as a server stores them; empty without a corpus."""
    root = folder()
    if root is None:
        return {}
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("LICENSE"))
    return {path.relative_to(root).as_posix(): re.sub(rb"\r?\n", b"\r\n", path.read_bytes()) for path in files}
