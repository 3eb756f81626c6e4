"""Reads the texts of RFCs, and writes titles and numbers of demands of their sections to ``rfc_sections.toml``.

``python -m tests.architecture.rfc_texts FOLDER`` reads ``FOLDER/rfcNNNN.txt`` for each RFC of the table and writes the
facts again. Reasons, which people write, stay. The texts themselves are not part of mektup.
"""

from __future__ import annotations

import dataclasses
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence, Set
from itertools import takewhile
from pathlib import Path

TABLE = Path(__file__).with_name("rfc_sections.toml")

_PAGE_BREAK = re.compile(r"\n*[^\n]*\[Page \d+\]\n*\f?\n*(RFC [^\n]*\b\d{4}\n)?")
_HEADING = re.compile(
    r"(?:Appendix )?(\d+(?:\.\d+)*|[A-Z](?:\.\d+)*)(?:\.|(?<=Appendix .):|(?<=Appendix .) --|(?<=\.\d)) +(\S.*)",
    re.ASCII,
)
_CONTENTS = re.compile(r"\. ?\.|  \d+$", re.ASCII)
"""A line of the table of contents: it ends in a page number."""
_DEMAND = re.compile(r"\b(MUST|REQUIRED|SHALL)\b", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True)
class Section:
    """A section of an RFC, without those below it."""

    number: str
    title: str
    demands: int
    """How often the section says MUST, REQUIRED or SHALL."""
    reason: str = ""
    """Why no file of mektup needs to name it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rfc:
    """An RFC in the table."""

    number: int
    title: str
    sections: tuple[Section, ...]


def read_table(path: Path = TABLE) -> list[Rfc]:
    """The RFCs of the table, in order."""
    with path.open("rb") as file:
        table = tomllib.load(file)
    return [
        Rfc(rfc["number"], rfc["title"], tuple(Section(**section) for section in rfc["sections"]))
        for rfc in table["rfc"]
    ]


def sections_of(text: str) -> Iterator[Section]:
    """The sections in an RFC's *text*, in order."""
    lines = _PAGE_BREAK.sub("\n\n", text.replace("\r\n", "\n")).split("\n")
    starts = list(_headings(lines))
    for (number, title, start), (_, _, stop) in zip(starts, [*starts[1:], ("", "", len(lines))], strict=True):
        yield Section(number, title, len(_DEMAND.findall("\n".join(lines[start:stop]))))


def _headings(lines: Sequence[str]) -> Iterator[tuple[str, str, int]]:
    """Number, title, and the index of the first line after the heading."""
    seen: set[str] = set()
    for index, line in enumerate(lines):
        found = _HEADING.fullmatch(line.rstrip())
        if found is None or _CONTENTS.search(found[2]) or (index and lines[index - 1].strip()):
            continue
        if not _may_follow(found[1], seen):
            continue
        seen.add(found[1])
        more = list(takewhile(lambda each: re.match(r" {4,}\S", each) is not None, lines[index + 1 : index + 3]))
        yield found[1], " ".join([found[2].strip(), *map(str.strip, more)]), index + 1 + len(more)


def _may_follow(number: str, seen: Set[str]) -> bool:
    """Whether *number* may be the next section: below a *seen* one, and after all others there. Lists mostly differ."""
    above, _, own = number.rpartition(".")
    if above and above not in seen:
        return False
    beside = [each.rpartition(".")[2] for each in seen if each.rpartition(".")[0] == above]
    return all(_place(own) > _place(each) for each in beside if each.isdigit() == own.isdigit())


def _place(part: str) -> int:
    return int(part) if part.isdigit() else ord(part)


def facts(rfc: Rfc, folder: Path) -> Rfc | None:
    """*rfc* read again from its text in *folder*, with its reasons; None if the text is absent."""
    path = folder / f"rfc{rfc.number}.txt"
    if not path.exists():
        return None
    reasons = {section.number: section.reason for section in rfc.sections}
    found = sections_of(path.read_text(encoding="utf-8", errors="replace"))
    return dataclasses.replace(
        rfc, sections=tuple(dataclasses.replace(each, reason=reasons.get(each.number, "")) for each in found)
    )


def written(rfcs: Sequence[Rfc]) -> Iterator[str]:
    """The lines of the table."""
    yield "# Sections of the RFCs that mektup follows, and how often each says MUST, REQUIRED or SHALL."
    yield "# The facts are written by `python -m tests.architecture.rfc_texts FOLDER`, the reasons by people:"
    yield "# why nothing of mektup has to name a section that demands something."
    for rfc in rfcs:
        yield ""
        yield "[[rfc]]"
        yield f"number = {rfc.number}"
        yield f"title = {_string(rfc.title)}"
        yield "sections = ["
        for section in rfc.sections:
            reason = f", reason = {_string(section.reason)}" if section.reason else ""
            yield (
                f"    {{ number = {_string(section.number)}, title = {_string(section.title)}, "
                f"demands = {section.demands}{reason} }},"
            )
        yield "]"


def _string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def main() -> None:
    """Writes the facts of the table again."""
    folder = Path(sys.argv[1])
    rfcs = [facts(rfc, folder) or rfc for rfc in read_table()]
    TABLE.write_text("\n".join(written(rfcs)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
