"""Reads the fenced blocks of a Markdown document, and its table of two sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
READMES = (ROOT / "README.md", ROOT / "README.tr.md")

_BLOCK = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_SAID = re.compile(r"(?P<typed>\*\*)?`(?P<line>[^`]+)`(?:\*\*)?")
_HEAD = re.compile(r"^\| IMAP, \w+ 1143 \| POP3, \w+ 1110 \|$\n^\|---\|---\|$\n", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """A line of a session: typed by the person, or sent by the server."""

    protocol: str
    typed: bool
    line: str


def blocks(path: Path, language: str | None = None) -> list[str]:
    """The fenced blocks of *path* in *language*, or in any."""
    found = _BLOCK.finditer(path.read_text(encoding="utf-8"))
    return [block["text"] for block in found if language in (None, block["language"])]


def both_sessions(path: Path) -> list[Said]:
    """The lines of the table with an IMAP and a POP3 session in *path*, in the order of time."""
    text = path.read_text(encoding="utf-8")
    head = _HEAD.search(text)
    assert head is not None, f"{path} shows no two sessions side by side"
    rows = text[head.end() :].partition("\n\n")[0].splitlines()
    return [said for row in rows for said in _row(row)]


def _row(row: str) -> Iterator[Said]:
    _, imap, pop3, _ = row.split("|")
    for protocol, cell in (("imap", imap), ("pop3", pop3)):
        for said in _SAID.finditer(cell):
            yield Said(protocol, said["typed"] is not None, said["line"])
