"""The shape of the source as figures: ``python -m tests.architecture.figures``, or ``make sizes``.

What is measured: sizes of files and functions, circles between files (imports under TYPE_CHECKING count), containers at
module level that a function writes to, and SQL by folder. Tests that hold a bound use the same functions.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from statistics import median, quantiles

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
TESTS = ROOT / "tests"

_RFC = re.compile(r"\bRFC \d{3,5}\b")
_SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|CREATE|DROP|ALTER|PRAGMA|BEGIN|COMMIT|WITH|VACUUM)\s+[A-Za-z(*\"]")
_WRITES = frozenset(
    {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}
)

_NO_CODE = frozenset(
    {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
)

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def modules() -> Mapping[str, ast.Module]:
    """The syntax tree of each module of the source, by its dotted name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function below *tree*, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines of a function without its docstring and its decorators."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        assert first.end_lineno is not None
        lines -= first.end_lineno - first.lineno + 1
    return lines


def code_lines(source: str) -> set[int]:
    """The lines of a module that hold code: no imports, docstrings, comments and empty lines."""
    lines = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in _NO_CODE:
            lines.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        is_text = (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        )
        if isinstance(node, ast.Import | ast.ImportFrom) or is_text:
            assert isinstance(node, ast.stmt)
            lines.difference_update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return lines


def imported(tree: ast.Module) -> set[str]:
    """All modules that are imported anywhere in *tree*, and what is imported from a module as if it were one."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def imports(name: str) -> set[str]:
    """The modules of the source that module *name* imports anywhere in its file."""
    known = modules()
    found = set()
    for node in ast.walk(known[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            submodules = {f"{node.module}.{alias.name}" for alias in node.names} & known.keys()
            found |= submodules or {node.module}
    return (found & known.keys()) - {name}


def circles() -> list[list[str]]:
    """Groups of modules that import each other, directly or through others; the largest first."""
    edges = {name: imports(name) for name in modules()}
    reach = {name: _reachable(name, edges) for name in edges}
    groups = {
        tuple(sorted(other for other in reach[name] if name in reach[other])) for name in edges if name in reach[name]
    }
    return sorted(map(list, groups), key=len, reverse=True)


def _reachable(start: str, edges: Mapping[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = list(edges[start])
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += edges[name]
    return found


def module_state(tree: ast.Module) -> set[str]:
    """Names of containers at module level that some function of the module writes to, or rebinds."""
    containers = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    return {name for function in functions(tree) for name in _written(function)} & containers


def _written(function: Function) -> Iterator[str]:
    local = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            if isinstance(node.value, ast.Name) and node.value.id not in local:
                yield node.value.id
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _WRITES
            and isinstance(node.func.value, ast.Name)
            and node.func.value.id not in local
        ):
            yield node.func.value.id


def has_sql(tree: ast.Module) -> bool:
    """Whether a string of the module, docstrings apart, begins as a statement of SQL."""
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    return any(
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and _SQL.match(node.value) is not None
        for node in ast.walk(tree)
    )


def _code_lines(folder: Path, *endings: str) -> Sequence[int]:
    files = [path for path in folder.rglob("*") if path.suffix in endings]
    return [len(path.read_bytes().splitlines()) for path in files]


def report() -> Iterator[str]:
    """The figures, a line each."""
    files = _code_lines(SOURCE, ".py")
    tests = _code_lines(TESTS, ".py", ".txt")
    sizes = sorted(length(function) for tree in modules().values() for function in functions(tree))
    mentions = sum(len(_RFC.findall(path.read_text(encoding="utf-8"))) for path in SOURCE.rglob("*.py"))
    state = {f"{name}.{each}" for name, tree in modules().items() for each in module_state(tree)}
    sql = {name.rpartition(".")[0] for name, tree in modules().items() if has_sql(tree)}
    yield f"source lines / files            {sum(files):,} / {len(files)}"
    yield f"median / largest file           {median(files):g} / {max(files)}"
    yield f"function median / p90 / longest {median(sizes):g} / {quantiles(sizes, n=10)[-1]:g} / {sizes[-1]}"
    yield f"RFC mentions                    {mentions}"
    yield f"test : source                   {sum(tests) / sum(files):.2f}"
    yield f"circles between files           {', '.join(f'{len(group)} files' for group in circles()) or 'none'}"
    yield f"written state of modules        {', '.join(sorted(state)) or 'none'}"
    yield f"folders with SQL                {', '.join(sorted(sql))}"


if __name__ == "__main__":
    print(*report(), sep="\n")
