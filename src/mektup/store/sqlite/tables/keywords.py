"""The table of an account's sets of keywords, see ``rules.keyword_sets``."""

from __future__ import annotations

from collections.abc import Callable

from mektup.store.rules.keyword_sets import KEYWORD_SHIFT, KeywordSets
from mektup.store.sqlite.file.change import Change
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.limits import DEFAULT_LIMITS


class SqliteKeywordSets(KeywordSets[Change]):
    """The sets of one account."""

    __slots__ = ("checked_at",)

    def __init__(self, lost: Callable[[], None] = lambda: None, most: int = DEFAULT_LIMITS.keyword_sets_bytes) -> None:
        """See ``KeywordSets``."""
        super().__init__(lost, most)
        self.checked_at: bytes | None = None
        """The state of the database (see ``Database.state``) when ``unknown`` was asked last."""

    def unknown(self, cursor: Cursor) -> int:
        """The most sets that may have been added since the last load."""
        return int(cursor.execute("SELECT ifnull(max(id), 0) FROM keyword_sets").get) - self._highest

    def load(self, cursor: Cursor) -> None:
        """Learns the sets that were added since the last load."""
        self.learn(
            cursor.execute("SELECT id, names FROM keyword_sets WHERE id > ? ORDER BY id", (self._highest,)).fetchall()
        )

    def load_of(self, cursor: Cursor, word: int) -> None:
        """Learns only the set of *word*, however many others were added."""
        number = word >> KEYWORD_SHIFT
        self.learn_some(cursor.execute("SELECT id, names FROM keyword_sets WHERE id = ?", (number,)).fetchall())

    def _load(self, change: Change) -> None:
        self.load(change.cursor)

    def _kept(self, change: Change) -> frozenset[int]:
        return frozenset(number for (number,) in change.cursor.execute("SELECT id FROM keyword_sets").fetchall())

    def _is_kept(self, change: Change, number: int) -> bool:
        return change.cursor.execute("SELECT 1 FROM keyword_sets WHERE id = ?", (number,)).get is not None

    def _highest_kept(self, change: Change) -> int:
        return int(change.cursor.execute("SELECT ifnull(max(id), 0) FROM keyword_sets").get)

    def _highest_word(self, change: Change) -> int:
        return int(
            change.cursor.execute(
                "SELECT max(ifnull((SELECT max(flags) FROM messages), 0), ifnull((SELECT max(flags) FROM retained), 0))"
            ).get
        )

    def _keep(self, change: Change, number: int, names: str, undo: Callable[[], None]) -> None:
        change.on_rollback.append(undo)
        change.cursor.execute("INSERT INTO keyword_sets VALUES (?, ?)", (number, names))
