"""A write transaction, as those who change something see it: its statements, its modseq, and what follows it."""

from __future__ import annotations

from collections.abc import Callable

from mektup.store.rules.account_names import account_is_gone
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MAX_MODSEQ, MailboxId, ModSeq


class Change:
    """A write transaction under way."""

    __slots__ = ("_modseq", "afterwards", "cursor", "is_first", "on_rollback", "touched")

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        """One statement at a time: the next execute ends the one before."""
        self.touched: set[MailboxId] = set()
        """Whose watches fire once it is committed."""
        self.on_rollback: list[Callable[[], None]] = []
        """What undoes what the process remembers of it, whichever way it ends without a commit."""
        self.afterwards: Callable[[Change], None] | None = None
        """What is then to be done in a thread, in a transaction of its own; if that fails, nothing is lost."""
        self._modseq = 0
        self.is_first = False
        """Whether it takes the first modseq after somebody closed the file well."""

    @property
    def modseq(self) -> ModSeq:
        """Of this transaction: higher than any before in this account. Raises Refused where the account is removed."""
        return ModSeq(self._modseq or self.take(1)[0])

    def take(self, count: int) -> range:
        """As many modseqs, ascending, for a transaction that is several changes; the last is the transaction's."""
        self._count_up(count, 0)
        return range(self._modseq - count + 1, self._modseq + 1)

    def name_contents(self, count: int) -> range:
        """Ids for *count* new contents; the modseq is taken in the same breath. Raises as ``modseq``."""
        last = self._count_up(0 if self._modseq else 1, count)
        return range(last - count + 1, last + 1)

    def _count_up(self, modseqs: int, contents: int) -> int:
        """Takes so many of each; yields the highest id of contents."""
        # With an id SQLite knows that it is one row, and keeps no journal of its own for the statement.
        found = self.cursor.execute(
            "UPDATE account SET modseq = modseq + ?, content = content + ? WHERE id = 1 "
            "RETURNING modseq, content, closed",
            (modseqs, contents),
        ).get
        if found is None:
            raise account_is_gone()
        before = self._modseq
        self._modseq, highest, closed = found
        if not before:
            self.is_first = closed == self._modseq - modseqs
        return int(highest)

    @property
    def committed_as(self) -> int:
        """Its modseq for who hears of it; MAX_MODSEQ, which stands for an unknown one, where it took none."""
        return self._modseq or MAX_MODSEQ
