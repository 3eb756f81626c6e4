"""What only one module of ``imap`` does: move a view, begin the lines of FETCH, write tagged responses.

A view says which message a sequence number means to a client. It moves together with what the client is told, so both
are done in one place.
"""

from __future__ import annotations

import ast
import re

from tests.architecture.figures import functions, modules

VIEW = "mektup.imap.sync.view"
UPDATES = "mektup.imap.sync.updates"
LINES = "mektup.imap.fetch.lines"
ANSWERS = "mektup.imap.answers"
SESSION = "mektup.imap.session"
TABLE = "mektup.imap.table"

ACCESS = "mektup.imap.access"
SUBSCRIPTIONS = frozenset({"list", "lsub", "mailbox_sources", "subscribe"})
"""The modules that use the subscriptions of the client's own account, whatever mailboxes these name."""

TAGGED = frozenset({"ok", "no", "bad", "server_bug"})
"""The functions of ``answers`` that make a tagged response."""

TAGGED_FORM = re.compile(rb"%b (OK|NO|BAD)\b")

ELSEWHERE = frozenset({"saved", "plan", "client_modseq", "show_modseq"})
"""Attributes of a view that other modules may set, because they do not say which messages and flags the client knows:
the result of its last search, the plan of its last FETCH, and the HIGHESTMODSEQ that it computes from the lines that
it reads."""


def targets(tree: ast.AST) -> list[ast.Attribute]:
    """Every attribute that *tree* assigns to."""
    return [
        node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del)
    ]


def is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def of_a_view(node: ast.Attribute) -> bool:
    """Whether *node* is an attribute of a view, by the names that views have in sessions and commands."""
    return ast.unparse(node.value).rpartition(".")[2].lstrip("_") in ("view", "selected")


def moves() -> tuple[set[str], set[str]]:
    """The attributes of a view that move, and the methods that move one of them."""
    tree = modules()[VIEW]
    (begin,) = (function for function in functions(tree) if function.name == "__init__")
    fields = {target.attr for target in targets(begin) if is_self(target.value)} - ELSEWHERE
    methods = {
        function.name
        for function in functions(tree)
        if function is not begin
        and any(target.attr in fields for target in targets(function))
        and not function.name.startswith("_")
    }
    return fields, methods - ELSEWHERE


def test_only_updates_moves_a_view() -> None:
    fields, methods = moves()
    assert {"uids", "modseq"} <= fields
    assert {"arrive", "expunge"} <= methods
    movers = {
        name
        for name, tree in modules().items()
        if name.startswith("mektup.imap.") and name != VIEW
        if any(target.attr in fields and of_a_view(target) for target in targets(tree))
        or any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in methods
            and of_a_view(node.func)
            for node in ast.walk(tree)
        )
    }
    assert movers == {UPDATES}


def test_a_line_of_fetch_begins_in_one_place() -> None:
    places = {
        name
        for name, tree in modules().items()
        if any(
            isinstance(node, ast.Constant) and isinstance(node.value, bytes) and b"FETCH (" in node.value
            for node in ast.walk(tree)
        )
    }
    assert places == {LINES}


def makes_tagged(node: ast.AST) -> bool:
    """Whether *node* gets one of the functions that make a tagged response, or is a form of such a response."""
    match node:
        case ast.Attribute(value=ast.Name(id="answers"), attr=name):
            return name in TAGGED
        case ast.ImportFrom(module=module, names=names):
            return module == ANSWERS and any(name.name in TAGGED for name in names)
        case ast.Constant(value=bytes() as octets):
            return TAGGED_FORM.match(octets) is not None
    return False


def test_only_the_session_writes_tagged_responses() -> None:
    """The table makes the usual OK of each command, for the session to write."""
    places = {
        name
        for name, tree in modules().items()
        if name.startswith("mektup.imap.") and any(map(makes_tagged, ast.walk(tree)))
    }
    assert places == {ANSWERS, SESSION, TABLE}


def test_only_access_looks_up_the_mailboxes_of_a_client() -> None:
    """What a client may do with a mailbox is decided in one place; see ``imap/access.py``.

    Other modules use ``session.mail`` for what is no mailbox: subscriptions, and the name of the account.
    """
    uses = {
        (name, parent.attr if isinstance(parent, ast.Attribute) else "")
        for name, tree in modules().items()
        if name.startswith("mektup.imap.") and name != ACCESS
        for parent in ast.walk(tree)
        for node in ast.iter_child_nodes(parent)
        if isinstance(node, ast.Attribute) and node.attr == "mail"
    }
    verbs = {"subscriptions", "subscribe", "unsubscribe"}
    wrong = {(name, verb) for name, verb in uses if verb not in {"name", "id"} | verbs}
    assert not wrong, "a mailbox that a client names is looked up by access.locate"
    users = {name.rpartition(".")[2] for name, verb in uses if verb in verbs}
    assert users == SUBSCRIPTIONS
