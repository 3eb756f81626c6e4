"""Regular expressions mean the same in every Python that mektup supports.

The ``re`` of Python 3.11.2, which Debian 12 has, backtracks wrongly after a possessive repetition. So no pattern has a
possessive quantifier or an atomic group, neither in a literal nor after it is put together.

The words of protocols and of HTML are ASCII. A pattern of text that ignores case must have the flag ASCII; else the
Turkish dotless i would match an i, and the long s an s.
"""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mektup

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("src", "tests", "bench", "reliability") for path in (ROOT / folder).rglob("*.py"))

ESCAPED = re.compile(r"\\.", re.DOTALL)
CLASS = re.compile(r"\[\^?\]?[^\]]*\]")
REFUSED = re.compile(r"[*+?}]\+|\(\?>")


def refused(pattern: str) -> bool:
    """Whether *pattern*, or a piece of one, has such a quantifier or group, outside of classes and escapes."""
    return REFUSED.search(CLASS.sub("x", ESCAPED.sub("x", pattern))) is not None


def written(path: Path) -> Iterator[tuple[int, str]]:
    """Every string and bytes constant that a module passes to a function of ``re``; also pieces of f-strings."""
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute):
            if isinstance(call.func.value, ast.Name) and call.func.value.id == "re" and call.args:
                for node in ast.walk(call.args[0]):
                    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                        yield node.lineno, as_text(node.value)


def as_text(pattern: str | bytes) -> str:
    """A pattern of bytes as text, one character for each octet."""
    return pattern if isinstance(pattern, str) else pattern.decode("latin-1")


def compiled() -> Iterator[tuple[str, re.Pattern[Any]]]:
    """The compiled patterns in mektup's modules, by the names of their places."""
    for found in pkgutil.walk_packages(mektup.__path__, "mektup."):
        if found.name.endswith("__main__"):
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            for each in inside(value):
                yield f"{found.name}.{name}", each


def inside(value: object) -> Iterator[re.Pattern[Any]]:
    """The patterns in *value*, which may be a pattern or contain some."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            yield from inside(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from inside(each)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pattern_is_written_with_a_possessive_quantifier_or_an_atomic_group(path: Path) -> None:
    assert not [line for line, text in written(path) if refused(text)]


def test_no_pattern_has_one_when_it_is_put_together() -> None:
    patterns = [(name, as_text(each.pattern)) for name, each in compiled()]
    assert not [name for name, text in patterns if refused(text)]
    assert any(name == "mektup.wire.grammar.SEQUENCE_SET" for name, _ in patterns)


def test_a_pattern_of_text_takes_letters_of_another_case_in_ascii_alone() -> None:
    assert not [
        name
        for name, each in compiled()
        if isinstance(each.pattern, str) and each.flags & re.IGNORECASE and not each.flags & re.ASCII
    ]


@pytest.mark.parametrize("pattern", ["a++", "a*+", "a?+", "a{2}+", "(?>a)", "(?:a|b)*+c", "[+]++", r"\]++"])
def test_forbidden_constructs_are_found(pattern: str) -> None:
    assert refused(pattern)


@pytest.mark.parametrize("pattern", [r"\++", "[*+]+", "[]+*+]+", "a+?", "a+b+", r"a\*+", "(?:a)+"])
def test_similar_constructs_are_allowed(pattern: str) -> None:
    assert not refused(pattern)
