"""Findings on disk: the input in one file, what it does and how to repeat it in another."""

from __future__ import annotations

from pathlib import Path

from reliability.fuzz.judge import Finding

FOLDER = Path("fuzz-findings")
"""Where findings go if nothing else is said."""


def write(folder: Path, finding: Finding) -> Path:
    """Writes *finding* to *folder*; returns the file with the input."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{finding.name}.input"
    path.write_bytes(finding.octets)
    text = (
        f"{finding.target}: {finding.kind}\nto repeat it: {how_to_repeat(finding.target, path)}\n\n{finding.detail}\n"
    )
    path.with_suffix(".txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    return path


def how_to_repeat(target: str, path: Path) -> str:
    """The command that runs the input in *path* again."""
    return f"python -m reliability.fuzz --repeat {path} {target}"
