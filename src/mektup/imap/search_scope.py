"""Prepares a search program for the store: replaces keys that only a session understands by UIDs."""

from __future__ import annotations

from dataclasses import dataclass

from mektup.imap.sync.view import View
from mektup.terms.search import And, InSeqs, InUids, InUidSet, Not, Or, Part, Recent, SearchKey


@dataclass(frozen=True, slots=True)
class Scope:
    """A search program without InSeqs, InUidSet and Recent."""

    key: SearchKey
    kinds: frozenset[type]
    """The types of the keys in the program, before keys were replaced."""

    def mentions(self, kind: type) -> bool:
        """Whether the program had a key of type *kind*, at any depth."""
        return kind in self.kinds


def part_told(options: frozenset[str] | None) -> Part:
    """The part of the result that an answer with the RETURN *options* has, and that SAVE saves; None: no RETURN.

    RFC 9051 §6.4.4.1, table 4, and RFC 4731 §3.2: with MIN or MAX alone, only these messages.
    """
    if not options or options & {"ALL", "COUNT"} or not options & {"MIN", "MAX"}:
        return Part.ALL
    if {"MIN", "MAX"} <= options:
        return Part.ENDS
    return Part.FIRST if "MIN" in options else Part.LAST


def scoped(key: SearchKey, view: View) -> Scope:
    """*key* with every sequence number, ``$`` and RECENT resolved in *view*.

    Iterative, so that deeply nested NOT and OR cannot exhaust the stack. A key is rebuilt after its children.
    """
    kinds: set[type] = set()
    todo: list[tuple[SearchKey, bool]] = [(key, False)]
    done: list[SearchKey] = []
    while todo:
        node, below_is_done = todo.pop()
        kinds.add(type(node))
        if isinstance(node, Not | Or | And):
            if below_is_done:
                _rebuild(node, done)
            else:
                todo.append((node, True))
                todo.extend((child, False) for child in reversed(_children(node)))
        else:
            done.append(_resolved(node, view))
    return Scope(done.pop(), frozenset(kinds))


def _children(node: Not | Or | And) -> tuple[SearchKey, ...]:
    match node:
        case Not(child):
            return (child,)
        case Or(left, right):
            return (left, right)
        case And(keys):
            return keys


def _rebuild(node: Not | Or | And, done: list[SearchKey]) -> None:
    match node:
        case Not():
            done.append(Not(done.pop()))
        case Or():
            right, left = done.pop(), done.pop()
            done.append(Or(left, right))
        case And(keys):
            below = tuple(done[-len(keys) :])
            del done[-len(keys) :]
            done.append(And(below))


def _resolved(node: SearchKey, view: View) -> SearchKey:
    match node:
        case InSeqs(numbers):
            return InUids(view.among(numbers, by_uid=False))
        case InUidSet(numbers):
            return InUids(view.among(numbers, by_uid=True))
        case Recent():
            return InUids(view.recent)
    return node
