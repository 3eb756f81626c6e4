"""A write transaction for the code that makes a change: its statements, its modseq, and its follow-up work.

The numbers that a change takes are in a row of the account's file. ``tables.account_row`` has the statements for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from mektup.store.rules.account_names import account_is_gone
from mektup.store.sqlite.file.cursor import Cursor
from mektup.terms.numbers import MailboxId, ModSeq


@dataclass(frozen=True, slots=True)
class AccountRow:
    """The statements for the row that an account's file keeps of itself."""

    take_numbers: Callable[[Cursor, int, int], tuple[int, int, int] | None]
    """Takes so many modseqs and IDs of contents.

    Returns the last modseq, the last ID, and the modseq at which the file was last closed properly; None where the
    account is removed.
    """
    last_closed: Callable[[Cursor], tuple[int, int] | None]
    """The last modseq, and the one at which the file was last closed properly; None where the account is removed."""
    mark_closed: Callable[[Cursor], ModSeq | None]
    """Writes that the file was closed properly, and returns its last modseq; None where the account is removed."""


def machine_clock() -> float:
    """The seconds since 1970 UTC, by the clock of the machine."""
    return time.time()


def keeps_nothing() -> bool:
    """For a change whose expunged messages are freed at once."""
    return False


class Keeping(NamedTuple):
    """What a change needs to know to keep what it removes."""

    clock: Callable[[], float] = machine_clock
    """Tells the seconds since 1970 UTC."""
    retains: Callable[[], bool] = keeps_nothing
    """Whether expunged messages are kept now."""


NO_KEEPING = Keeping()


class Change:
    """A running write transaction."""

    __slots__ = (
        "_account",
        "_clock",
        "_modseq",
        "_moment",
        "_retains",
        "afterwards",
        "cursor",
        "is_first",
        "keeps_names",
        "mailboxes_added",
        "messages_added",
        "octets_added",
        "on_rollback",
        "touched",
    )

    def __init__(
        self,
        cursor: Cursor,
        account: AccountRow | None,
        keeping: Keeping = NO_KEEPING,
    ) -> None:
        """Begins the transaction; *account* is None for a file without modseqs. Raises apsw's errors."""
        cursor.execute("BEGIN IMMEDIATE")
        self._account = account
        self._clock, self._retains = keeping
        self._moment = 0
        self.cursor = cursor
        """Runs one statement at a time: the next execute ends the one before."""
        self.touched: set[MailboxId] = set()
        """The mailboxes whose watches fire after the commit."""
        self.on_rollback: list[Callable[[], None]] = []
        """Callbacks that undo changes of the process's memory, if the transaction ends without a commit."""
        self.afterwards: Callable[[Change], None] | None = None
        """Follow-up work in a thread, in a transaction of its own; if it fails, nothing is lost."""
        self.keeps_names = False
        """Whether it certainly creates, removes and renames no mailbox."""
        self.messages_added = self.octets_added = self.mailboxes_added = 0
        """How much the account grows: messages, their octets, selectable mailboxes; negative where it shrinks."""
        self._modseq = 0
        self.is_first = False
        """Whether it takes the first modseq after the file was closed properly."""

    @property
    def moment(self) -> int:
        """The time of this transaction in seconds since 1970 UTC, the same for all that it changes."""
        if not self._moment:
            self._moment = int(self._clock())
        return self._moment

    @property
    def keeps_expunged(self) -> bool:
        """Whether messages that it expunges are kept for a while; see ``retained``."""
        return self._retains()

    def keep_nothing(self) -> None:
        """Says that messages that it expunges are to be freed at once."""
        self._retains = keeps_nothing

    @property
    def modseq(self) -> ModSeq:
        """This transaction's modseq, the highest of the account. Raises Refused where the account is removed."""
        return ModSeq(self._modseq or self.take(1)[0])

    def take(self, count: int) -> range:
        """Takes *count* modseqs, ascending, for a transaction of several changes; the last is the transaction's."""
        self._count_up(count, 0)
        return range(self._modseq - count + 1, self._modseq + 1)

    def name_contents(self, count: int) -> range:
        """Takes IDs for *count* new contents, and the modseq in the same statement. Raises as ``modseq``."""
        last = self._count_up(0 if self._modseq else 1, count)
        return range(last - count + 1, last + 1)

    def _count_up(self, modseqs: int, contents: int) -> int:
        """Takes modseqs and IDs of contents; returns the highest ID."""
        assert self._account is not None, "this file has no modseqs"
        found = self._account.take_numbers(self.cursor, modseqs, contents)
        if found is None:
            raise account_is_gone()
        before = self._modseq
        self._modseq, highest, closed = found
        if not before:
            self.is_first = closed == self._modseq - modseqs
        return highest

    @property
    def committed_as(self) -> ModSeq | None:
        """The modseq for watches; None where the transaction took none."""
        return ModSeq(self._modseq) if self._modseq else None
