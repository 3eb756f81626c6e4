"""The patterns of LIST and LSUB: ``*`` and ``%`` (RFC 9051 §6.3.9).

A pattern with many wildcards makes a backtracking matcher try without end, and a client may send any. So a
name is matched in one pass over its letters: bit *n* of a number says that the first *n* letters of the pattern
have been met, and a wildcard is a bit that stays set.
"""

from __future__ import annotations

from collections.abc import Sequence

from mektup.terms.names import DELIMITER, fold_inbox


class Pattern:
    """One or more patterns below a reference; matches a name that any of them matches."""

    __slots__ = ("_alternatives",)

    def __init__(self, reference: str, patterns: Sequence[str]) -> None:
        self._alternatives = [_Alternative(_from_root(reference, pattern)) for pattern in patterns]

    def matches(self, name: str) -> bool:
        """Whether *name* as a whole is meant."""
        return any(alternative.matches(name) for alternative in self._alternatives)


def _from_root(reference: str, pattern: str) -> str:
    # RFC 9051 §6.3.9: how the two combine is the server's; a pattern from the root stands alone
    return fold_inbox(pattern[1:] if pattern.startswith(DELIMITER) else reference + pattern)


class _Alternative:
    """One pattern, compiled."""

    __slots__ = ("_at_letter", "_met_all", "_pattern", "_start", "_stay", "_stay_in_level")

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        start = pattern.removesuffix("*")
        self._start = start if start != pattern and not {"*", "%"} & set(start) else None
        """Of the commonest patterns, all but the star that ends them."""
        self._at_letter: dict[str, int] = {}
        self._stay = self._stay_in_level = 0
        place = 1
        for letter in pattern:
            if letter == "*":
                self._stay |= place
            elif letter == "%":
                self._stay_in_level |= place
            else:
                self._at_letter[letter] = self._at_letter.get(letter, 0) | place
                place <<= 1
        self._met_all = place

    def matches(self, name: str) -> bool:
        if self._start is not None:
            return name.startswith(self._start)
        if not (self._stay or self._stay_in_level):
            return name == self._pattern
        met = 1
        for letter in name:
            stay = self._stay if letter == DELIMITER else self._stay | self._stay_in_level
            met = (met & self._at_letter.get(letter, 0)) << 1 | met & stay
            if not met:
                return False
        return bool(met & self._met_all)
