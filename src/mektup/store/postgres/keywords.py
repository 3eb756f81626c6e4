"""The sets of keywords of one account, as far as this node knows them.

The rules ask for the number of a set while they compute, and cannot wait. So a set that is not known gets a number for
the moment (``Wanted``), and the caller has it added, and computes again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from mektup.store.rules.keyword_sets import KeywordSets


@dataclass(slots=True)
class Wanted:
    """The sets that a computation needed and that this node does not know."""

    names: list[str] = field(default_factory=list)
    undo: list[Callable[[], None]] = field(default_factory=list)

    def forget(self) -> None:
        """Forgets the numbers of the moment."""
        for each in reversed(self.undo):
            each()


class PostgresKeywordSets(KeywordSets[Wanted]):
    """A ``KeywordSets`` whose sets are in a shard. None is removed."""

    __slots__ = ()

    @property
    def highest(self) -> int:
        """All sets up to this number are known."""
        return self._highest

    def _forget(self, number: int, new: Iterable[str]) -> None:
        highest = self._highest
        KeywordSets._forget(self, number, new)
        self._highest = highest  # the number was one of the moment, so what is stored is still known

    def _load(self, change: Wanted) -> None:
        """Nothing: each answer brings the sets that are new."""

    def _kept(self, change: Wanted) -> frozenset[int]:
        return frozenset(self._names)

    def _is_kept(self, change: Wanted, number: int) -> bool:
        return True

    def _highest_kept(self, change: Wanted) -> int:
        return max(self._names)

    def _highest_word(self, change: Wanted) -> int:
        return 0

    def _keep(self, change: Wanted, number: int, names: str, undo: Callable[[], None]) -> None:
        change.names.append(names)
        change.undo.append(undo)
