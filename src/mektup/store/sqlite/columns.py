"""Columns of numbers that stand for what messages are sorted and threaded by, in the order of their UIDs.

A text becomes its place among the different texts of its column, so comparing numbers is comparing texts. These texts
are kept, packed, so that what arrives later finds its place without reading all the others again.

A column that others can see is never changed. Whoever has more messages takes a copy, feeds it, and settles it.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import chain, compress, pairwise, repeat
from typing import Any, Final, Protocol, Self

from mektup.message.collation import collation_key
from mektup.store.turns import sorted_in_turns

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
    """Message-IDs: each message's own, 0 for none, and those that it refers to."""

    __slots__ = ("_fed", "_new", "_others_fed", "_vocabulary", "counts", "numbers", "others")

    def __init__(
        self,
        numbers: Iterable[int] = (),
        others: Iterable[int] = (),
        counts: Iterable[int] = (),
        vocabulary: _Vocabulary | None = None,
    ) -> None:
        self.numbers = array("I", numbers)
        self.others = array("I", others)
        """Those that all the messages refer to, one message after the other."""
        self.counts = array("I", counts)
        """How many of these each refers to."""
        self._vocabulary = vocabulary or _Vocabulary()
        self._new: dict[str, int] = {}
        self._fed = array("I")
        self._others_fed = array("I")

    @property
    def octets(self) -> int:
        """See ``Column``, as for all that follows."""
        numbers = len(self.numbers) + len(self.others) + len(self.counts)
        return self.numbers.itemsize * numbers + self._vocabulary.octets

    def copy(self) -> MessageIds:
        return MessageIds(self.numbers, self.others, self.counts, self._vocabulary.copy())

    @property
    def references(self) -> int:
        """How many all messages have, those that were only fed included."""
        return len(self.others) + len(self._others_fed)

    def feed(self, values: Sequence[str]) -> None:
        """The IDs of each message parted by spaces, its own first, which may be empty."""
        own: list[str] = []
        others: list[str] = []
        for value in values:
            first, *more = value.replace("\0", "").split(" ")
            more = [each for each in more if each]
            own.append(first)
            others += more
            self.counts.append(len(more))
        self._fed.extend(_numbered(own, self._new))
        self._others_fed.extend(_numbered(others, self._new))

    def settle(self) -> None:
        moved, numbers = self._vocabulary.add(list(self._new))
        self.numbers = _renumbered(self.numbers, moved) + _renumbered(self._fed, numbers)
        self.others = _renumbered(self.others, moved) + _renumbered(self._others_fed, numbers)
        self._new, self._fed, self._others_fed = {}, array("I"), array("I")

    def thin(self, kept: Sequence[int]) -> None:
        self.numbers = array("I", compress(self.numbers, kept))
        self.others = array("I", compress(self.others, chain.from_iterable(map(repeat, kept, self.counts))))
        self.counts = array("I", compress(self.counts, kept))


def _numbered(texts: Iterable[str], numbers: dict[str, int]) -> list[int]:
    """The number of each of *texts* in *numbers*, where the next one goes to each that is new."""
    return [numbers.setdefault(text, len(numbers)) for text in texts]


def _renumbered(numbers: array[int], new: Sequence[int]) -> array[int]:
    """The *new* number of each of *numbers*."""
    return numbers if isinstance(new, range) else array("I", [new[number] for number in numbers])
