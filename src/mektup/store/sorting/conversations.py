"""The algorithms of THREAD (RFC 5256 §3; REFS of draft-ietf-morg-inthread), over columns of numbers.

The algorithms work on *nodes*. Messages are numbered from 0, in the order of their sequence numbers. Higher numbers are
dummies, for missing messages that others refer to. Each step takes linear time in messages and references (linking:
with a logarithm more, see ``thread_trees``), and no step recurses, so neither a thread of a hundred thousand replies
nor a hostile References does harm.

Siblings need no sorting, because messages are gathered in the order of their dates. Only threads that are merged by
subject (step 5) are sorted again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, repeat

from mektup.store.sorting.fair_order import sorted_in_turns
from mektup.store.sorting.node_table import MANY_IDS, Nodes, NodeTable
from mektup.store.sorting.thread_trees import NONE, ThreadTrees

NO_REPLIES: list[int] = []

NEVER = -(2**63)
"""Before every internal date."""

DUMMY = -1
"""In an outline, a missing message."""


@dataclass(frozen=True, slots=True)
class Letters:
    """The input of threading, in columns with an entry for each message or for each content."""

    dates: Sequence[int]
    """The sent date in seconds (RFC 5256 §2.2)."""
    subjects: Sequence[int]
    """A number for each base subject; 0 for an empty one."""
    replies: Sequence[int]
    """1 where the subject marks a reply or forward; else 0."""
    contents: Sequence[int]
    """The content of each message, from 0 on; copies share one. The next three columns are by content."""
    ids: Sequence[int]
    """A number of 64 bits for each Message-ID; 0 for none."""
    references: Sequence[int]
    """The references of all contents, one content after the other; the parent is the last of a content's."""
    counts: Sequence[int]
    """How many of *references* each content has."""
    arrived: Sequence[int] = ()
    """The internal date of each message in seconds; only REFS needs it."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Threads in preorder: each node comes before its descendants."""

    nodes: Sequence[int]
    """The messages; DUMMY for a missing one."""
    below: Sequence[int]
    """How many children each node has."""


def ordered_subject(dates: Sequence[int], subjects: Sequence[int]) -> Outline:
    """ORDEREDSUBJECT: messages with one base subject form a thread; all others are children of the first one."""
    threads: dict[int, list[int]] = {}
    for node in _by_date(dates):
        threads.setdefault(subjects[node], []).append(node)
    nodes: list[int] = []
    below: list[int] = []
    for thread in threads.values():
        nodes += thread
        below.append(len(thread) - 1)
        below += [0] * (len(thread) - 1)
    return Outline(nodes, below)


def references(letters: Letters) -> Outline:
    """REFERENCES: messages are below those that they reply to, and threads with one base subject are merged."""
    by_date = _by_date(letters.dates)
    parents = _linked(letters)
    threads = _Threads(letters, by_date, _pruned(parents, len(by_date)))
    threads.merge_subjects()
    return threads.outline()


def refs(letters: Letters) -> Outline:
    """REFS: as REFERENCES, but subjects have no influence, and threads are in the order of their latest arrival.

    Threads that got their latest message at the same second are in the order of REFERENCES.
    """
    by_date = _by_date(letters.dates)
    threads = _Threads(letters, by_date, _pruned(_linked(letters), len(by_date)))
    threads.sort_by_arrival()
    return threads.outline()


def _by_date(dates: Sequence[int]) -> list[int]:
    """All messages by sent date, then by sequence number (RFC 5256 §2.2)."""
    return sorted_in_turns(range(len(dates)), dates.__getitem__)


