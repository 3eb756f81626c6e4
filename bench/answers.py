"""Reduces a server's answers to values that must be the same on every server.

A server may choose the order of items, quoted strings or literals, the zone of a date, and extra untagged responses.
These differences are removed here. Nothing of this runs while the clock runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import Any

Value = Any
"""An atom or a string (bytes), or a list of them, nested as the parentheses are."""

_TOKEN = re.compile(
    rb"""\ *(?:
    \{(?P<literal>\d+)\}\r\n
    | "(?P<quoted>(?:[^"\\\r\n]|\\.)*)"
    | (?P<open>\()
    | (?P<close>\))
    | (?P<end>\r\n)
    | (?P<atom>[A-Za-z.]+\[[^\]]*\](?:<\d+>)?|[^\ ()"\r\n]+)
    )""",
    re.VERBOSE,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_STATUS = re.compile(rb"(?:\+|\S+ (?:OK|NO|BAD|BYE|PREAUTH))(?: .*)?\r\n", re.IGNORECASE)


def responses(octets: bytes) -> Iterator[list[Value]]:
    """Each untagged response with data, as nested lists; without status responses, whose text is free."""
    place = 0
    while place < len(octets):
        status = _STATUS.match(octets, place)
        if status:
            place = status.end()
            continue
        response: list[Value] = []
        stack = [response]
        while True:
            token = _TOKEN.match(octets, place)
            if token is None:
                raise OSError(f"not a response: {octets[place : place + 100]!r}")
            place = token.end()
            kind = token.lastgroup
            if kind == "atom":
                stack[-1].append(token["atom"])
            elif kind == "quoted":
                stack[-1].append(_ESCAPED.sub(rb"\1", token["quoted"]))
            elif kind == "literal":
                stack[-1].append(octets[place : place + int(token["literal"])])
                place += int(token["literal"])
            elif kind == "open":
                inner: list[Value] = []
                stack[-1].append(inner)
                stack.append(inner)
            elif kind == "close":
                stack.pop()
            else:
                break
        yield response[1:]


def fetched(octets: bytes) -> dict[int, dict[bytes, Value]]:
    """The items that FETCH returned, by sequence number; the last value counts if one came twice."""
    found: dict[int, dict[bytes, Value]] = {}
    for response in responses(octets):
        if len(response) == 3 and response[1] == b"FETCH":
            names, values = response[2][::2], response[2][1::2]
            items = {name.upper(): value for name, value in zip(names, values, strict=True)}
            found.setdefault(int(response[0]), {}).update(items)
    return found


def messages(octets: bytes, *names: bytes) -> list[str]:
    """The items *names* of each fetched message, by sequence number, in a form that can be compared."""
    found = fetched(octets)
    return [f"{seq} " + " ".join(_levelled(name, found[seq].get(name)) for name in names) for seq in sorted(found)]


def _levelled(name: bytes, value: Value) -> str:
    if name == b"FLAGS":
        return str(sorted(flag for flag in value if flag != rb"\Recent"))
    if name == b"INTERNALDATE":
        return f"{datetime.strptime(value.decode().strip(), '%d-%b-%Y %H:%M:%S %z').timestamp():.0f}"
    if name == b"BODYSTRUCTURE":
        # names of types, encodings and parameters ignore case
        return repr(value).lower()
    if isinstance(value, bytes) and len(value) > 64:
        return f"{len(value)} octets {blake2b(value, digest_size=8).hexdigest()}"
    return repr(value)


def literals(octets: bytes) -> list[bytes]:
    """The literals in *octets*, in order."""
    found, place = [], 0
    while opening := _LITERAL.search(octets, place):
        place = opening.end() + int(opening[1])
        found.append(octets[opening.end() : place])
    return found


_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


def numbers(octets: bytes, name: bytes) -> list[list[int]]:
    """The numbers of each response *name* (SEARCH, SORT), in their order."""
    lines = re.findall(rb"^\* " + name + rb"([ \d]*)\r$", octets, re.MULTILINE)
    return [list(map(int, line.split())) for line in lines]


def threads(octets: bytes) -> list[list[tuple[int, int]]]:
    """Pairs of message and parent, sorted by message, because servers order siblings differently.

    0 means no parent. If the first message of a thread is missing (RFC 5256 §4), the parent of its children is the
    lowest number among them, negated.
    """
    found = []
    for response in responses(octets):
        if response[0] == b"THREAD":
            parents: dict[int, int] = {}
            for tree in response[1:]:
                parents.update(_parents(tree))
            found.append(sorted(parents.items()))
    return found


def _parents(tree: list[Value]) -> dict[int, int]:
    found: dict[int, int] = {}
    waiting = [(tree, 0)]
    while waiting:
        members, parent = waiting.pop()
        for member in members:
            if isinstance(member, list):
                waiting.append((member, parent))
            else:
                found[int(member)] = parent
                parent = int(member)
    roots = sorted(message for message, parent in found.items() if parent == 0)
    if len(roots) > 1:
        found.update(dict.fromkeys(roots, -roots[0]))
    return found


def statuses(octets: bytes, *names: bytes) -> list[tuple[bytes, ...]]:
    """The items *names* of each STATUS response, after the mailbox's name."""
    found = []
    for response in responses(octets):
        if response[0] == b"STATUS":
            items = dict(zip(response[2][::2], response[2][1::2], strict=True))
            found.append((response[1], *(items[name] for name in names)))
    return found


def uid_set(text: bytes) -> set[int]:
    """The numbers of a sequence set without ``*``."""
    found: set[int] = set()
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found.update(range(int(first), int(last or first) + 1))
    return found


def difference(first: Any, second: Any) -> str:
    """One line that says where two reduced answers differ."""
    if isinstance(first, list) and isinstance(second, list):
        if len(first) != len(second):
            return f"{len(first)} and {len(second)} items"
        places = [place for place, (one, other) in enumerate(zip(first, second, strict=True)) if one != other]
        inner = difference(first[places[0]], second[places[0]])
        return f"{len(places)} of {len(first)} differ, first item {places[0]}: {inner}"
    return f"{_short(first)} and {_short(second)}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:297]}..."
