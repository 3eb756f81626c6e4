"""The comparators that a client may choose for texts (RFC 5255 §4, RFC 4790)."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Comparator(Enum):
    """How texts are compared; the value is its name on the wire. ``message.comparing`` has what each one does."""

    CASEFOLD = "vnd-mektup;casefold"
    """Full case folding of composed text, and one letter i for the four of Turkish."""
    UNICODE = "i;unicode-casemap"
    """RFC 5051, to the letter."""
    ASCII = "i;ascii-casemap"
    """RFC 4790 §9.2: the case of US-ASCII alone does not matter."""
    TURKISH = "vnd-mektup;turkish-casemap"
    """As CASEFOLD, but I and ı are a pair, and so are İ and i; sorts in the order of the Turkish alphabet."""


DEFAULT: Final = Comparator.CASEFOLD
"""The comparator of a client that has chosen none."""


def matching(pattern: str) -> list[Comparator]:
    """The comparators that *pattern* names: ``default``, or a name in which ``*`` is any text (RFC 4790 §3.2)."""
    asked = pattern.lower().removeprefix("+")
    if asked == "default":
        return [DEFAULT]
    return [comparator for comparator in Comparator if _matches(asked, comparator.value)]


def _matches(pattern: str, name: str) -> bool:
    first, *rest = pattern.split("*")
    if not rest:
        return pattern == name
    *between, last = rest
    if len(first) + len(last) > len(name) or not name.startswith(first) or not name.endswith(last):
        return False
    at, stop = len(first), len(name) - len(last)
    for part in between:
        at = name.find(part, at, stop)
        if at < 0:
            return False
        at += len(part)
    return True
