"""Columns of numbers, for the values by which messages are sorted and threaded, in the order of their UIDs.

A text becomes its rank among the different texts of its column, so comparing numbers compares texts. The texts are
kept, compactly, so that a new text gets its rank without reading all messages again.

A shared column never changes. To add messages, make a copy, then ``feed`` and ``settle`` it.
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
"""How many texts are joined at a time: long work is done in pieces, so that other threads can run."""


class Column(Protocol):
    """One value for each message."""

    numbers: array[int]
    """One number for each message."""

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""

    def copy(self) -> Self:
        """A copy that may be changed."""

    def feed(self, values: Sequence[Any]) -> None:
        """Appends the values of more messages."""

    def settle(self) -> None:
        """Makes the fed values part of ``numbers``."""

    def thin(self, kept: Sequence[int]) -> None:
        """Keeps only the messages for which *kept* is not 0."""


class Numbers:
    """A column of plain numbers."""

    __slots__ = ("numbers",)

    def __init__(self, numbers: Iterable[int] = ()) -> None:
        self.numbers = array("q", numbers)

    @property
    def octets(self) -> int:
        """See ``Column``, also for the other methods."""
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
    """The different texts of a column, sorted; the empty text is always the first. No text has a NUL."""

    __slots__ = ("_blocks",)

    def __init__(self, blocks: Sequence[bytes] = (b"",)) -> None:
        self._blocks = blocks

    @property
    def octets(self) -> int:
        """The approximate memory, in octets."""
        return sum(map(len, self._blocks))

    def copy(self) -> _Vocabulary:
        return _Vocabulary(self._blocks)

    def add(self, texts: Sequence[str]) -> tuple[Sequence[int], Sequence[int]]:
        """Adds those of *texts* that are new; no two of *texts* are equal.

        Returns the new number of each old text, by its old number, and the numbers of *texts*.
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
    """A column of texts, each as its rank among the different texts; 0 for the empty text."""

    __slots__ = ("_fed", "_new", "_vocabulary", "numbers")

    def __init__(self, numbers: Iterable[int] = (), vocabulary: _Vocabulary | None = None) -> None:
        self.numbers = array("I", numbers)
        self._vocabulary = vocabulary or _Vocabulary()
        self._new: dict[str, int] = {}
        self._fed = array("I")

    @property
    def octets(self) -> int:
        """See ``Column``, also for the other methods."""
        return self.numbers.itemsize * len(self.numbers) + self._vocabulary.octets

    def copy(self) -> Self:
        return type(self)(self.numbers, self._vocabulary.copy())

    def feed(self, values: Sequence[str]) -> None:
        """Takes case-folded texts."""
        self._take(map(collation_key, values))

    def _take(self, values: Iterable[str]) -> None:
        self._fed.extend(_numbered(values, self._new))

    def settle(self) -> None:
        moved, numbers = self._vocabulary.add(list(self._new))
        self.numbers = _renumbered(self.numbers, moved) + _renumbered(self._fed, numbers)
        self._new, self._fed = {}, array("I")

    def thin(self, kept: Sequence[int]) -> None:
        self.numbers = array("I", compress(self.numbers, kept))


class OrderedTexts(Texts):
    """The same for texts that are ordered by their letters, as a comparator has prepared them."""

    __slots__ = ()

    def feed(self, values: Sequence[str]) -> None:
        """Takes texts in the form for order."""
        self._take(value.replace("\0", "") for value in values)


class MessageIds:
    """Message-IDs, once for each content, because copies of a message have the same ones.

    A Message-ID is stored as a hash of 64 bits with a secret key of this process: a mailbox may have millions of them,
    and threading only has to know which ones are equal.
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
        """The content of each message, as an index into the next columns."""
        self.own = array("q", own)
        """The Message-ID of each content, 0 for none."""
        self.others = array("q", others)
        """The references of all contents, one content after the other."""
        self.counts = array("I", counts)
        """How many references each content has."""
        self._contents: dict[str, int] = {}

    @property
    def octets(self) -> int:
        """See ``Column``, also for ``copy``, ``settle`` and ``thin``."""
        return 4 * (len(self.numbers) + len(self.counts)) + 8 * (len(self.own) + len(self.others))

    def copy(self) -> MessageIds:
        return MessageIds(self.numbers, self.own, self.others, self.counts)

    def unknown(self, values: Iterable[str]) -> list[str]:
        """The contents among *values* of ``feed`` that ``learn`` needs first."""
        return list({value for value in values if " " not in value}.difference(self._contents))

    def learn(self, content: str, ids: str) -> None:
        """Adds a *content* of several messages; *ids* are separated by spaces, its own, maybe empty, first."""
        self._contents[content] = self._add(ids)

    def feed(self, values: Sequence[str]) -> None:
        """Takes for each message its IDs, as in ``learn``, or the content that it shares with other messages."""
        self.numbers.extend([self._add(value) if " " in value else self._contents[value] for value in values])

    def _add(self, ids: str) -> int:
        """Adds a new content; returns its number."""
        own, *others = map(hash, ids.split(" "))
        others = [each for each in others if each]
        self.own.append(own)
        self.others.extend(others)
        self.counts.append(len(others))
        return len(self.counts) - 1

    def settle(self) -> None:
        self._contents = {}

    def thin(self, kept: Sequence[int]) -> None:
        # the contents stay, like the texts of a vocabulary
        self.numbers = array("I", compress(self.numbers, kept))


def _numbered(texts: Iterable[str], numbers: dict[str, int]) -> list[int]:
    """The number of each of *texts* in *numbers*, which gets the next number for each new text."""
    return [numbers.setdefault(text, len(numbers)) for text in texts]


def _renumbered(numbers: array[int], new: Sequence[int]) -> array[int]:
    """The *new* number of each of *numbers*."""
    return numbers if isinstance(new, range) else array("I", [new[number] for number in numbers])
