"""Prepares a search program for the store: replaces keys that only a session understands by UIDs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from mektup.imap import texts
from mektup.imap.client import Client
from mektup.terms.comparators import DEFAULT, Comparator
from mektup.terms.errors import ClientError
from mektup.terms.partial_range import PartialRange
from mektup.terms.search import (
    WHOLE,
    And,
    Compared,
    InAddress,
    InBody,
    InHeader,
    InSeqs,
    InSubject,
    InText,
    InUids,
    InUidSet,
    Not,
    Or,
    Part,
    Recent,
    SearchKey,
)
from mektup.terms.sets import SavedResult, SequenceSet, Uids


class Searched(Protocol):
    """The mailbox that is searched: the selected one, as a View, or another one."""

    @property
    def recent(self) -> Uids:
        """The messages with \\Recent."""

    def among(self, numbers: SequenceSet | SavedResult, *, by_uid: bool) -> Uids:
        """The messages that *numbers* names."""


_OPEN: Final = (InSeqs, InUidSet, Recent)
"""The keys whose meaning depends on the mailbox."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A search program without InSeqs, InUidSet and Recent."""

    key: SearchKey
    kinds: frozenset[type]
    """The types of the keys in the program, before keys were replaced."""

    def mentions(self, kind: type) -> bool:
        """Whether the program had a key of type *kind*, at any depth."""
        return kind in self.kinds


def part_told(options: frozenset[str] | None, page: PartialRange | None) -> Part:
    """The part of the result that an answer with the RETURN *options* has, and that SAVE saves; None: no RETURN.

    RFC 9051 §6.4.4.1, table 4, and RFC 4731 §3.2: with MIN or MAX alone, only these messages. RFC 9394 §3.2: with
    PARTIAL, its *page*, and MIN and MAX where they are asked for. COUNT is about all messages.
    """
    if not options or options & {"ALL", "COUNT"}:
        return WHOLE
    return Part("MIN" in options, "MAX" in options, page)


def check_charset(client: Client, charset: str | None) -> None:
    """Raises ClientError if a search of *client* may not name *charset*.

    RFC 9755 §3: after UTF8=ACCEPT all strings are UTF-8, and another charset would contradict it. SEARCH may then name
    none, and SORT and THREAD only UTF-8: callers pass None for it. In IMAP4rev2 RFC 9051 §6.4.4 counts.
    """
    if charset is not None and client.utf8_accept and not client.rev2:
        raise ClientError(texts.CHARSET_AFTER_UTF8)


def has_response(options: frozenset[str]) -> bool:
    """Whether an answer with the RETURN *options* has an ESEARCH response: not if the result is only saved.

    RFC 9051 §6.4.4.1. UPDATE and CONTEXT ask for no response of their own (RFC 5267 §4.1).
    """
    return "SAVE" not in options or bool(options - {"SAVE", "UPDATE", "CONTEXT"})


def scoped(key: SearchKey, mailbox: Searched, comparator: Comparator = DEFAULT) -> Scope:
    """*key* with every sequence number, ``$`` and RECENT resolved in *mailbox*, and texts compared by *comparator*."""
    kinds = _kinds(key)
    if comparator is not DEFAULT or not kinds.isdisjoint(_OPEN):
        key = _replaced(key, lambda node: _resolved(node, mailbox, comparator))
    return Scope(key, kinds)


def fixed(key: SearchKey, mailbox: Searched, comparator: Comparator) -> SearchKey:
    """*key* with sequence numbers and ``$`` resolved in *mailbox*, to be given to ``scoped`` later, maybe often.

    Texts are compared by *comparator*. RFC 5267 §4.3: numbers and ``$`` mean the messages that they name when the
    command is received. UIDs and RECENT can come to mean messages that arrive later.
    """

    def fix(node: SearchKey) -> SearchKey:
        is_open = isinstance(node, Recent) or (isinstance(node, InUidSet) and isinstance(node.numbers, SequenceSet))
        return node if is_open else _resolved(node, mailbox, comparator)

    return _replaced(key, fix)


def _kinds(key: SearchKey) -> frozenset[type]:
    """The types of all keys in *key*, itself included."""
    kinds: set[type] = set()
    todo: list[SearchKey] = [key]
    while todo:
        node = todo.pop()
        kinds.add(type(node))
        if isinstance(node, Not | Or | And):
            todo.extend(_children(node))
    return frozenset(kinds)


def _replaced(key: SearchKey, replace: Callable[[SearchKey], SearchKey]) -> SearchKey:
    """*key* with every key that contains no keys replaced.

    Iterative, so that deeply nested NOT and OR cannot exhaust the stack. A key is rebuilt after its children.
    """
    todo: list[tuple[SearchKey, bool]] = [(key, False)]
    done: list[SearchKey] = []
    while todo:
        node, below_is_done = todo.pop()
        if isinstance(node, Not | Or | And):
            if below_is_done:
                _rebuild(node, done)
            else:
                todo.append((node, True))
                todo.extend((child, False) for child in reversed(_children(node)))
        else:
            done.append(replace(node))
    return done.pop()


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


def _resolved(node: SearchKey, mailbox: Searched, comparator: Comparator) -> SearchKey:
    match node:
        case InSeqs(numbers):
            return InUids(mailbox.among(numbers, by_uid=False))
        case InUidSet(numbers):
            return InUids(mailbox.among(numbers, by_uid=True))
        case Recent():
            return InUids(mailbox.recent)
        case InAddress() | InSubject() | InHeader() | InBody() | InText():
            return node if comparator is DEFAULT else Compared(node, comparator)
    return node
