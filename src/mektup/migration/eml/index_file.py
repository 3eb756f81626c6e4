"""The index that our export puts into each folder of ``.eml`` files: what a file of a message cannot say.

The first line has the numbers of the mailbox, each other line a message; fields are separated by tabs. A folder of
another program has none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from mektup.terms.flags import SPECIAL_USES, objection_to_flag
from mektup.terms.limits import Limits
from mektup.terms.numbers import MAX_UINT32, Uid, UidValidity

NAME: Final = "mektup-index.tsv"

_HEAD: Final = re.compile(r"mektup 1\t(\d{1,10})\t(\d{1,10})\t([01])\t([^\t]*)")
_LINE: Final = re.compile(r"([^\t/]+)\t(\d{1,10})\t(-?\d{1,12})\t(-?\d{1,4})\t(\d{1,12})\t([^\t]*)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A message of the index."""

    uid: Uid
    internaldate: int
    zone: int
    saved: int
    flags: frozenset[str]


@dataclass(slots=True)
class Index:
    """A folder as it was exported."""

    uidvalidity: UidValidity
    uidnext: Uid
    subscribed: bool
    special_use: str | None
    entries: dict[str, Entry] = field(default_factory=dict)
    """By the name of the file, UIDs ascending."""


def first_line(uidvalidity: int, uidnext: int, *, subscribed: bool, special_use: str | None) -> str:
    """The line of the mailbox, with its end."""
    return f"mektup 1\t{uidvalidity}\t{uidnext}\t{int(subscribed)}\t{special_use or ''}\n"


def line(file: str, entry: Entry) -> str:
    """The line of a message, with its end."""
    flags = " ".join(sorted(entry.flags))
    return f"{file}\t{entry.uid}\t{entry.internaldate}\t{entry.zone}\t{entry.saved}\t{flags}\n"


def read_index(octets: bytes, limits: Limits) -> Index | None:
    """The index in *octets*; None where it is none. Lines that cannot be read are left out."""
    lines = octets.decode("utf-8", "surrogateescape").split("\n")
    head = _HEAD.fullmatch(lines[0])
    if head is None or not (0 < int(head[1]) <= MAX_UINT32 and 0 < int(head[2]) <= MAX_UINT32):
        return None
    use = head[4] if head[4] in SPECIAL_USES else None
    found = Index(UidValidity(int(head[1])), Uid(int(head[2])), head[3] == "1", use)
    found.entries = dict(_entries(lines[1:], limits))
    return found


def _entries(lines: Iterable[str], limits: Limits) -> Iterable[tuple[str, Entry]]:
    last = 0
    for each in lines:
        match = _LINE.fullmatch(each)
        if match is None or not last < int(match[2]) < MAX_UINT32 or abs(int(match[4])) >= 24 * 60:
            continue
        last = int(match[2])
        flags = frozenset(flag for flag in match[6].split() if objection_to_flag(flag, limits.keyword_bytes) is None)
        yield match[1], Entry(Uid(last), int(match[3]), int(match[4]), int(match[5]), flags)
