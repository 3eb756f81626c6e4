"""The patterns of LIST and LSUB: ``*`` and ``%`` (RFC 9051 §6.3.9).

A backtracking matcher needs exponential time for a pattern with many wildcards, and a client may send any pattern. So a
name is matched in one pass over its letters, against all patterns at once. The patterns are laid out one after the
other. Bit *n* of an integer says that the name matches a pattern up to position *n*; a wildcard is a bit that stays
set.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mektup.terms.names import DELIMITER, fold_inbox

_WILDCARDS = re.compile("[*%]")


class Pattern:
    """One or more patterns below a reference; matches a name that any of them matches."""

    __slots__ = ("_begins", "_ends_in_star", "_names", "_places", "_starts", "_without_star")

    def __init__(self, reference: str, patterns: Sequence[str]) -> None:
        self._names: set[str] = set()
        """Patterns without wildcards."""
        starts: list[str] = []
        begins: list[str] = []
        others: list[str] = []
        for pattern in (_from_root(reference, each) for each in patterns):
            starts.append(_WILDCARDS.split(pattern, maxsplit=1)[0])
            start = pattern.removesuffix("*")
            if not {"*", "%"} & set(pattern):
                self._names.add(pattern)
            elif start != pattern and not {"*", "%"} & set(start):
                begins.append(start)
            else:
                others.append(pattern)
        self._starts = tuple(starts)
        """What comes before the first wildcard, of each pattern."""
        self._begins = tuple(begins)
        """The commonest patterns, whose only wildcard is a ``*`` at the end; stored without it."""
        rest = [pattern for pattern in patterns if not pattern.endswith("*")]
        self._ends_in_star = len(rest) < len(patterns)
        self._without_star = Pattern(reference, rest) if self._ends_in_star and rest else None
        """The patterns that do not end in ``*``, if others do."""
        self._places = _Places(others) if others else None

    @property
    def starts(self) -> Sequence[str]:
        """What comes before the first wildcard, of each pattern."""
        return self._starts

    def may_match(self, first: str) -> bool:
        """Whether a pattern may match a name that is *first*, or begins with *first* and the delimiter.

        Only looks at the letters before the first wildcard.
        """
        begin = first + DELIMITER
        return any(start.startswith(begin) or begin.startswith(start) for start in self._starts)

    def matches_level(self, name: str) -> bool:
        """Whether a pattern matches *name*, which is no mailbox but a level above one.

        RFC 3501 §6.3.8: such names are listed for a pattern that ends in ``%``. Here, also for a pattern that does not
        end in ``*``, as a client may ask for the name itself.
        """
        if not self._ends_in_star:
            return self.matches(name)
        return self._without_star is not None and self._without_star.matches(name)

    def matches(self, name: str) -> bool:
        """Whether a pattern matches the whole *name*."""
        if name in self._names or name.startswith(self._begins):
            return True
        return self._places is not None and self._places.matches(name)


def _from_root(reference: str, pattern: str) -> str:
    # RFC 9051 §6.3.9: the server decides how reference and pattern combine. Here, a pattern that starts with the
    # delimiter ignores the reference.
    return fold_inbox(pattern[1:] if pattern.startswith(DELIMITER) else reference + pattern)


class _Places:
    """Patterns with wildcards, compiled: one integer with a bit for each position in each of them."""

    __slots__ = ("_at_letter", "_ends", "_starts", "_stay", "_stay_in_level")

    def __init__(self, patterns: Sequence[str]) -> None:
        self._at_letter: dict[str, int] = {}
        """The positions that a letter advances from."""
        self._starts = self._ends = self._stay = self._stay_in_level = 0
        place = 1
        for pattern in patterns:
            self._starts |= place
            for letter in pattern:
                if letter == "*":
                    self._stay |= place
                elif letter == "%":
                    self._stay_in_level |= place
                else:
                    self._at_letter[letter] = self._at_letter.get(letter, 0) | place
                    place <<= 1
            # no letter advances from the end of a pattern, so none advances into the next pattern
            self._ends |= place
            place <<= 1

    def matches(self, name: str) -> bool:
        met = self._starts
        for letter in name:
            stay = self._stay if letter == DELIMITER else self._stay | self._stay_in_level
            met = (met & self._at_letter.get(letter, 0)) << 1 | met & stay
            if not met:
                return False
        return bool(met & self._ends)