def _linked(letters: Letters) -> array[int]:
    """Step 1: the parent of each node."""
    ids, contents = letters.ids, letters.contents
    lines = _Lines(letters)
    forest, nodes = lines.forest, lines.nodes
    # RFC 5256 §3, step 1.A: where several messages have one Message-ID, the first one keeps it
    for node in range(len(contents) - 1, -1, -1):
        if own := ids[contents[node]]:
            nodes[own] = node
    for node, content in enumerate(contents):
        above = lines.linked(content)
        # 1.B: a message's own last reference has priority over the references of other messages
        if forest.parent[node] != above:
            forest.cut(node)
            if above != NONE:
                forest.link(node, above)
    return forest.parent


class _Lines:
    """The references of each content (a line), which step 1.A links in a chain; for copies, only once if possible.

    While nothing was cut, linking a line again changes nothing: a node with a parent keeps it, and a link that would
    close a loop still would. A message is cut at most once; its copies are never cut.
    """

    __slots__ = ("_as_of", "_letters", "_starts", "_tops", "forest", "nodes")

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._starts = array("q", accumulate(letters.counts, initial=0))
        self._as_of = array("q", repeat(NONE, len(letters.counts)))
        """The number of cuts when each line was linked; NONE for lines not linked yet."""
        self._tops = array("q", repeat(NONE, len(letters.counts)))
        """The last node of each line."""
        self.forest = ThreadTrees(len(letters.contents))
        self.nodes: Nodes = {} if len(letters.references) < MANY_IDS else NodeTable(self._ids())
        """The node of each Message-ID; a dummy is added for a missing message when it is referred to."""

    def _ids(self) -> Iterator[int]:
        """All Message-IDs of messages and of their references."""
        letters, starts = self._letters, self._starts
        for content in set(letters.contents):
            yield letters.ids[content]
            yield from letters.references[starts[content] : starts[content + 1]]

    def linked(self, content: int) -> int:
        """Step 1.A for *content*; returns the node of its last reference, NONE for no references."""
        if self._as_of[content] != self.forest.cuts:
            self._tops[content] = self._link(self._starts[content], self._starts[content + 1])
            self._as_of[content] = self.forest.cuts
        return self._tops[content]

    def _link(self, start: int, stop: int) -> int:
        forest, nodes, parent = self.forest, self.nodes, self.forest.parent
        above = NONE
        for reference in self._letters.references[start:stop]:
            at = nodes.get(reference, NONE)
            if at == NONE:
                at = nodes[reference] = forest.add()
            # an existing link stays
            if above != NONE and parent[at] == NONE:
                forest.link(at, above)
            above = at
        return above


def _pruned(parents: Sequence[int], count: int) -> list[int]:
    """Step 3, except for promoting only children to the root: the new parent of each of *count* messages.

    The parent is the nearest message above it; where there is none, the dummy at the top of its tree.
    """
    # the node that replaces each dummy; the dummy itself until that is known
    resolved = array("i", range(count, len(parents)))
    for dummy in range(count, len(parents)):
        way: list[int] = []
        at = dummy
        while at >= count and resolved[at - count] == at and parents[at] != NONE:
            way.append(at)
            at = parents[at]
        end = resolved[at - count] if at >= count else at
        for passed in way:
            resolved[passed - count] = end
    return [parent if parent < count else resolved[parent - count] for parent in parents[:count]]


