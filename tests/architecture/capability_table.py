"""Writes the table of capabilities: ``python -m tests.architecture.capability_table``, or ``make capabilities``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from mektup.imap.capabilities import CAPABILITIES, Capability
from tests.architecture.rfc_texts import read_table
from tests.support.transcript import Transcript, read

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "capabilities.md"
FOLDER = ROOT / "tests" / "transcripts"

MOST = 3
"""How many transcripts a row names; a capability may have dozens."""

INTRODUCTION = """\
# Capabilities

Every capability of IMAP that mektup announces, where it is specified, and transcripts that show it. All of them are on
without any setting, except those that need one to make sense ([configuration](configuration.md)). This page is made by
`make capabilities`; tests fail when it is out of date, when the server announces a capability that is not here, and
when a row has no transcript.

The transcripts are below `tests/transcripts`. They are played on a real connection: with TLS, in the clear, and
compressed.

| capability | specified in | shown by |
|---|---|---|
"""


def rows(transcripts: Sequence[Transcript]) -> Iterator[str]:
    """The rows of the table, in the order in which capabilities are announced."""
    titles = {rfc.number: rfc.title for rfc in read_table()}
    for capability in CAPABILITIES:
        name = capability.name if capability.values is None else f"{capability.name}=..."
        yield f"| `{name}` | {_document(capability, titles)} | {_shown_by(capability, transcripts)} |"


def _document(capability: Capability, titles: dict[int, str]) -> str:
    found = re.fullmatch(r"RFC (\d+)( §[\w.]+)?", capability.document)
    if found is None:
        return capability.document
    title = titles.get(int(found[1]), "")
    return f"[{capability.document}](https://www.rfc-editor.org/rfc/rfc{found[1]})" + (f": {title}" if title else "")


def _shown_by(capability: Capability, transcripts: Sequence[Transcript]) -> str:
    # a transcript with few needs is about this capability; one with many uses it by the way
    shown = sorted(
        (each for each in transcripts if capability.name in each.words("needs")),
        key=lambda each: ("example" not in str(each.path), len(each.words("needs")), str(each.path)),
    )
    names = [f"`{each.path.relative_to(FOLDER)}`" for each in shown if each.path is not None]
    more = f", and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more


def page() -> str:
    """The whole page."""
    transcripts = [read(path) for path in sorted(FOLDER.glob("*/*.txt"))]
    return INTRODUCTION + "\n".join(rows(transcripts)) + "\n"


def main() -> None:
    """Writes the page again."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
