"""One fold over the search program, for all that is computed from it: SQL, an answer, a cost.

The limits allow deep programs, so the fold uses a stack and no recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import and_, or_
from typing import Generic, TypeVar

from mektup.terms import search as terms
from mektup.terms.search import SearchKey
from mektup.terms.sets import Uids

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Algebra(Generic[T]):
    """How to compute a value from a program: from each leaf, and from the values of a node's parts."""

    leaf: Callable[[SearchKey], T]
    negation: Callable[[T], T]
    conjunction: Callable[[Sequence[T]], T]
    disjunction: Callable[[Sequence[T]], T]


def walk(key: SearchKey, algebra: Algebra[T]) -> T:
    """Applies *algebra* from the leaves up, without recursion."""
    todo: list[tuple[SearchKey, bool]] = [(key, False)]
    made: list[T] = []
    while todo:
        node, parts_are_made = todo.pop()
        parts = parts_of(node)
        if not parts:
            made.append(algebra.leaf(node))
        elif not parts_are_made:
            todo.append((node, True))
            todo += [(part, False) for part in reversed(parts)]
        else:
            mine = made[-len(parts) :]
            del made[-len(parts) :]
            match node:
                case terms.Not():
                    made.append(algebra.negation(mine[0]))
                case terms.Or():
                    made.append(algebra.disjunction(mine))
                case _:
                    made.append(algebra.conjunction(mine))
    return made[0]


def set_algebra(leaf: Callable[[SearchKey], Uids], every: Uids) -> Algebra[Uids]:
    """Finds the matching messages among *every*, from those that match each *leaf*."""
    return Algebra(leaf, every.__sub__, partial(reduce, and_), partial(reduce, or_))


def leaves(key: SearchKey) -> list[SearchKey]:
    """The keys in *key* that contain no other keys, each as often as it occurs."""
    found: list[SearchKey] = []
    walk(key, Algebra(found.append, bool, bool, bool))
    return found


def flags_in(key: SearchKey) -> list[str]:
    """The flags in *key*, in lower case, each as often as it occurs."""
    return [leaf.flag.lower() for leaf in leaves(key) if isinstance(leaf, terms.HasFlag)]


def parts_of(node: SearchKey) -> list[SearchKey]:
    """The keys that *node* combines; empty for a leaf. ORs within an OR count as one OR, and so do ANDs."""
    match node:
        case terms.Not():
            return [node.key]
        case terms.Or() | terms.And():
            found: list[SearchKey] = []
            todo: list[SearchKey] = [node]
            while todo:
                each = todo.pop()
                if type(each) is not type(node):
                    found.append(each)
                elif isinstance(each, terms.Or):
                    todo += (each.right, each.left)
                elif isinstance(each, terms.And):
                    todo += reversed(each.keys)
            return found
        case _:
            return []


def narrowed(key: SearchKey, within: Uids) -> tuple[SearchKey, Uids]:
    """An equivalent key and set: UIDs that every result must be in move from *key* to *within*."""
    kept: list[SearchKey] = []
    for part in parts_of(key) if isinstance(key, terms.And) else [key]:
        if isinstance(part, terms.InUids):
            within = within & part.uids
        else:
            kept.append(part)
    return (terms.And(tuple(kept)) if kept else terms.All()), within
