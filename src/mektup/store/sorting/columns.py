"""Columns of numbers that stand for what messages are sorted and threaded by, in the order of their UIDs.

A text becomes its place among the different texts of its column, so comparing numbers is comparing texts. These texts
are kept, packed, so that what arrives later finds its place without reading all the others again.

A column that others can see is never changed. Whoever has more messages takes a copy, feeds it, and settles it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import compress, pairwise
from typing import Any, Final, Protocol, Self

from mektup.message.collation import collation_key
from mektup.store.sorting.fair_order import sorted_in_turns

BLOCK_TEXTS: Final = 4096
"""How many texts are packed at a time: what takes long is done in pieces, so that other threads have their turn."""


class Column(Protocol):
    """A value of each of some messages."""

    numbers: array[int]
    """One for each message."""

    @property
    def octets(self) -> int:
        """Of memory, about."""

    def copy(self) -> Self:
        """The same, to be fed or thinned."""

    def feed(self, values: Sequence[Any]) -> None:
        """More messages, after those there are."""

    def settle(self) -> None:
        """Puts what was fed into its place."""

    def thin(self, kept: Sequence[int]) -> None:
        """Only those messages stay for which *kept* is not 0."""


class Numbers:
    """Numbers as they are."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.numbers = array("q", numbers)

    @property
    def octets(self) -> int:
        """See ``Column``, as for all that follows."""
        return self.numbers.itemsize * len(self.numbers)

    def copy(self) -> Numbers:
        return Numbers(self.numbers)

    def feed(self, values: Sequence[int]) -> None:
        self.numbers.extend(values)

    def settle(self) -> None:
        pass

    def thin(self, kept: Sequence[int]) -> None:
        self.numbers = array("q", compress(self.numbers, kept))


class _Vocabulary:
    """The different texts of a column, in order; the empty one is always there, first. None holds a NUL."""

    __slots__ = ("_blocks",)

    def __init__(self, blocks: Sequence[bytes] = (b"",)) -> None:
        self._blocks = blocks

    @property
    def octets(self) -> int:
        """Of memory, about."""
        return sum(map(len, self._blocks))

    def copy(self) -> _Vocabulary:
        return _Vocabulary(self._blocks)

    def add(self, texts: Sequence[str]) -> tuple[Sequence[int], Sequence[int]]:
        """Adds *texts*, of which no two are the same, where they are not there yet.

        Returns which number each old text has now, by its old number, and which numbers *texts* have.
        """
        old = [text for block in self._blocks for text in block.decode().split("\0")]
        places = [bisect_left(old, text) for text in texts]
        new = sorted_in_turns(
            [text for text, at in zip(texts, places, strict=True) if old[at : at + 1] != [text]], key=str
        )
        if not new:
            return range(len(old)), places
        cuts = [bisect_left(old, text) for text in new]
        merged: list[str] = []
        moved: list[int] = []
        numbers: dict[str, int] = {}
        for before, (start, stop) in enumerate(pairwise((0, *cuts, len(old)))):
            merged += old[start:stop]
            moved += range(start + before, stop + before)
            if before < len(new):
                numbers[new[before]] = len(merged)
                merged.append(new[before])
        blocks = (merged[start : start + BLOCK_TEXTS] for start in range(0, len(merged), BLOCK_TEXTS))
        self._blocks = ["\0".join(block).encode() for block in blocks]
        return moved, [numbers[text] if text in numbers else moved[at] for text, at in zip(texts, places, strict=True)]


class Texts:
    """Texts, each as its place among the different ones in their order; 0 for the empty one."""

    __slots__ = ("_fed", "_new", "_vocabulary", "numbers")

    def __init__(self, numbers: Iterable[int] = (), vocabulary: _Vocabulary | None = None) -> None:
        self.numbers = array("I", numbers)
        self._vocabulary = vocabulary or _Vocabulary()
        self._new: dict[str, int] = {}
        self._fed = array("I")

    @property
    def octets(self) -> int:
        """See ``Column``, as for all that follows."""
        return self.numbers.itemsize * len(self.numbers) + self._vocabulary.octets

    def copy(self) -> Texts:
        return Texts(self.numbers, self._vocabulary.copy())

    def feed(self, values: Sequence[str]) -> None:
        """Folded ones."""
        self._fed.extend(_numbered(map(collation_key, values), self._new))

    def settle(self) -> None:
        moved, numbers = self._vocabulary.add(list(self._new))
        self.numbers = _renumbered(self.numbers, moved) + _renumbered(self._fed, numbers)
        self._new, self._fed = {}, array("I")

    def thin(self, kept: Sequence[int]) -> None:
        self.numbers = array("I", compress(self.numbers, kept))


class MessageIds:
    """Message-IDs, once for each content: copies of a message, however many, have the same ones.

    An ID is its hash of 64 bits, whose key is this process's secret: a mailbox may have millions of them, and nothing
    else is to be known of one than which others are the same.
    """

    __slots__ = ("_contents", "counts", "numbers", "others", "own")

    def __init__(
        self,
        numbers: Iterable[int] = (),
        own: Iterable[int] = (),
        others: Iterable[int] = (),
        counts: Iterable[int] = (),
    ) -> None:
        self.numbers = array("I", numbers)
        """Of each message: which of the following are its own."""
        self.own = array("q", own)
        """The Message-ID of each content, 0 for none."""
        self.others = array("q", others)
        """Those that all contents refer to, one content after the other."""
        self.counts = array("I", counts)
        """How many of these each refers to."""
        self._contents: dict[str, int] = {}

    @property
    def octets(self) -> int:
        """See ``Column``, as for all that follows."""
        return 4 * (len(self.numbers) + len(self.counts)) + 8 * (len(self.own) + len(self.others))

    def copy(self) -> MessageIds:
        return MessageIds(self.numbers, self.own, self.others, self.counts)

    def unknown(self, values: Iterable[str]) -> list[str]:
        """The contents among *values*, see ``feed``, that ``learn`` has to be told of first."""
        return list({value for value in values if " " not in value}.difference(self._contents))

    def learn(self, content: str, ids: str) -> None:
        """The IDs of a *content* that several messages have: parted by spaces, its own first, which may be empty."""
        self._contents[content] = self._add(ids)

    def feed(self, values: Sequence[str]) -> None:
        """For each message its IDs, as ``learn`` takes them, or the content that it shares with others."""
        self.numbers.extend([self._add(value) if " " in value else self._contents[value] for value in values])

    def _add(self, ids: str) -> int:
        """The number of the content, which is a new one."""
        own, *others = map(hash, ids.split(" "))
        others = [each for each in others if each]
        self.own.append(own)
        self.others.extend(others)
        self.counts.append(len(others))
        return len(self.counts) - 1

    def settle(self) -> None:
        self._contents = {}

    def thin(self, kept: Sequence[int]) -> None:
        # what was said of contents stays, as in a vocabulary
        self.numbers = array("I", compress(self.numbers, kept))


def _numbered(texts: Iterable[str], numbers: dict[str, int]) -> list[int]:
    """The number of each of *texts* in *numbers*, where the next one goes to each that is new."""
    return [numbers.setdefault(text, len(numbers)) for text in texts]


def _renumbered(numbers: array[int], new: Sequence[int]) -> array[int]:
    """The *new* number of each of *numbers*."""
    return numbers if isinstance(new, range) else array("I", [new[number] for number in numbers])
