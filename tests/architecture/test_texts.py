"""Every sentence that a person reads is in a ``texts.py``, is used with its fields, and is translated.

Log events, the page of ``/health`` and exceptions for programmers stay English.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from functools import cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from string import Formatter

import pytest

from mektup.locale import DIRECTORY, languages
from mektup.terms.texts import Text

SOURCE = Path(__file__).parents[2] / "src"
PAGES = sorted(SOURCE.rglob("texts.py"))
OTHERS = sorted(set(SOURCE.rglob("*.py")) - set(PAGES))

SPEAKS = frozenset(
    {
        *("CommandRefused", "LoginRefused", "Lost", "NotUnderstood", "Unfetched", "Untrusted"),
        *("AddressError", "ClientError", "CommandError", "ConfigError", "DamagedError", "NewerError"),
        *("PasswdFileError", "Refused", "TimedOut", "Verdict", "complain", "in_words", "succeed", "throw_out", "told"),
        *(
            "Answer",
            "CommandFault",
            "bye",
            "continuation",
            "expect",
            "expect_atom",
            "expect_octet",
            "expect_space",
            "untagged_ok",
            "wrong",
        ),
    }
)
"""Calls whose argument must be a text, not a string literal."""

WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")

LETTERS = re.compile(r"[a-z]|\{\}")

module = pytest.mark.parametrize("path", OTHERS, ids=lambda path: str(path.relative_to(SOURCE)))
language = pytest.mark.parametrize("language", languages())


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts)


@cache
def pages() -> dict[str, dict[str, Text]]:
    """The texts of each ``texts.py``, by the names of their constants."""
    found = {}
    for path in PAGES:
        constants = vars(importlib.import_module(name_of(path)))
        found[name_of(path)] = {name: value for name, value in constants.items() if isinstance(value, Text)}
        for name, value in constants.items():
            if isinstance(value, tuple):
                found[name_of(path)] |= {f"{name}[{number}]": each for number, each in enumerate(value)}
    return found


def every_text() -> Iterator[Text]:
    for constants in pages().values():
        yield from constants.values()


def fields_of(pattern: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(pattern) if field is not None}


def uses(tree: ast.Module) -> Iterator[tuple[ast.expr, str, str]]:
    """The expressions of a module that name a text: the expression, the page and the constant."""
    page_of, text_of = {}, {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if f"{node.module}.{alias.name}" in pages():
                    page_of[alias.asname or alias.name] = f"{node.module}.{alias.name}"
                elif alias.name in pages().get(str(node.module), ()):
                    text_of[alias.asname or alias.name] = str(node.module), alias.name
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(ast.Name(page), constant) if page in page_of and constant.isupper():
                yield node, page_of[page], constant
            case ast.Name(name) if name in text_of:
                yield node, *text_of[name]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def literals(node: ast.expr) -> Iterator[str]:
    """The strings that *node* is put together from, without arguments of calls."""
    match node:
        case ast.Constant(str(value)):
            yield value
        case ast.JoinedStr(values):
            yield "".join(value.value if isinstance(value, ast.Constant) else "{}" for value in values)
        case ast.BinOp(left, _, right) | ast.IfExp(_, left, right):
            yield from literals(left)
            yield from literals(right)


@module
def test_a_sentence_stands_in_texts(path: Path) -> None:
    elsewhere = []
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in SPEAKS:
            written = [each for argument in node.args for each in literals(argument) if LETTERS.search(each)]
        else:
            # a part of a sentence that is the value of a field, or the help of an option
            values = [each.value for each in node.keywords if called == "of" or each.arg == "help"]
            written = [each for value in values for each in literals(value) if WORDS.search(each)]
        elsewhere += [f"line {node.lineno}: {each}" for each in written]
    assert not elsewhere


@module
def test_a_text_is_used_with_its_fields(path: Path) -> None:
    calls = {
        id(node.func.value): {keyword.arg for keyword in node.keywords}
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "of"
    }
    wrong = []
    for node, page, constant in uses(parsed(path)):
        text = pages()[page].get(constant)
        if text is not None and calls.get(id(node), set()) != fields_of(text.plural or text.english):
            wrong.append(f"line {node.lineno}: {constant} has the fields {fields_of(text.plural or text.english)}")
    assert not wrong


def test_every_text_is_used() -> None:
    used = {(page, constant) for path in OTHERS for _, page, constant in uses(parsed(path))}
    used |= {("mektup.terms.texts", name) for name in ("ENGLISH",)}
    unused = {
        f"{page}: {constant}"
        for page, constants in pages().items()
        for constant in constants
        if "[" not in constant and (page, constant) not in used
    }
    assert not unused


def test_no_sentence_stands_twice() -> None:
    seen: dict[str, list[str]] = {}
    for page, constants in pages().items():
        for constant, text in constants.items():
            seen.setdefault(text.english, []).append(f"{page}: {constant}")
    assert not [places for places in seen.values() if len(places) > 1]


class Missing(NullTranslations):
    """A fallback that raises LookupError for a sentence that a catalog lacks."""

    def gettext(self, message: str) -> str:
        raise LookupError(message)

    def ngettext(self, one: str, many: str, number: int) -> str:
        raise LookupError(one)


@language
def test_every_text_is_translated_with_the_same_fields(language: str) -> None:
    with (DIRECTORY / language / "LC_MESSAGES" / "mektup.mo").open("rb") as file:
        translation = GNUTranslations(file)
    translation.add_fallback(Missing())
    wrong = []
    for text in every_text():
        try:
            if text.plural:
                said = [translation.ngettext(text.english, text.plural, number) for number in range(1000)]
            else:
                said = [translation.gettext(text.english)]
        except LookupError:
            wrong.append(f"not translated, or fuzzy; make texts, and edit the .po: {text.english!r}")
            continue
        for each in set(said):
            if fields_of(each) != fields_of(text.plural or text.english):
                wrong.append(f"other fields: {text.english!r}: {each!r}")
            if each.strip() != each.strip(" ") or each.count("\n\n") != text.english.count("\n\n"):
                wrong.append(f"other lines: {text.english!r}")
    assert not wrong


def test_the_catalogs_are_what_the_source_gives() -> None:
    """``make texts`` writes them."""
    pytest.importorskip("babel", reason="Babel, which makes the catalogs, is not installed")
    from tests.architecture import catalogs

    assert catalogs.TEMPLATE.read_bytes() == catalogs.written(catalogs.extracted())
    assert tuple(catalogs.languages()) == languages()
    for each, path in catalogs.languages().items():
        catalog = catalogs.updated(each, path)
        assert path.read_bytes() == catalogs.written(catalog)
        assert path.with_suffix(".mo").read_bytes() == catalogs.compiled(catalog)
        assert not catalogs.unfinished(catalog)