class _Threads:
    """The tree from step 2 on: the children of the root, and of each node that has any, by date."""

    __slots__ = ("_children", "_dummies", "_letters", "_messages", "_roots")

    def __init__(self, letters: Letters, by_date: Sequence[int], parents: Sequence[int]) -> None:
        self._letters = letters
        self._messages = self._dummies = len(by_date)
        self._roots: list[int] = []
        self._children: dict[int, list[int]] = {}
        self._gather(by_date, parents)

    def _gather(self, by_date: Sequence[int], parents: Sequence[int]) -> None:
        """Steps 2 to 4."""
        roots, children, messages = self._roots, self._children, self._messages
        for node in by_date:
            parent = parents[node]
            if parent == NONE:
                roots.append(node)
            elif parent in children:
                children[parent].append(node)
            else:
                children[parent] = [node]
                if parent >= messages:
                    roots.append(parent)  # step 4: a dummy has the place of its first child
                    self._dummies = max(self._dummies, parent + 1)
        if self._dummies > messages:
            # step 3: only a single child of a dummy is promoted to the root
            self._roots = [
                root if root < messages or len(children[root]) > 1 else children.pop(root)[0] for root in roots
            ]

    def _first(self, node: int) -> int:
        """The message by which *node* is sorted: itself, or for a dummy its first child."""
        return node if node < self._messages else self._children[node][0]

    # Step 5

    def merge_subjects(self) -> None:
        """Step 5: merges the threads with one base subject; step 6: sorts where that changed something."""
        messages, children = self._messages, self._children
        of_messages, replies = self._letters.subjects, self._letters.replies
        roots = self._roots.copy()
        subjects = [of_messages[root if root < messages else children[root][0]] for root in roots]
        table = self._subject_table(roots, subjects)
        if len(table) == len(roots):
            return
        moved: set[int] = set()
        grown: set[int] = set()
        for root, subject in zip(roots, subjects, strict=True):
            other = table.get(subject, root)
            if other == root:
                continue
            if other >= messages:
                children[other] += children.pop(root) if root >= messages else [root]
            elif replies[root] and not replies[other]:
                children.setdefault(other, []).append(root)
            else:
                moved.add(other)
                other = table[subject] = self._new_dummy([other, root])
            moved.add(root)
            grown.add(other)
        self._roots = [root for root in self._roots if root not in moved]
        self._sort_again(grown)

    def _subject_table(self, roots: Sequence[int], subjects: Sequence[int]) -> dict[int, int]:
        """Steps 5.A and 5.B: for each base subject, the root into which the others are merged."""
        table: dict[int, int] = {}
        replies, messages = self._letters.replies, self._messages
        for root, subject in zip(roots, subjects, strict=True):
            other = table.setdefault(subject, root)
            # 5.B.iv: a dummy comes before a message, and a message that is no reply before a reply
            if other < messages and (root >= messages or (replies[other] and not replies[root])):
                table[subject] = root
        table.pop(0, None)  # 5.B.ii: threads with an empty subject are not merged
        return table

    def _new_dummy(self, children: list[int]) -> int:
        dummy = self._dummies
        self._dummies += 1
        self._children[dummy] = children
        self._roots.append(dummy)
        return dummy

    def _sort_again(self, grown: Iterable[int]) -> None:
        ages = self._by_age()
        for node in grown:
            if node in self._children:
                self._children[node].sort(key=ages.__getitem__)
        self._roots = sorted_in_turns(self._roots, lambda root: ages[self._first(root)])

    def _by_age(self) -> list[int]:
        ages = [0] * self._messages
        for age, node in enumerate(_by_date(self._letters.dates)):
            ages[node] = age
        return ages

    # REFS

    def sort_by_arrival(self) -> None:
        """Sorts the threads by the internal date of the message that arrived last."""
        arrived, messages = self._letters.arrived, self._messages
        latest: dict[int, int] = {}
        for root in self._roots:
            last = NEVER
            coming = [root]
            while coming:
                node = coming.pop()
                coming += self._children.get(node, NO_REPLIES)
                if node < messages and arrived[node] > last:
                    last = arrived[node]
            latest[root] = last
        self._roots = sorted_in_turns(self._roots, latest.__getitem__)

    # The result

    def outline(self) -> Outline:
        """All threads in preorder."""
        children, messages = self._children, self._messages
        nodes: list[int] = []
        below: list[int] = []
        for root in self._roots:
            nodes.append(root if root < messages else DUMMY)
            replies = children.get(root, NO_REPLIES)
            below.append(len(replies))
            coming = replies[::-1]
            while coming:
                node = coming.pop()
                nodes.append(node)
                if replies := children.get(node, NO_REPLIES):
                    coming += replies[::-1]
                below.append(len(replies))
        return Outline(nodes, below)
