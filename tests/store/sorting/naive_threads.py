"""REFERENCES as RFC 5256 §3 describes it, step by step, with objects and recursion; only for few messages."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

Tree = tuple[int | None, list["Tree"]]
"""A message, or None for a dummy, and the trees below it."""


@dataclass(frozen=True)
class Letter:
    """The values of a message that threading uses."""

    date: int = 0
    subject: str = ""
    is_reply: bool = False
    id: str = ""
    references: tuple[str, ...] = ()
    arrived: int = 0


@dataclass(eq=False)
class Node:
    """A message by its index, or a dummy for None."""

    place: int | None
    parent: Node | None = None
    children: list[Node] = field(default_factory=list)

    def is_below(self, other: Node) -> bool:
        node: Node | None = self
        while node is not None and node is not other:
            node = node.parent
        return node is other

    def move(self, parent: Node | None) -> None:
        if self.parent is not None:
            self.parent.children.remove(self)
        self.parent = parent
        if parent is not None:
            parent.children.append(self)


def references(letters: list[Letter]) -> list[Tree]:
    """The threads that steps 1 to 6 make."""
    heads = prune(link(letters))
    heads.sort(key=lambda node: first_by_date(node, letters))
    return sort(merge(heads, letters), letters)


def refs(letters: list[Letter]) -> list[Tree]:
    """The threads of REFS: without step 5, in the order of their latest arrival."""
    threads = sort(prune(link(letters)), letters)
    return sorted(threads, key=lambda tree: latest(tree, letters))


def latest(tree: Tree, letters: list[Letter]) -> int:
    place, children = tree
    below = [latest(child, letters) for child in children]
    return max(below if place is None else [letters[place].arrived, *below])


def link(letters: list[Letter]) -> list[Node]:
    messages = [Node(place) for place in range(len(letters))]
    named: dict[str, Node] = {}
    for node, letter in zip(messages, letters, strict=True):
        if letter.id:
            named.setdefault(letter.id, node)
    for node, letter in zip(messages, letters, strict=True):
        line = [named.setdefault(reference, Node(None)) for reference in letter.references]
        for parent, child in pairwise(line):
            if child.parent is None and not parent.is_below(child):
                child.move(parent)
        node.move(None)
        if line and not line[-1].is_below(node):
            node.move(line[-1])
    every = messages + [node for node in named.values() if node.place is None]
    return [node for node in every if node.parent is None]


def prune(heads: list[Node]) -> list[Node]:
    kept = []
    for head in heads:
        head.children = [each for child in head.children for each in without_dummies(child)]
        if head.place is not None or len(head.children) > 1:
            kept.append(head)
        else:
            kept += head.children
    return kept


def without_dummies(node: Node) -> list[Node]:
    node.children = [each for child in node.children for each in without_dummies(child)]
    return node.children if node.place is None else [node]


def first_by_date(node: Node, letters: list[Letter]) -> tuple[int, int]:
    if node.place is not None:
        return letters[node.place].date, node.place
    return min(first_by_date(child, letters) for child in node.children)


def merge(heads: list[Node], letters: list[Letter]) -> list[Node]:
    def letter(node: Node) -> Letter:
        return letters[first_by_date(node, letters)[1]]

    def is_reply(node: Node) -> bool:
        return node.place is not None and letter(node).is_reply

    table: dict[str, Node] = {}
    for node in heads:
        other = table.get(letter(node).subject)
        if not letter(node).subject:
            continue
        if other is None or (
            other.place is not None and (node.place is None or (is_reply(other) and not is_reply(node)))
        ):
            table[letter(node).subject] = node
    kept = list(heads)
    for node in heads:
        subject = letter(node).subject
        if not subject or table[subject] is node or node not in kept:
            continue
        other = table[subject]
        kept.remove(node)
        if other.place is None and node.place is None:
            other.children += node.children
        elif other.place is None or (is_reply(node) and not is_reply(other)):
            other.children.append(node)
        else:
            kept.remove(other)
            table[subject] = Node(None, None, [other, node])
            kept.append(table[subject])
    return kept


def sort(nodes: list[Node], letters: list[Letter]) -> list[Tree]:
    trees = [(node.place, sort(node.children, letters)) for node in nodes]
    return sorted(trees, key=lambda tree: when(tree, letters))


def when(tree: Tree, letters: list[Letter]) -> tuple[int, int]:
    place, children = tree
    return when(children[0], letters) if place is None else (letters[place].date, place)
