"""The shape of the source as figures: ``python -m tests.architecture.figures``, or ``make sizes``.

What is measured: sizes of files and functions, circles between files (imports under TYPE_CHECKING count), state of
modules and classes that a function writes to, and SQL by folder. Tests that hold a bound use the same functions.
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
    {"add", "append", "appendleft", "clear", "discard", "extend", "insert", "move_to_end", "pop", "popitem", "popleft"}
    | {"remove", "setdefault", "update"}
)
_CONTAINERS = frozenset({"dict", "list", "set", "OrderedDict", "defaultdict", "deque", "Counter", "array"}) | {
    "WeakKeyDictionary",
    "WeakValueDictionary",
    "WeakSet",
}

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
    """All modules that are imported anywhere in *tree*; a name imported from a module is treated as a module, too."""
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


RESOURCES: Mapping[str, str] = {
    "mektup.store.sqlite.file.wal_index._files": "descriptors, whose locks POSIX counts by process",
}
"""State of modules that is allowed: files, threads, connections; each with the reason why it belongs to the process."""

VALUES = frozenset({"NumberSet"})
"""Classes of values that compute something about themselves once, from what never changes."""


def written_state() -> set[str]:
    """State that outlives its caller: containers of a module, a class or a module's object that a function writes to.

    ``lru_cache`` is not counted: its content follows from the arguments.
    """
    found = {f"{name}.{each}" for name, tree in modules().items() for each in module_state(tree) | class_state(tree)}
    return found | {f"{name}.{each}" for name in modules() for each in changing_objects(name)}


def module_state(tree: ast.Module) -> set[str]:
    """Names of containers at module level that some function of the module writes to, or rebinds."""
    return {name for function in functions(tree) for name in _written(function)} & set(_assigned(tree.body))


def class_state(tree: ast.Module) -> set[str]:
    """Containers that all objects of a class share, and that some function of the module writes to."""
    found = set()
    written = {name for function in functions(tree) for name in _written_attributes(function)}
    for each in ast.walk(tree):
        if isinstance(each, ast.ClassDef):
            own = {name for function in functions(each) for name in _own_attributes(function)}
            shared = {name for name, value in _assigned(each.body).items() if _is_container(value)}
            found |= {f"{each.name}.{name}" for name in (shared - own) & written}
    return found


def changing_objects(name: str) -> set[str]:
    """Names at module level of objects whose methods change them, such as a cache that is made once."""
    return {
        target
        for target, value in _assigned(modules()[name].body).items()
        if isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and (made := _class_named(name, value.func.id)) is not None
        and made.name not in VALUES
        and _changes(made)
    }


def unbounded_caches(tree: ast.Module) -> set[str]:
    """Functions with arguments whose results are cached without a bound."""
    return {
        function.name
        for function in functions(tree)
        if function.args.args or function.args.kwonlyargs or function.args.vararg
        for decorator in function.decorator_list
        if ast.unparse(decorator).rpartition(".")[2] in ("cache", "lru_cache(None)", "lru_cache(maxsize=None)")
    }


def _assigned(body: Sequence[ast.stmt]) -> dict[str, ast.expr | None]:
    """The values assigned to names in *body*, but not in nested blocks."""
    return {
        target.id: node.value
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }


def _is_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        named = value.func.value if isinstance(value.func, ast.Subscript) else value.func
        return ast.unparse(named).rpartition(".")[2] in _CONTAINERS
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)


def _class_named(module: str, name: str) -> ast.ClassDef | None:
    """The class of the source that *module* calls *name*; None for anything else."""
    tree = modules()[module]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            return node
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in modules():
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return _class_named(node.module, alias.name)
    return None


def _changes(made: ast.ClassDef) -> bool:
    """Whether a method of the class writes to its object; ``__init__`` does not count."""
    return any(
        set(_own_attributes(function)) or set(_written_attributes(function))
        for function in functions(made)
        if function.name not in ("__init__", "__post_init__", "__new__")
    )


def _own_attributes(function: Function) -> Iterator[str]:
    """Attributes of ``self`` that *function* assigns."""
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) == "self":
            yield node.attr


def _written_attributes(function: Function) -> Iterator[str]:
    """Attributes, of any object, that *function* writes into."""
    for node in ast.walk(function):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            if isinstance(node.value, ast.Attribute):
                yield node.value.attr
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in _WRITES
            and isinstance(node.func.value, ast.Attribute)
        ):
            yield node.func.value.attr


def _written(function: Function) -> Iterator[str]:
    """Names that are not local to *function*, and that it writes into or rebinds."""
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


def sql_verbs(tree: ast.Module) -> set[str]:
    """The first words of the strings of a module that begin like an SQL statement; docstrings do not count."""
    prose = {
        id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in prose]
    begun = [_SQL.match(text) for text in texts if isinstance(text, str)]
    return {statement[1] for statement in begun if statement is not None}


def _code_lines(folder: Path, *endings: str) -> Sequence[int]:
    files = [path for path in folder.rglob("*") if path.suffix in endings]
    return [len(path.read_bytes().splitlines()) for path in files]


def report() -> Iterator[str]:
    """The figures, one a line."""
    files = _code_lines(SOURCE, ".py")
    tests = _code_lines(TESTS, ".py", ".txt")
    sizes = sorted(length(function) for tree in modules().values() for function in functions(tree))
    mentions = sum(len(_RFC.findall(path.read_text(encoding="utf-8"))) for path in SOURCE.rglob("*.py"))
    state = written_state()
    sql = {name.rpartition(".")[0] for name, tree in modules().items() if sql_verbs(tree)}
    yield f"source lines / files            {sum(files):,} / {len(files)}"
    yield f"median / largest file           {median(files):g} / {max(files)}"
    yield f"function median / p90 / longest {median(sizes):g} / {quantiles(sizes, n=10)[-1]:g} / {sizes[-1]}"
    yield f"RFC mentions                    {mentions}"
    yield f"test : source                   {sum(tests) / sum(files):.2f}"
    yield f"circles between files           {', '.join(f'{len(group)} files' for group in circles()) or 'none'}"
    yield f"written state of modules        {', '.join(sorted(state - RESOURCES.keys())) or 'none'}"
    yield f"resources of the process        {', '.join(sorted(state & RESOURCES.keys())) or 'none'}"
    yield f"folders with SQL                {', '.join(sorted(sql))}"


if __name__ == "__main__":
    print(*report(), sep="\n")
