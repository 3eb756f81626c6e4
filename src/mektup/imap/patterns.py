"""The patterns of LIST and LSUB: ``*`` and ``%`` (RFC 9051 §6.3.9)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mektup.terms.flags import DELIMITER


class Pattern:
    """One or more patterns below a reference; matches a name that any of them matches."""

    __slots__ = ("_alternatives",)

    def __init__(self, reference: str, patterns: Sequence[str]) -> None:
        self._alternatives = [_compiled(_canonical(reference, pattern)) for pattern in patterns]

    def matches(self, name: str) -> bool:
        """Whether *name* as a whole is meant."""
        return any(alternative.fullmatch(name) for alternative in self._alternatives)


def _canonical(reference: str, pattern: str) -> str:
    # RFC 9051 §6.3.9: how the two combine is the server's; a pattern from the root stands alone
    if pattern.startswith(DELIMITER):
        return pattern[1:]
    return reference + pattern


def _compiled(pattern: str) -> re.Pattern[str]:
    """A regex that needs no backtracking beyond its last ``*``: runs of wildcards are one."""
    first, delimiter, rest = pattern.partition(DELIMITER)
    if first.upper() == "INBOX":
        # RFC 9051 §5.1: INBOX in any case of letters
        pattern = f"INBOX{delimiter}{rest}"
    folded = re.sub(r"[*%]*\*[*%]*", "*", pattern)
    folded = re.sub(r"%+", "%", folded)
    parts = []
    for piece in re.split(r"([*%])", folded):
        if piece == "*":
            parts.append(".*?")
        elif piece == "%":
            parts.append(f"[^{DELIMITER}]*?")
        else:
            parts.append(re.escape(piece))
    return re.compile("".join(parts), re.DOTALL)
