"""Sets of keywords, stored in a dictionary."""

from __future__ import annotations

from collections.abc import Callable

from mektup.store.rules.keyword_sets import KeywordSets


class Rows:
    """What an engine stores, and a transaction that changes it."""

    def __init__(self) -> None:
        self.sets: dict[int, str] = {}
        self.highest_word = 0
        self.undo: list[Callable[[], None]] = []

    def fail(self) -> None:
        """Ends the transaction without a commit."""
        while self.undo:
            self.undo.pop()()


class DictionarySets(KeywordSets[Rows]):
    """The rules, with ``Rows`` as their storage."""

    def _load(self, change: Rows) -> None:
        self.learn(sorted(change.sets.items()))

    def _kept(self, change: Rows) -> frozenset[int]:
        return frozenset(change.sets)

    def _is_kept(self, change: Rows, number: int) -> bool:
        return number in change.sets

    def _highest_kept(self, change: Rows) -> int:
        return max(change.sets, default=0)

    def _highest_word(self, change: Rows) -> int:
        return change.highest_word

    def _keep(self, change: Rows, number: int, names: str, undo: Callable[[], None]) -> None:
        change.sets[number] = names
        change.undo += [undo, lambda: change.sets.__delitem__(number)]
