"""The values of Content-ID, Content-Location and Content-MD5, by their grammars, without comments and folds.

Each value is one word, so white space left by a fold is removed. Content-Description is text (RFC 2045 §8), in which
parentheses are no comments, so it needs no function here.
"""

from __future__ import annotations

import re

from mektup.message.comments import skip_comment, without_comments
from mektup.message.headers import unfold

_FOLD = re.compile(rb"\r?\n[ \t]*")
_SPACE = re.compile(rb"[ \t]+")
_ANY_SPACE = re.compile(rb"[ \t\r\n]*")
_SPACE_BEFORE_COMMENT = re.compile(rb"(?<![ \t\r\n])[ \t\r\n]+(?=\()")
_OUTSIDE_QUOTES = re.compile(rb'("(?:[^"\\]|\\.)*"?)|[ \t]+', re.DOTALL)


def content_id(value: bytes) -> bytes:
    """RFC 2045 §7: a msg-id. Comments and white space may be around it and, in the obsolete form, within it."""
    value = unfold(value)
    if b"(" in value:
        value = without_comments(value).strip(b" \t")
    if not (value.startswith(b"<") and value.endswith(b">")) or not (b" " in value or b"\t" in value):
        return value
    return _OUTSIDE_QUOTES.sub(lambda match: match[1] or b"", value)


def content_md5(value: bytes) -> bytes:
    """RFC 1864 §2: base64."""
    value = unfold(value)
    return _SPACE.sub(b"", without_comments(value) if b"(" in value else value)


def content_location(value: bytes) -> bytes:
    """RFC 2557 §4.1: ``[CFWS] URI [CFWS]``; §4.4.3: the pieces of a folded URI are joined without white space.

    A URI may contain parentheses, so a comment counts only before the URI, or after it and white space.
    """
    value = value.strip(b" \t\r\n")
    if value.startswith(b"("):
        value = value[_behind_comments(value, 0) or 0 :]
    if value.endswith(b")"):
        value = _without_last_comments(value)
    return _FOLD.sub(b"", value).translate(None, b"\r\n")


def _without_last_comments(value: bytes) -> bytes:
    position = 0
    while match := _SPACE_BEFORE_COMMENT.search(value, position):
        end = _behind_comments(value, match.end())
        if end is None:
            return value
        if end == len(value):
            return value[: match.start()]
        position = end
    return value


def _behind_comments(value: bytes, position: int) -> int | None:
    """The position after the comments at *position* and the white space around them; None if one has no end."""
    while value[position : position + 1] == b"(":
        end = skip_comment(value, position)
        if end is None:
            return None
        space = _ANY_SPACE.match(value, end)
        assert space is not None  # it also matches the empty text
        position = space.end()
    return position
