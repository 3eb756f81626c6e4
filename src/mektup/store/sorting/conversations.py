"""The two algorithms of THREAD (RFC 5256 §3), over columns of numbers.

Everything here is about *nodes*: the messages, numbered from 0 in the order of their sequence numbers, and, above
those, the dummies of REFERENCES, which stand for messages that others refer to. Each step takes time that grows with
the messages and their references (linking them: with a logarithm more, see ``thread_trees``), and none recurses, so
neither a thread of a hundred thousand replies nor a hostile References does harm.

Siblings are never sorted: whatever gathers messages goes through them by date to begin with. Only where subjects bring
threads together (step 5) are those sorted again.
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

DUMMY = -1
"""In an outline, a message that is not there."""


@dataclass(frozen=True, slots=True)
class Letters:
    """What threading looks at, a column each, with an entry for each message, or for each content."""

    dates: Sequence[int]
    """Sent date (RFC 5256 §2.2), seconds."""
    subjects: Sequence[int]
    """The same number for the same base subject; 0 for an empty one."""
    replies: Sequence[int]
    """1 for a reply or forward, by its subject; else 0."""
    contents: Sequence[int]
    """The content of each message, from 0 on; copies share one. The next three have an entry for each content."""
    ids: Sequence[int]
    """The same number of 64 bits for the same Message-ID; 0 for none."""
    references: Sequence[int]
    """The Message-IDs that all contents refer to, one content after the other, for each its parent last."""
    counts: Sequence[int]
    """How many of *references* are of each."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Threads, each node before those below it, which follow one after the other."""

    nodes: Sequence[int]
    """The messages; DUMMY for what is none."""
    below: Sequence[int]
    """How many children each has."""


def ordered_subject(dates: Sequence[int], subjects: Sequence[int]) -> Outline:
    """ORDEREDSUBJECT: messages of one base subject are a thread, and all but its first are children of that one."""
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
    """REFERENCES: messages are below those that they reply to, and threads of one base subject are brought together."""
    by_date = _by_date(letters.dates)
    parents = _linked(letters)
    threads = _Threads(letters, by_date, _pruned(parents, len(by_date)))
    threads.merge_subjects()
    return threads.outline()


def _by_date(dates: Sequence[int]) -> list[int]:
    """All messages by sent date; RFC 5256 §2.2: where it is the same, by sequence number."""
    return sorted_in_turns(range(len(dates)), dates.__getitem__)


def _linked(letters: Letters) -> array[int]:
    """Step 1: each node's parent."""
    ids, contents = letters.ids, letters.contents
    lines = _Lines(letters)
    forest, nodes = lines.forest, lines.nodes
    # RFC 5256 §3, step 1.A: of several messages with one Message-ID, the first has it
    for node in range(len(contents) - 1, -1, -1):
        if own := ids[contents[node]]:
            nodes[own] = node
    for node, content in enumerate(contents):
        above = lines.linked(content)
        # 1.B: the last of its own references outdoes what others say
        if forest.parent[node] != above:
            forest.cut(node)
            if above != NONE:
                forest.link(node, above)
    return forest.parent


class _Lines:
    """The references of each content, which step 1.A links one below the other: for copies once, if that is enough.

    To link a line again changes nothing as long as nothing was cut: what has a parent keeps it, and what would have
    closed a loop still would. A message is cut once, at most, and copies of it never.
    """

    __slots__ = ("_as_of", "_letters", "_starts", "_tops", "forest", "nodes")

    def __init__(self, letters: Letters) -> None:
        self._letters = letters
        self._starts = array("q", accumulate(letters.counts, initial=0))
        self._as_of = array("q", repeat(NONE, len(letters.counts)))
        """How often something had been cut when each line was linked; NONE for those that were not yet."""
        self._tops = array("q", repeat(NONE, len(letters.counts)))
        """The last node of each line."""
        self.forest = ThreadTrees(len(letters.contents))
        self.nodes: Nodes = {} if len(letters.references) < MANY_IDS else NodeTable(self._ids())
        """The node of each Message-ID; what is missing is added when it is referred to."""

    def _ids(self) -> Iterator[int]:
        """All Message-IDs that messages have, or refer to."""
        letters, starts = self._letters, self._starts
        for content in set(letters.contents):
            yield letters.ids[content]
            yield from letters.references[starts[content] : starts[content + 1]]

    def linked(self, content: int) -> int:
        """Step 1.A for *content*; its last reference, NONE where there are none."""
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
            # a link that is there already stays
            if above != NONE and parent[at] == NONE:
                forest.link(at, above)
            above = at
        return above


def _pruned(parents: Sequence[int], count: int) -> list[int]:
    """Step 3, all but promoting only children to the root: for each of *count* messages, what it is below then.

    That is the nearest message above it; where there is none, the dummy that is the top of its tree.
    """
    # of each dummy, what it stands for; itself until that is known
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
    """The tree from step 2 on: what is under the root, and the children of each node that has any, by date."""

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
                    roots.append(parent)  # step 4: a dummy stands where its first child would
                    self._dummies = max(self._dummies, parent + 1)
        if self._dummies > messages:
            # step 3: the children of a dummy are not promoted to the root, unless there is only one
            self._roots = [
                root if root < messages or len(children[root]) > 1 else children.pop(root)[0] for root in roots
            ]

    def _first(self, node: int) -> int:
        """The message that speaks for *node*: itself, or for a dummy its first child."""
        return node if node < self._messages else self._children[node][0]

    # Step 5

    def merge_subjects(self) -> None:
        """Step 5: brings the threads of one base subject together; step 6: sorts where that changed something."""
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
        """Steps 5.A and 5.B: for each base subject the root that the others are merged with."""
        table: dict[int, int] = {}
        replies, messages = self._letters.replies, self._messages
        for root, subject in zip(roots, subjects, strict=True):
            other = table.setdefault(subject, root)
            # 5.B.iv: a dummy is better than a message, and a message that is no reply better than one that is
            if other < messages and (root >= messages or (replies[other] and not replies[root])):
                table[subject] = root
        table.pop(0, None)  # 5.B.ii: an empty subject brings nothing together
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

    # The end

    def outline(self) -> Outline:
        """All threads, from the top down."""
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
