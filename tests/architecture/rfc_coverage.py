"""Lists where sections of RFCs are named: ``python -m tests.architecture.rfc_coverage``, or ``make rfc-coverage``.

Code, tests and transcripts name the section that they follow: ``RFC 9051 §6.4.8``. Those marks, and the table of what
each section demands (``rfc_sections.toml``), become ``docs/rfc-coverage.md``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

from tests.architecture.rfc_texts import Rfc, Section, read_table

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PAGE = ROOT / "docs" / "rfc-coverage.md"

INTRODUCTION = """\
# Which RFC is followed where

This page is made by `make rfc-coverage` from the marks in code, tests and transcripts (`RFC 9051 §6.4.8`); a test fails
when it is out of date. It lists the sections with demands, and those that mektup names. *Demands*
counts the words MUST, REQUIRED and SHALL. A section with demands that no file names has a reason; a test fails if
it has none. *Not done* means that mektup does not do it.

That a file names a section does not prove that mektup does what it demands. The transcripts below `tests/transcripts`
show what mektup does, one rule at a time.

In the last column `src/mektup/` and `tests/transcripts/` are left out.
"""

Mark = tuple[int, str]
"""An RFC and a section of it."""

_WRAPPED = re.compile(r"\n[ \t]*#?[ \t]*")
_SECTION = re.compile(r"§([0-9A-Z]+(?:\.[0-9A-Z]+)*)", re.ASCII)
_MARK = re.compile(rf"\bRFC (\d{{3,5}})((?:(?:,| and| or)? {_SECTION.pattern.replace('(', '(?:', 1)})+)", re.ASCII)
_LIKE = re.compile(r"as RFC (\d+) §([0-9A-Z.]*[0-9A-Z])")


def marks_in(text: str) -> Iterator[Mark]:
    """The sections that *text* names; a list of sections may span lines and comments."""
    for rfc, sections in _MARK.findall(_WRAPPED.sub(" ", text)):
        for section in _SECTION.findall(sections):
            yield int(rfc), section


@cache
def marks() -> Mapping[Mark, Sequence[str]]:
    """The files of the source, the tests and the transcripts that name each section."""
    found: dict[Mark, list[str]] = defaultdict(list)
    for folder, endings in (("src", (".py",)), ("tests", (".py", ".txt"))):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in endings and path.parent != HERE:
                for mark in sorted(set(marks_in(path.read_text(encoding="utf-8")))):
                    found[mark].append(str(path.relative_to(ROOT)))
    return found


def like(reason: str) -> Mark | None:
    """The section that a reason refers to: "as RFC 9051 §6.3.4" means that it demands the same."""
    found = _LIKE.match(reason)
    return None if found is None else (int(found[1]), found[2])


def is_covered(rfc: Rfc, section: Section) -> bool:
    """Whether a section demands nothing, is named, or has a valid reason why it is not."""
    if not section.demands or (rfc.number, section.number) in marks():
        return True
    other = like(section.reason)
    return bool(section.reason) if other is None else other in marks()


def page(rfcs: Sequence[Rfc]) -> Iterator[str]:
    """The lines of the page."""
    yield from INTRODUCTION.splitlines()
    for rfc in rfcs:
        yield ""
        yield f"## RFC {rfc.number}: {rfc.title}"
        yield ""
        yield from _table(rfc)


def _table(rfc: Rfc) -> Iterator[str]:
    if not rfc.sections:
        yield "The text of this RFC is not at hand, so its demands are not counted. What is named of it:"
        yield ""
    yield "| section | title | demands | where, or why not |"
    yield "|---|---|---|---|"
    named = {section: files for (number, section), files in marks().items() if number == rfc.number}
    sections = rfc.sections or [Section(number, "", 0) for number in sorted(named, key=_order)]
    for section in sections:
        files = named.get(section.number, ())
        if files or section.demands:
            where = "; ".join(filter(None, (", ".join(map(_short, files)), section.reason)))
            title = section.title.replace("|", "\\|")
            yield f"| {section.number} | {title} | {section.demands or ''} | {where} |"


def _order(number: str) -> list[tuple[bool, int]]:
    return [(part.isalpha(), int(part) if part.isdigit() else ord(part[0])) for part in number.split(".")]


def _short(file: str) -> str:
    return file.removeprefix("src/mektup/").removeprefix("tests/transcripts/")


def main() -> None:
    """Writes the page again."""
    PAGE.write_text("\n".join(page(read_table())) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
