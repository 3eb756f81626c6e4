"""Puts the table that a program printed into docs/reliability.md, between the two markers of that program."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from bench.machine import machine

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "reliability.md"


def heading(folder: Path) -> str:
    """Of what the figures are, in one line: the commit, the day, and the machine with the disk under *folder*."""
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return f"mektup {commit.stdout.strip() or 'unknown'}, {datetime.now(UTC):%Y-%m-%d}; {machine(folder)}"


def write(program: str, table: str, page: Path = PAGE) -> None:
    """Replaces the table of *program* on *page*; raises LookupError if the page has no markers for it."""
    begin, end = f"<!-- {program} -->\n", f"<!-- end of {program} -->"
    text = page.read_text(encoding="utf-8")
    block = f"{begin}```\n{table.rstrip()}\n```\n{end}"
    changed, found = re.subn(f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: block, text, flags=re.DOTALL)
    if not found:
        raise LookupError(f"{page} has no place for {program}")
    page.write_text(changed, encoding="utf-8")
