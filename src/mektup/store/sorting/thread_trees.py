"""Trees that grow and are cut while THREAD reads references (RFC 5256 §3, REFERENCES, step 1).

Each link asks first whether it would close a loop: whether the node that is to become a child is the top of the tree
that its parent would be in. To climb there is quickest where trees are as mail makes them, flat. Who wants to keep a
server busy makes them deep and asks often, so after a number of steps that no honest mailbox takes, the climbing is
left to a structure in which any climb takes, on average, a logarithm of the nodes: link-cut trees (Sleator and
Tarjan, 1983), without the turning over that they can do as well.
"""

from __future__ import annotations

from array import array
from itertools import repeat

NONE = -1

STEPS_PER_NODE = 64
"""How far is climbed by hand, for each node there was at first."""


class ThreadTrees:
    """Nodes from 0 on, each with a parent or none."""

    __slots__ = ("_bore", "_paths", "_steps", "cuts", "parent")

    def __init__(self, count: int) -> None:
        """*count* nodes without parents."""
        self.parent = array("i", repeat(NONE, count))
        """Of each node; NONE for the top of a tree."""
        self.cuts = 0
        """How many were cut from a parent so far."""
        self._bore = bytearray(count)
        self._steps = STEPS_PER_NODE * (count + 1)
        self._paths: _Paths | None = None

    def add(self) -> int:
        """One more node without a parent."""
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
        """Takes *child*, with all below it, from its parent, if it has one."""
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
    """The same trees, each cut into paths that lead upwards, each path a splay tree whose order is the depth.

    *above* leads from a node to its parent in its splay tree, or from the top of a splay tree to the node that the
    path hangs on; *left* are nodes nearer to the tree's top.
    """

    __slots__ = ("_above", "_left", "_right")

    def __init__(self, parents: array[int]) -> None:
        """Every node is a path by itself, to begin with."""
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
        """Makes one path of what lies from the tree's top to *node*, and *node* the top of its splay tree."""
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
        """Puts *node* into its parent's place within their splay tree."""
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
