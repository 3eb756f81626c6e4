"""The names of the files of a Maildir: flags, keywords and the time of arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mektup.terms.flags import objection_to_flag
from mektup.terms.limits import Limits

FLAGS: Final = {
    "D": "\\Draft",
    "F": "\\Flagged",
    "P": "$Forwarded",
    "R": "\\Answered",
    "S": "\\Seen",
    "T": "\\Deleted",
}
"""The letters after ":2,". P ("passed") is a forwarded message."""

LATEST: Final = 2**32
"""A number at the beginning of a name is a time in seconds since 1970 UTC only up to this, the year 2106."""


def letters_in(name: str) -> str:
    """The letters in the name of a file; of some servers, other fields follow them after a comma."""
    return name.rpartition(":2,")[2].partition(",")[0] if ":2," in name else ""


def flags_of(letters: str, keywords: Mapping[str, str], limits: Limits) -> frozenset[str]:
    """The flags that *letters* stand for; *keywords* by their letter. Leaves out what no message can have."""
    flags = {FLAGS.get(each) or keywords.get(each, "") for each in letters}
    return frozenset(each for each in flags if each and objection_to_flag(each, limits.keyword_bytes) is None)


def saved_at(name: str) -> int | None:
    """When the file was made, in seconds since 1970 UTC, as its name begins; None where the name does not say."""
    number = name.partition(".")[0]
    return (
        int(number) if number.isascii() and number.isdigit() and 0 < len(number) < 11 and int(number) < LATEST else None
    )


def letters_of(flags: Iterable[str], keywords: Mapping[str, str]) -> str:
    """The letters for *flags*, sorted; *keywords*: the letter of each, in lower case."""
    by_flag = {flag.lower(): letter for letter, flag in FLAGS.items() if flag.startswith("\\")}
    found = {by_flag.get(each.lower()) or keywords.get(each.lower(), "") for each in flags}
    return "".join(sorted(found))
