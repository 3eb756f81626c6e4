"""Comments of RFC 5322."""

from __future__ import annotations

import pytest

from mektup.message.comments import skip_comment, without_comments


@pytest.mark.parametrize(
    ("value", "end"), [(b"(a) b", 3), (b"(a(b)c)d", 7), (b"(\\))d", 4), (b"()", 2), (b"(", None), (b"((a)", None)]
)
def test_a_comment_ends_with_its_own_parenthesis(value: bytes, end: int | None) -> None:
    assert skip_comment(value, 0) == end


@pytest.mark.parametrize(
    ("value", "rest"),
    [
        (b"a (b) c", b"a  c"),
        (b'a "(b)" (c)', b'a "(b)" '),
        (b"a (it's \"b) c", b"a  c"),
        (b'"a\\"(b)" c', b'"a\\"(b)" c'),
        (b"a (b", b"a "),
        (b'"a (b', b'"a (b'),
        (b"a) b", b"a) b"),
        (b"", b""),
    ],
)
def test_comments_are_removed(value: bytes, rest: bytes) -> None:
    assert without_comments(value) == rest
