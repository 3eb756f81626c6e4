"""The shape of the source: sizes, names, and what it must not contain."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.architecture.figures import (
    RESOURCES,
    circles,
    class_state,
    code_lines,
    functions,
    imported,
    length,
    module_state,
    modules,
    sql_verbs,
    unbounded_caches,
    written_state,
)

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "src").rglob("*.py"))
MODULE_LINES = 600
FUNCTION_LINES = 50
"""The most lines of a function, not counting its docstring."""

ENGINE_LINES = 1200
"""The most lines of code of an engine, without imports, docstrings, comments and empty lines."""

FORBIDDEN_NAMES = frozenset({"utils", "util", "helpers", "helper", "manager", "misc", "common"})
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")

BOUNDARIES = frozenset(
    {
        "mektup/imap/session.py",
        "mektup/session/line_session.py",
    }
)
"""Where a bug becomes an answer, or is passed between threads; ``server`` has one for a whole session, too."""

module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT / "src")))


@module
def test_a_module_can_be_read_at_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MODULE_LINES


@module
def test_a_function_fits_a_screen(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    too_long = {function.name: length(function) for function in functions(tree) if length(function) > FUNCTION_LINES}
    assert not too_long


@module
def test_imports_stand_at_the_top(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = [
        f"{function.name}, line {node.lineno}"
        for function in functions(tree)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert not inside


@module
def test_a_module_is_named_for_what_it_holds(path: Path) -> None:
    assert path.stem not in FORBIDDEN_NAMES


@module
def test_no_marks_of_unfinished_work(path: Path) -> None:
    assert not UNFINISHED.findall(path.read_text(encoding="utf-8"))


@module
def test_every_error_is_caught_only_at_a_boundary(path: Path) -> None:
    name = str(path.relative_to(ROOT / "src"))
    if name in BOUNDARIES or name.startswith("mektup/server/"):
        pytest.skip("a boundary")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    broad = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")))
    ]
    assert not broad


@module
def test_a_module_says_what_it_is_for(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))


def test_a_second_engine_is_small() -> None:
    """Everything that every engine needs is in ``store/rules`` and ``store/sorting``; the naive engine is the rest."""
    engine = sorted((ROOT / "tests" / "support" / "naive").glob("*.py"))
    assert 0 < sum(len(code_lines(path.read_text(encoding="utf-8"))) for path in engine) < ENGINE_LINES


OF_A_FILE = frozenset({"BEGIN", "PRAGMA", "VACUUM"})
"""Statements that fit any file, whatever tables it has."""


def test_sql_has_its_place() -> None:
    """The statements for tables of mail are in ``tables``; ``file`` knows no table, and nothing else knows SQL."""
    places = ("mektup.store.sqlite.tables.", "mektup.store.postgres.tables.")
    elsewhere = {
        name: verbs - OF_A_FILE if name.startswith("mektup.store.sqlite.file.") else verbs
        for name, tree in modules().items()
        if (verbs := sql_verbs(tree)) and not name.startswith(places)
    }
    assert not {name: verbs for name, verbs in elsewhere.items() if verbs}


FILES = frozenset({"apsw", "os", "ctypes", "mektup.store.files", "mektup.store.system"})


def test_each_module_of_the_engine_uses_sql_or_a_file() -> None:
    """Any other code would be needed by another engine, too, so it belongs above."""
    strangers = [
        name
        for name, tree in modules().items()
        if re.match(r"mektup\.store\.sqlite\.(file|tables)\.", name)
        if len(tree.body) > 1  # a package has only its docstring
        if not sql_verbs(tree) and not FILES & imported(tree)
    ]
    assert not strangers


def test_no_files_import_each_other_in_a_circle() -> None:
    assert not circles(), "imports for type checking count, too"


def test_a_module_holds_no_state_but_resources() -> None:
    """Remembered values are functions of their arguments (lru_cache), or go through ``store/memo.py``."""
    assert written_state() == RESOURCES.keys()


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("SEEN = {}\ndef see(x): SEEN[x] = 1", {"SEEN"}),
        ("SEEN = []\ndef see(x): SEEN.append(x)", {"SEEN"}),
        ("LAST = None\ndef see(x):\n global LAST\n LAST = x", {"LAST"}),
        ("class Reader:\n seen = {}\n def see(self, x): self.seen[x] = 1", {"Reader.seen"}),
        ("class Reader:\n seen = set()\ndef see(x): Reader.seen.add(x)", {"Reader.seen"}),
        ("TABLE = {1: 2}\ndef see(x): return TABLE[x]", set()),
        ("def see(x):\n seen = {}\n seen[x] = 1", set()),
        (
            "class Reader:\n seen = None\n def __init__(self): self.seen = {}\n def see(self, x): self.seen[x] = 1",
            set(),
        ),
    ],
)
def test_state_is_found(source: str, found: set[str]) -> None:
    tree = ast.parse(source)
    assert module_state(tree) | class_state(tree) == found


def test_no_cache_grows_without_bound() -> None:
    assert not [f"{name}.{each}" for name, tree in modules().items() for each in unbounded_caches(tree)]


def test_each_file_with_a_cache_is_named_in_the_documentation() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.partition("\n## What is remembered\n")[2].partition("\n## ")[0]
    caching = re.compile(r"\b(?:lru_cache\(|Memo\(|Recall\()|@cache\b")
    files = [path for path in MODULES if caching.search(path.read_text(encoding="utf-8"))]
    assert len(files) > 20
    names = [str(path.relative_to(ROOT / "src" / "mektup")) for path in files]
    assert not [name for name in names if f"`{name}`" not in section and f"`{name}:" not in section]
