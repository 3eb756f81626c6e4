"""Comments of RFC 5322 §3.2.2: text in parentheses, which nest."""

from __future__ import annotations

import re

_INSIDE = re.compile(rb"\\.|[()]", re.DOTALL)
_OUTSIDE = re.compile(rb'(?:[^"(]+|"(?:[^"\\]|\\.)*"?)*', re.DOTALL)


def skip_comment(value: bytes, position: int) -> int | None:
    """Where the comment that opens at *position* has ended; None where it does not end."""
    depth = 0
    for token in _INSIDE.finditer(value, position):
        character = token[0]
        if character == b"(":
            depth += 1
        elif character == b")":
            depth -= 1
            if depth == 0:
                return token.end()
    return None


def without_comments(value: bytes, instead: bytes = b"") -> bytes:
    """*value* with *instead* for each comment; parentheses in a quoted string are none.

    What an unclosed one hides is gone too.
    """
    kept: list[bytes] = []
    position: int | None = 0
    while position is not None and position < len(value):
        outside = _OUTSIDE.match(value, position)
        assert outside is not None  # it matches nothing at all, too
        kept.append(outside[0])
        position = outside.end()
        if position < len(value):
            position = skip_comment(value, position)
    return instead.join(kept)
