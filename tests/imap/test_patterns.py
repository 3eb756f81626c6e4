"""LIST patterns (RFC 9051 §6.3.9)."""

from __future__ import annotations

import pytest

from mektup.imap.patterns import Pattern

NAMES = ["INBOX", "INBOX/a", "foo", "foo/bar", "foo/bar/baz", "food", "a.b"]


@pytest.mark.parametrize(
    ("reference", "pattern", "expected"),
    [
        ("", "*", NAMES),
        ("", "%", ["INBOX", "foo", "food", "a.b"]),
        ("", "foo", ["foo"]),
        ("", "foo%", ["foo", "food"]),
        ("", "foo*", ["foo", "foo/bar", "foo/bar/baz", "food"]),
        ("", "foo/%", ["foo/bar"]),
        ("foo/", "%", ["foo/bar"]),
        ("foo/", "*", ["foo/bar", "foo/bar/baz"]),
        ("", "%/%", ["INBOX/a", "foo/bar"]),
        ("", "inbox", ["INBOX"]),
        ("", "iNbOx/%", ["INBOX/a"]),
        ("", "a.b", ["a.b"]),
        ("", "axb", []),
        ("", "*%*", NAMES),
        ("nowhere/", "/foo", ["foo"]),
        ("", "*bar*", ["foo/bar", "foo/bar/baz"]),
    ],
)
def test_what_a_pattern_matches(reference: str, pattern: str, expected: list[str]) -> None:
    compiled = Pattern(reference, (pattern,))
    assert [name for name in NAMES if compiled.matches(name)] == expected


def test_any_of_several_patterns() -> None:
    compiled = Pattern("", ("INBOX", "foo/%"))
    assert [name for name in NAMES if compiled.matches(name)] == ["INBOX", "foo/bar"]


def test_many_wildcards_take_no_longer_than_few() -> None:
    # a backtracking matcher would never finish this
    hostile = Pattern("", ("%a*" * 300 + "b",))
    assert not hostile.matches("a" * 900)
    assert hostile.matches("a" * 900 + "b")
