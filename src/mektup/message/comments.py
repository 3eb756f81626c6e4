"""Comments of RFC 5322 §3.2.2: text in parentheses, which can be nested."""

from __future__ import annotations

import re

_INSIDE = re.compile(rb"\\.|[()]", re.DOTALL)
_OUTSIDE = re.compile(rb'(?:[^"(]+|"(?:[^"\\]|\\.)*"?)*', re.DOTALL)


def skip_comment(value: bytes, position: int) -> int | None:
    """The position after the comment that opens at *position*; None if it has no end."""
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
    """*value* with *instead* in place of each comment. Parentheses in a quoted string are no comment.

    An unclosed comment hides the rest of *value*.
    """
    kept: list[bytes] = []
    position: int | None = 0
    while position is not None and position < len(value):
        outside = _OUTSIDE.match(value, position)
        assert outside is not None  # it also matches the empty text
        kept.append(outside[0])
        position = outside.end()
        if position < len(value):
            position = skip_comment(value, position)
    return instead.join(kept)
