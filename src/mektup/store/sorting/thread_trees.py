"""The trees that THREAD links and cuts while it reads references (RFC 5256 §3, REFERENCES, step 1).

Each link first checks that it closes no loop: the new child must not be the top of the new parent's tree. Climbing to
the top is fastest for the flat trees of ordinary mail. A hostile mailbox makes trees deep and climbs often. So after a
number of steps that no ordinary mailbox needs, the climbing moves to link-cut trees (Sleator and Tarjan, 1983), where
a climb takes amortised logarithmic time. Their operation to change a tree's root is not needed.
"""

from __future__ import annotations

from array import array
from itertools import repeat

NONE = -1

STEPS_PER_NODE = 64
"""How many steps are climbed directly, for each initial node."""


class ThreadTrees:
    """Nodes from 0 on, each with or without a parent."""

    __slots__ = ("_bore", "_paths", "_steps", "cuts", "parent")

    def __init__(self, count: int) -> None:
        """*count* nodes without parents."""
        self.parent = array("i", repeat(NONE, count))
        """The parent of each node; NONE for the top of a tree."""
        self.cuts = 0
        """How many nodes were cut from a parent so far."""
        self._bore = bytearray(count)
        self._steps = STEPS_PER_NODE * (count + 1)
        self._paths: _Paths | None = None

    def add(self) -> int:
        """Adds a node without a parent; returns it."""
        self.parent.append(NONE)
        self._bore.append(0)
        if self._paths is not None:
            self._paths.add()
        return len(self.parent) - 1

    def link(self, child: int, parent: int) -> None:
        """Puts *child*, which has no parent, below *parent*; does nothing where that would close a loop."""
        if child == parent or (self._bore[child] and self._top(parent) == child):
            return
        self.parent[child] = parent
        self._bore[parent] = 1
        if self._paths is not None:
            self._paths.link(child, parent)

    def cut(self, child: int) -> None:
        """Cuts *child*, with its descendants, from its parent, if it has one."""
        if self.parent[child] != NONE:
            self.parent[child] = NONE
            self.cuts += 1
            if self._paths is not None:
                self._paths.cut(child)

    def _top(self, node: int) -> int:
        if self._paths is not None:
            return self._paths.top(node)
        parent = self.parent
        steps = self._steps
        while parent[node] != NONE and steps:
            node = parent[node]
            steps -= 1
        self._steps = steps
        if steps:
            return node
        self._paths = _Paths(parent)
        return self._paths.top(node)


class _Paths:
    """The same trees as link-cut trees: each is split into upward paths; each path is a splay tree ordered by depth.

    *above* of a node is its parent in its splay tree; *above* of a splay tree's top is the node to which its path is
    attached. *left* nodes are nearer to the tree's top.
    """

    __slots__ = ("_above", "_left", "_right")

    def __init__(self, parents: array[int]) -> None:
        """At first, every node is a path of its own."""
        self._above = parents[:]
        self._left = array("i", repeat(NONE, len(parents)))
        self._right = self._left[:]

    def add(self) -> None:
        for links in (self._above, self._left, self._right):
            links.append(NONE)

    def link(self, child: int, parent: int) -> None:
        self._expose(child)
        self._above[child] = parent

    def cut(self, child: int) -> None:
        self._expose(child)
        upper = self._left[child]
        self._left[child] = self._above[upper] = NONE

    def top(self, node: int) -> int:
        self._expose(node)
        while self._left[node] != NONE:
            node = self._left[node]
        self._splay(node)
        return node

    def _expose(self, node: int) -> None:
        """Makes one path from the tree's top to *node*, and makes *node* the top of the path's splay tree."""
        lower, at = NONE, node
        while at != NONE:
            self._splay(at)
            self._right[at] = lower
            lower, at = at, self._above[at]
        self._splay(node)

    def _heads_path(self, node: int) -> bool:
        above = self._above[node]
        return above == NONE or (self._left[above] != node and self._right[above] != node)

    def _splay(self, node: int) -> None:
        while not self._heads_path(node):
            above = self._above[node]
            if not self._heads_path(above):
                in_line = (self._left[above] == node) == (self._left[self._above[above]] == above)
                self._rotate(above if in_line else node)
            self._rotate(node)

    def _rotate(self, node: int) -> None:
        """Moves *node* to its parent's place in their splay tree."""
        above = self._above[node]
        beyond = self._above[above]
        if not self._heads_path(above):
            if self._left[beyond] == above:
                self._left[beyond] = node
            else:
                self._right[beyond] = node
        near, far = (self._left, self._right) if self._left[above] == node else (self._right, self._left)
        inner = far[node]
        near[above], far[node] = inner, above
        if inner != NONE:
            self._above[inner] = above
        self._above[above], self._above[node] = node, beyond
