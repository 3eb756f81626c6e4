"""The commands of docs/at-home.md, as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "at-home.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[str]:
    """The blocks of shell commands, in order."""
    return _BLOCK.findall(PAGE.read_text(encoding="utf-8"))
